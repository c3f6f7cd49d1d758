"""The data that the templates of a paper's page show."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from planner.schema import Ablation, Action
from planner.sidecar import AttemptFacts, Sidecar
from planner.site.agreement import Agreement, Place, agreement
from planner.site.copies import Copies, copies
from planner.site.entries import Entry, labels_of, title_of
from planner.site.headlines import headline
from planner.site.model_text import block, inline
from planner.site.names import anchors

_DONE = {Action.REMOVE: "Remove", Action.REPLACE: "Replace", Action.ADD: "Add"}


@dataclass(frozen=True, slots=True)
class Link:
    """A link to an ablation: the model's label, the ablation's headline, and the anchor."""

    label: str
    name: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Card:
    """One ablation as a page shows it."""

    number: int
    anchor: str
    name: Markup
    part: Markup
    action: str
    done: str
    replacement: tuple[Markup, ...]
    metrics: tuple[Markup, ...]
    twins: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the run facts."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One request of a planning, and its result."""

    heading: str
    findings: tuple[str, ...]
    text: str
    reasoning: str
    refusal: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One model's reasoning and plan, or its failure."""

    label: str
    anchor: str
    entry: Entry
    reasoning: Markup
    cards: tuple[Card, ...]
    copies: Copies | None
    facts: tuple[Fact, ...]
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class PaperView:
    """The data of one paper's page; `groups` are the ablations that several models propose.

    `several_texts` is true if the plans are of different texts with one id.
    """

    title: str
    paper_id: str
    panels: tuple[Panel, ...]
    groups: tuple[tuple[Link, ...], ...]
    several_texts: bool

    @property
    def summary(self) -> str:
        """The paper's numbers in one line."""
        missing = len(self.panels) - self.plans
        parts = [_counted(self.plans, "plan") + (f" and {missing} not planned" if missing else "")]
        parts += [_counted(self.ablations, "ablation")] if self.plans else []
        parts += [f"{self.shared} of them proposed by more than one model"] if self.shared else []
        return " · ".join(parts)

    @property
    def plans(self) -> int:
        """The number of plans of the paper."""
        return sum(panel.entry.trajectory is not None for panel in self.panels)

    @property
    def ablations(self) -> int:
        """The number of ablations in all plans."""
        return sum(len(panel.cards) for panel in self.panels)

    @property
    def shared(self) -> int:
        """The number of ablations that another model proposes too."""
        return sum(bool(card.twins) for panel in self.panels for card in panel.cards)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def paper_view(entries: Sequence[Entry]) -> PaperView:
    """Return the view of the entries of one paper."""
    labels = labels_of(entries)
    places = _Places(entries, labels, anchors(labels), agreement(entries))
    return PaperView(
        title=title_of(entries),
        paper_id=entries[0].paper_id,
        panels=tuple(_panel(places, number) for number in range(len(entries))),
        groups=tuple(tuple(map(places.link, group)) for group in places.agreement.groups),
        several_texts=len({e.sidecar.paper.sha256 for e in entries if e.sidecar and e.trajectory}) > 1,
    )


@dataclass(frozen=True, slots=True)
class _Places:
    entries: Sequence[Entry]
    labels: Sequence[str]
    anchors: Sequence[str]
    agreement: Agreement

    def anchor(self, place: Place) -> str:
        return f"{self.anchors[place.entry]}/{place.ablation + 1}"

    def link(self, place: Place) -> Link:
        ablation = self.entries[place.entry].ablations[place.ablation]
        return Link(self.labels[place.entry], headline(ablation), self.anchor(place))


def _panel(places: _Places, number: int) -> Panel:
    entry = places.entries[number]
    return Panel(
        label=places.labels[number],
        anchor=places.anchors[number],
        entry=entry,
        reasoning=block(entry.trajectory.reasoning) if entry.trajectory else Markup(),
        cards=tuple(_card(places, Place(number, at), ablation) for at, ablation in enumerate(entry.ablations)),
        copies=copies(entry.trajectory) if entry.trajectory else None,
        facts=tuple(_facts(entry)),
        replies=tuple(_reply(at, a) for at, a in enumerate(entry.sidecar.attempts, start=1)) if entry.sidecar else (),
    )


def _card(places: _Places, place: Place, ablation: Ablation) -> Card:
    return Card(
        number=place.ablation + 1,
        anchor=places.anchor(place),
        name=inline(ablation.name),
        part=inline(ablation.ablated_part),
        action=ablation.action.lower(),
        done=_DONE[ablation.action],
        replacement=tuple(map(inline, ablation.replacement)),
        metrics=tuple(map(inline, ablation.metrics)),
        twins=tuple(map(places.link, places.agreement.twins.get(place, ()))),
    )


def _facts(entry: Entry) -> Iterator[Fact]:
    yield Fact("Trajectory", f"{entry.planner}/{entry.model}/{entry.paper_id}")
    yield Fact("Task", entry.task)
    if entry.run:
        yield Fact("Run", entry.run)
    if entry.sidecar:
        for label, value in _run_facts(entry, entry.sidecar):
            if value:
                yield Fact(label, value)


def _run_facts(entry: Entry, facts: Sidecar) -> Iterator[tuple[str, str]]:
    yield "Model asked", facts.model_asked
    yield "Model that answered", facts.model_answered
    yield "Endpoint", facts.endpoint
    yield "Parameters", json.dumps(facts.parameters, ensure_ascii=False) if facts.parameters else ""
    yield "Ablations asked for", f"up to {facts.k}"
    yield "Cost", "?" if entry.cost is None else money(entry.cost)
    yield "Tokens", _tokens(facts)
    yield "Time", f"{facts.seconds:.1f} s"
    yield "Started", facts.started.isoformat(sep=" ", timespec="seconds")
    yield "Prompt SHA-256", facts.prompt_sha256
    yield "Templates SHA-256", facts.template_sha256
    yield "Paper", f"{facts.paper.format} of {facts.paper.chars:,} characters, SHA-256 {facts.paper.sha256}"
    yield "Source", facts.paper.source
    yield "Not sent", "; ".join(f"{out.heading} ({out.chars:,} characters: {out.why})" for out in facts.paper.left_out)
    yield "Program", f"{facts.program_version}, format {facts.format_version}"


def money(usd: float) -> str:
    """Return a cost as text, with at least two significant digits."""
    return f"${usd:,.2f}" if usd >= 1 or usd == 0 else f"${usd:.2g}" if usd >= 0.0001 else f"${usd:.1e}"


def _tokens(facts: Sidecar) -> str:
    usage = facts.usage
    counts = (
        (usage.prompt_tokens, "in"),
        (usage.cached_tokens, "of them cached"),
        (usage.completion_tokens, "out"),
        (usage.reasoning_tokens, "of them reasoning"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counts if count is not None) or "?"


def _reply(number: int, attempt: AttemptFacts) -> Reply:
    outcome = attempt.outcome.value.replace("_", " ") if attempt.outcome else "not judged"
    cost = "?" if attempt.cost is None else money(attempt.cost)
    completion = attempt.completion
    return Reply(
        heading=f"Attempt {number}: {outcome}"
        + (f", {cost}, {completion.seconds:.1f} s" if completion else ", no reply"),
        findings=(*attempt.findings, *(completion.notes if completion else ())),
        text=completion.text if completion else "",
        reasoning=completion.reasoning if completion else "",
        refusal=completion.refusal if completion else "",
    )
