"""The data for the page of a paper, and the search for ablations that several models propose.

The names of pages and the ids on a page are safe and unique. Every build of a site gives the same ones.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Final

from markupsafe import Markup

from planner.chat import COMBINED_PLANNER
from planner.details import (
    explain_meaning_of_chance_if_known,
    format_count,
    list_run_order_sentences,
    select_distinct_studies,
)
from planner.matching import Place, group_ablations
from planner.names import sanitize_file_name
from planner.planning.record import MAX_ABSTRACT_CHARS
from planner.schema import Ablation, Action, Task, list_labelled_non_benchmark_fields
from planner.site.copies import CopyableTexts, choose_descriptive_name_or_part, format_plan_copies
from planner.site.entries import PlanEntry
from planner.site.facts import (
    AttemptView,
    choose_shown_title,
    choose_unique_labels,
    find_arxiv_id,
    format_key_figures,
    iterate_attempt_views,
    list_plan_facts,
)
from planner.site.html_text import (
    render_block_markdown,
    render_formulas_as_html,
    render_formulas_as_text,
    render_inline_markdown,
)

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_ANCHOR_LENGTH: Final = 60
_ACTION_VERBS: Final = {Action.REMOVE: "Remove", Action.REPLACE: "Replace", Action.ADD: "Add"}


def group_shared_ablations(entries: Sequence[PlanEntry]) -> tuple[tuple[Place, ...], ...]:
    """Return groups of equal ablations that several models propose for the same task, the largest group first.

    A place is (index of an entry, index of an ablation in its plan). All entries are of one paper. Combined plans are
    left out, since they repeat ablations of other plans.
    """
    groups = (
        group
        for task in Task
        for group in group_ablations([_list_own_ablations(entry, task) for entry in entries])
        if len({(entries[index].planner, entries[index].model) for index, _ in group}) > 1
    )
    return tuple(sorted(groups, key=lambda group: (-len(group), group)))


def _list_own_ablations(entry: PlanEntry, task: Task) -> tuple[Ablation, ...]:
    return entry.ablations if entry.task is task and entry.planner != COMBINED_PLANNER else ()


@dataclass(frozen=True, slots=True)
class AblationLink:
    """A link to an ablation on the page. `anchor` is the id of the ablation."""

    model_label: str
    headline: Markup
    anchor: str


@dataclass(frozen=True, slots=True)
class AblationCard:
    """An ablation as a page shows it. `findings` are the faults that the program found in the ablation.

    `further_fields` has (label, text) for each field that AblationBench does not have.
    """

    number: int
    anchor: str
    name: Markup
    part: Markup
    action: str
    verb: str
    replacement: tuple[Markup, ...]
    metrics: tuple[Markup, ...]
    findings: tuple[Markup, ...]
    further_fields: tuple[tuple[str, Markup], ...]
    matches: tuple[AblationLink, ...]


@dataclass(frozen=True, slots=True)
class ModelPanel:
    """The plan of one model, or the failure to make it, as a page shows it. `summary` is one line of key figures.

    `notes` are pairs (heading, sentences), and `facts` are pairs (label, text). `considered_cards` are the candidates
    that the plan does not keep.
    """

    label: str
    anchor: str
    summary: str
    entry: PlanEntry
    reasoning: Markup
    cards: tuple[AblationCard, ...]
    notes: tuple[tuple[str, tuple[Markup, ...]], ...]
    considered_cards: tuple[AblationCard, ...]
    copies: CopyableTexts | None
    facts: tuple[tuple[str, str], ...]
    replies: tuple[AttemptView, ...]


@dataclass(frozen=True, slots=True)
class PaperView:
    """The data for a paper's page. `groups` are the ablations that several models propose.

    `title` is plain text, and `heading` is the title as HTML. `source` is the arXiv id or the file name, and `address`
    is the address at arXiv. These two, `authors` and `abstract` may be "". `has_several_texts` is true if the plans
    were made from different texts.
    """

    title: str
    heading: Markup
    authors: str
    source: str
    address: str
    abstract: Markup
    paper_id: str
    panels: tuple[ModelPanel, ...]
    groups: tuple[tuple[AblationLink, ...], ...]
    has_several_texts: bool

    @property
    def summary(self) -> str:
        """The numbers of plans and ablations in one line."""
        plans = sum(panel.entry.trajectory is not None for panel in self.panels)
        ablations = sum(len(panel.cards) for panel in self.panels)
        missing = len(self.panels) - plans
        parts = [format_count(plans, "plan") + (f" and {missing} not planned" if missing else "")]
        parts += [format_count(ablations, "ablation")] if plans else []
        parts += [f"models agree on {len(self.groups)}"] if self.groups else []
        return " · ".join(parts)


def choose_page_names(paper_ids: Iterable[str]) -> dict[str, str]:
    """Return a mapping from paper ids to names of pages. The names differ even if letter case is ignored."""
    names: dict[str, str] = {}
    used: set[str] = set()
    for paper_id in sorted(set(paper_ids)):
        name = sanitize_file_name(paper_id)
        if name != paper_id or name.casefold() in used:
            name = f"{sanitize_file_name(paper_id[:80])}-{_hash_text(paper_id)}"
        used.add(name.casefold())
        names[paper_id] = name
    return names


def build_paper_view(entries: Sequence[PlanEntry]) -> PaperView:
    """Return the data for a paper's page from the entries of the paper. Plans come before failures."""
    entries = sorted(entries, key=lambda entry: entry.trajectory is None)
    labels = choose_unique_labels(entries)
    places = _PlaceLinks(entries, labels, list(map(_derive_anchor, labels)), group_shared_ablations(entries))
    title = choose_shown_title(entries)
    paper = next((entry.record.paper for entry in entries if entry.record and entry.record.paper.source), None)
    source = paper.source if paper else ""
    arxiv_id = find_arxiv_id(source, entries[0].paper_id)
    return PaperView(
        title=render_formulas_as_text(title),
        heading=render_formulas_as_html(title),
        authors=", ".join(paper.authors) if paper else "",
        source=f"arXiv:{arxiv_id}" if arxiv_id else PureWindowsPath(source).name,
        address=f"https://arxiv.org/abs/{arxiv_id}" if arxiv_id else "",
        abstract=render_formulas_as_html(" ".join(paper.abstract[:MAX_ABSTRACT_CHARS].split())) if paper else Markup(),
        paper_id=entries[0].paper_id,
        panels=tuple(_build_panel(places, number) for number in range(len(entries))),
        groups=tuple(tuple(map(places.build_link, group)) for group in places.groups),
        has_several_texts=len({e.record.paper.sha256 for e in entries if e.record and e.trajectory}) > 1,
    )


