"""The built-in planner: no model, only what a paper's own text names.

It ranks the parts that the method names and that no reported ablation seems to cover, and asks to remove each, or to
replace it by a plain alternative of its kind. It is a baseline, and says so in its reasoning.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log1p
from typing import Final

from planner.analysis.analyse import Analysis, analyse_sections
from planner.analysis.components import Component, Source
from planner.analysis.passages import sections_of
from planner.analysis.reported import Reported
from planner.chat import Completion, ModelCard, Prompt
from planner.matching.words import stems
from planner.papers.paper import Excerpt
from planner.schema import Action, Task

CARD: Final = ModelCard(planner="extractive-planner", name="builtin", asked="extractive")
NOTHING_FOUND: Final = (
    "the built-in planner found no part of a method that this text names and that no reported ablation covers;"
    " it makes nothing up, so there is no plan: ask a model with --model"
)
_MOST_METRICS: Final = 3


@dataclass(frozen=True, slots=True)
class Proposal:
    """An ablation that the built-in planner would run, and why."""

    component: Component
    action: Action
    replacement: tuple[str, ...]
    why: str


class Extractive:
    """Answers any prompt with a plan read off one excerpt; the prompt itself is not looked at.

    The excerpt is all that it knows, so it cannot use what a task cuts away.
    """

    def __init__(self, excerpt: Excerpt, task: Task, k: int) -> None:
        self.excerpt = excerpt
        self.task = task
        self.k = k

    @property
    def card(self) -> ModelCard:
        """Always extractive-planner/builtin."""
        return CARD

    async def complete(self, prompt: Prompt) -> Completion:  # noqa: ARG002 - the excerpt was given at the start
        """A reply in the output contract, always the same; an empty one, with a note, if nothing is found."""
        analysis = analyse_sections(sections_of(self.excerpt.text))
        found = proposals(analysis, self.excerpt.title, self.k)
        if not found:
            return Completion("", finish_reason="stop", model=CARD.asked, notes=(NOTHING_FOUND,))
        return Completion(_reply(found, analysis, self.task), finish_reason="stop", model=CARD.asked)


def proposals(analysis: Analysis, title: str, k: int) -> tuple[Proposal, ...]:
    """At most k ablations that the text suggests, the most worthwhile first."""
    open_parts = [c for c in analysis.components if not _is_the_paper(c, title) and not _covered(c, analysis)]
    ranked = sorted(open_parts, key=lambda c: (-_weight(c), c.found.offset))
    return tuple(_proposal(c) for c in ranked[:k])


def _is_the_paper(component: Component, title: str) -> bool:
    """Whether a name is that of the whole method or of its subject, as the title has it."""
    name = set(stems(component.name))
    return len(name) > 2 and name <= set(stems(title))


def _covered(component: Component, analysis: Analysis) -> bool:
    names = set(stems(component.label))
    return any(_says(reported, component, names) for reported in analysis.reported_ablations)


def _says(reported: Reported, component: Component, names: set[str]) -> bool:
    if component.acronym and component.acronym in reported.part.split():
        return True
    part = set(stems(reported.part))
    return bool(part) and len(part & names) >= 0.6 * min(len(part), len(names))


_BY_SOURCE: Final = {
    Source.HEADING: 2.0,
    Source.ACRONYM: 1.0,
    Source.PROPOSED: 1.5,
    Source.RUN_IN: 1.5,
    Source.BOLD: 1.5,
    Source.REPEATED: 1.0,
}
_MECHANISM: Final = re.compile(
    r"\b(?:loss|regulari[sz]\w*|penalty|module|mechanism|attention|gate[ds]?|gating|fusion|unit|branch|sampling|augment\w*|"
    r"strategy|normali[sz]ation|embedding|memory|voting|selection|constraint|prior|distillation|encod\w+|decod\w+|mask\w*|"
    r"generation|disentangl\w*|matching|alignment|layer|converter|mapper|pruning|weighting|refinement|kernels?|schedul\w+)\b",
    re.I,
)
_SUBJECT: Final = re.compile(
    r"\b(?:learning|recognition|classification|recommendation|detection|localization|answering|extraction|networks?|"
    r"processes|systems?|indicators?|distance|error|accuracy|algorithm|likelihood|estimate|search)$",
    re.I,
)


def _weight(component: Component) -> float:
    weight = sum(_BY_SOURCE[source] for source in component.sources) + log1p(component.mentions)
    weight += 2.0 if _MECHANISM.search(component.name) else 0.0
    return weight - (3.0 if _SUBJECT.search(component.name) else 0.0)


# Plain alternatives by the kind of part; the first kind that a name fits decides, so the particular stand first.
_ALTERNATIVES: Final = tuple(
    (re.compile(pattern, re.I), instead)
    for pattern, instead in (
        (r"\bpre-?train\w*", "random initialisation, without pre-training"),
        (r"\bsampl(?:ing|er)\b|\bselection\b", "uniform random sampling"),
        (r"\bnormali[sz]ation\b", "standard batch normalisation"),
        (r"\bsimilarity\b|\bdistance\b", "plain Euclidean distance"),
        (r"\binitiali[sz]ation\b", "random initialisation"),
        (r"\bschedul\w+|\bcurriculum\b", "a constant value throughout training"),
    )
)


def _proposal(component: Component) -> Proposal:
    shown = ", ".join(sorted(component.sources))
    why = f"it is shown as a part of the method ({shown}) and named {component.mentions} times"
    for kind, instead in _ALTERNATIVES:
        if kind.search(component.name):
            return Proposal(component, Action.REPLACE, (instead,), why)
    return Proposal(component, Action.REMOVE, (), why)


def _reply(found: Sequence[Proposal], analysis: Analysis, task: Task) -> str:
    discussion = "\n\n".join(_discussion(found, analysis, task))
    metrics = _metrics(analysis)
    predictions = "\n".join(_line(proposal, metrics) for proposal in found)
    return f"<discussion>\n{discussion}\n</discussion>\n\n<predictions>\n{predictions}\n</predictions>\n"


def _discussion(found: Sequence[Proposal], analysis: Analysis, task: Task) -> Iterator[str]:
    yield (
        "This plan was written by the built-in extractive planner, which asks no model: it reads the names of parts,"
        " reported ablations and metrics off the paper's own text, and understands none of them."
    )
    yield f"The text names {_counted(analysis.components)} that may be parts of the method."
    if task is Task.REVIEWER:
        said = "; ".join(dict.fromkeys(r.part for r in analysis.reported_ablations[:12])) or "none that was recognised"
        yield f"Ablations that the paper seems to report already: {said}."
    for number, proposal in enumerate(found, start=1):
        yield f"{number}. {proposal.component.label}: {proposal.why}."


def _counted(found: Sequence[Component]) -> str:
    return "1 thing" if len(found) == 1 else f"{len(found)} things"


def _metrics(analysis: Analysis) -> list[str]:
    return [metric.name for metric in analysis.metrics[:_MOST_METRICS]] or ["the paper's main metric"]


def _line(proposal: Proposal, metrics: list[str]) -> str:
    verb = "Remove" if proposal.action is Action.REMOVE else "Replace"
    fields = {
        "name": f"{verb} {proposal.component.label}",
        "ablated_part": proposal.component.label,
        "action": proposal.action.value,
        "replacement": list(proposal.replacement),
        "metrics": metrics,
    }
    return json.dumps(fields, ensure_ascii=False)