@dataclass(frozen=True, slots=True)
class _PlaceLinks:
    entries: Sequence[PlanEntry]
    labels: Sequence[str]
    anchors: Sequence[str]
    groups: Sequence[tuple[Place, ...]]

    def build_anchor(self, place: Place) -> str:
        entry_number, number = place
        return f"{self.anchors[entry_number]}/{number + 1}"

    def build_link(self, place: Place) -> AblationLink:
        entry_number, number = place
        headline = render_inline_markdown(choose_descriptive_name_or_part(self.entries[entry_number].ablations[number]))
        return AblationLink(self.labels[entry_number], headline, self.build_anchor(place))

    def iterate_matches(self, place: Place) -> Iterator[AblationLink]:
        """Yield links to the ablations of other models that are in the same group as the ablation at `place`."""
        own = self.entries[place[0]]
        for other in next((group for group in self.groups if place in group), ()):
            entry = self.entries[other[0]]
            if (entry.planner, entry.model) != (own.planner, own.model):
                yield self.build_link(other)


def _derive_anchor(label: str) -> str:
    """Return the ASCII id of a panel on its page. Different labels get different ids.

    All other ids on the page are different, since they begin with "_" or contain a "/".
    """
    slug = _UNSAFE.sub("-", label)[:_MAX_ANCHOR_LENGTH].strip("-._")
    return slug if slug and slug == label.replace(" ", "-") else f"{slug or 'model'}~{_hash_text(label)}"


def _hash_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _build_panel(places: _PlaceLinks, entry_number: int) -> ModelPanel:
    entry = places.entries[entry_number]
    return ModelPanel(
        label=places.labels[entry_number],
        anchor=places.anchors[entry_number],
        summary=format_key_figures(entry),
        entry=entry,
        reasoning=render_block_markdown(entry.trajectory.reasoning) if entry.trajectory else Markup(),
        cards=tuple(_list_cards(places, entry_number)),
        notes=tuple(_list_notes(entry)),
        considered_cards=tuple(_list_considered(entry, places.anchors[entry_number])),
        copies=format_plan_copies(entry) if entry.trajectory and entry.ablations else None,
        facts=list_plan_facts(entry),
        replies=tuple(iterate_attempt_views(entry)),
    )


def _list_cards(places: _PlaceLinks, entry_number: int) -> Iterator[AblationCard]:
    entry = places.entries[entry_number]
    for number, ablation in enumerate(entry.ablations):
        place = (entry_number, number)
        lines, findings = entry.details[number].list_labelled_lines(), entry.list_findings(number)
        matches = tuple(places.iterate_matches(place))
        yield _build_card(ablation, lines, number + 1, places.build_anchor(place), findings, matches)


def _build_card(
    ablation: Ablation,
    lines: Sequence[tuple[str, str]],
    number: int,
    anchor: str,
    findings: tuple[str, ...] = (),
    matches: tuple[AblationLink, ...] = (),
) -> AblationCard:
    return AblationCard(
        number=number,
        anchor=anchor,
        name=render_inline_markdown(ablation.name),
        part=render_inline_markdown(ablation.ablated_part),
        action=ablation.action.lower(),
        verb=_ACTION_VERBS[ablation.action],
        replacement=tuple(map(render_inline_markdown, ablation.replacement)),
        metrics=tuple(map(render_inline_markdown, ablation.metrics)),
        findings=tuple(map(render_inline_markdown, findings)),
        further_fields=tuple(
            (label, render_inline_markdown(text))
            for label, text in (*list_labelled_non_benchmark_fields(ablation), *lines)
        ),
        matches=matches,
    )


def _list_notes(entry: PlanEntry) -> Iterator[tuple[str, tuple[Markup, ...]]]:
    """Yield (heading, sentences) for each note on a plan: its run order, its chances, its revisions, and so on."""
    if entry.record is None or entry.trajectory is None:
        return
    for heading, sentences in (
        ("Order", list_run_order_sentences(entry.run_order, entry.details)),
        ("Chance", (explain_meaning_of_chance_if_known(entry.task, entry.details),)),
        ("Already reported by the paper", select_distinct_studies(entry.record.reported)),
        ("Revised", entry.record.revisions),
    ):
        if shown := tuple(render_inline_markdown(str(sentence)) for sentence in sentences if sentence):
            yield heading, shown


def _list_considered(entry: PlanEntry, anchor: str) -> Iterator[AblationCard]:
    for number, candidate in enumerate(entry.considered if entry.trajectory else (), start=1):
        lines = (*candidate.details.list_labelled_lines(), ("Not kept", candidate.why))
        yield _build_card(candidate, lines, number, f"{anchor}/considered/{number}")
