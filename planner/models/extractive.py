"""The built-in planner: it makes a plan from the paper's own text, without a language model.

The planner looks for components of the method that the paper does not ablate yet. It proposes to remove each of them,
or to replace it by something simple. The planner is a baseline, and its plans say so.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log1p
from typing import Final

from planner.analysis.analyse import Analysis, analyse_sections
from planner.analysis.components import Component, EvidenceKind, is_specific_mechanism
from planner.analysis.metrics import is_unambiguous_metric_name
from planner.analysis.passages import split_sections_into_passages, split_text_into_sections
from planner.analysis.repeats import RepeatSearch
from planner.chat import Completion, ModelInfo, Prompt
from planner.details import Effort, EffortKind
from planner.errors import ModelError
from planner.matching import compute_stem_overlap
from planner.papers.characters import is_english
from planner.papers.leaks import split_sentences
from planner.papers.paper import Block, BlockKind, Excerpt, Section, SectionKind
from planner.schema import Ablation, Action

BUILTIN_INFO: Final = ModelInfo(planner="extractive-planner", name="builtin", asked="extractive")
NOTHING_FOUND: Final = "the built-in planner found no component of a method to ablate"
NOT_ENGLISH: Final = (
    "the built-in planner reads English only, and this text seems to be in another language, so it made no plan;"
    " choose a language model instead"
)
UNKNOWN_METRIC: Final = "the paper's main metric"
_MAX_METRICS: Final = 3
_COVERED_OVERLAP: Final = 0.6  # least overlap of a component with a reported ablation that covers it
_MIN_MENTIONS: Final = 3  # mentions of a mechanism that only its acronym names
_MIN_TITLE_MENTIONS: Final = 8  # mentions of a heading that may name a part
_SAME_OVERLAP: Final = 0.5  # least overlap of two components that count as the same, so only the first is proposed

_MIN_QUOTE_WORDS: Final = 6
_MAX_QUOTE_WORDS: Final = 60

_EVIDENCE_SCORES: Final = {
    EvidenceKind.HEADING: 2.0,
    EvidenceKind.ACRONYM: 1.0,
    EvidenceKind.PROPOSED: 1.5,
    EvidenceKind.RUN_IN: 1.5,
    EvidenceKind.BOLD: 1.5,
    EvidenceKind.REPEATED: 1.0,
    EvidenceKind.SYMBOL: 3.5,
}
_BACKGROUND: Final = re.compile(
    r"\b(?:cross-?entropy|BCE|MSE|softmax|classification loss|loss function|baseline|problems?|tasks?|setup|"
    r"benchmarks?|\w\W?th|analysis|proof|complexity|evaluation|assumptions?|derivation|guarantees?|convergence|definitions?)\b",
    re.I,
)
_TITLES: Final = frozenset({EvidenceKind.HEADING, EvidenceKind.RUN_IN, EvidenceKind.BOLD})
# Simple alternatives by kind of component; {0} is a word of its name. The first pattern that matches decides, so the
# more specific ones come first.
_ALTERNATIVES: Final = tuple(
    (re.compile(pattern, re.I), alternatives)
    for pattern, alternatives in (
        (r"\bloss\b|\bpenalty\b|\bregulari[sz]", ()),
        (r"\bpre-?train\w*", ("random initialisation, without pre-training",)),
        (r"\bsampl(?:ing|er)\b|\bselection\b", ("none: uniform random sampling",)),
        (r"\bgat(?:e|es|ed|ing)\b", ("no gate: element-wise addition", "a fixed gate of 0.5")),
        (r"\battention\b", ("no attention: uniform weights (mean pooling)",)),
        (r"\bfusion\b|\baggregat", ("no fusion module: plain concatenation", "element-wise addition")),
        (r"\bmulti-?(scale|resolution|head|kernel|view|channel|level)\b", ("no multi-{0} design: a single {0}",)),
        (r"\bmultiple (\w+)", ("no combination: a single {0}",)),
        (r"\bnumber of\b", ("1 (a single one)", "half of the number used", "twice the number used")),
        (r"\b(?:\w+-\w+|\w+) encoder$", ("none: a conventional Transformer encoder", "a plain auto-encoder")),
        (r"\bnormali[sz]ation\b", ("no normalisation", "batch normalisation", "layer normalisation")),
        (r"\binitiali[sz]ation\b", ("random initialisation",)),
        (r"\bschedul\w+|\bcurriculum\b", ("none: a constant value throughout training",)),
        (r"\b(?:dynamic|adaptive|learn(?:ed|able))\b", ("no adaptation: a fixed constant",)),
    )
)
_SYMBOL_VALUES: Final = ("0 (switched off)", "half of the value used", "twice the value used")
_WEIGHT_VALUES: Final = (*_SYMBOL_VALUES, "1e-5", "1e-4", "1e-3", "0.01", "0.1", "1", "10")
_SHARE_VALUES: Final = (*_SYMBOL_VALUES, "0.1", "0.3", "0.5", "0.7", "0.9")
_SHARE: Final = re.compile(r"\b(?:threshold|ratio|margin|temperature)\b", re.I)


@dataclass(frozen=True, slots=True)
class _Proposal:
    """An ablation that the built-in planner proposes; it removes the component if `replacement` is empty.

    `evidence` is a sentence of the paper that names the component. It is "" if there is no such sentence, and None if
    the plan has no details.
    """

    component: Component
    replacement: tuple[str, ...]
    evidence: str | None = None

    @property
    def ablation(self) -> Ablation:
        """The proposed ablation; its list of metrics is empty."""
        verb, action = ("Replace", Action.REPLACE) if self.replacement else ("Remove", Action.REMOVE)
        return Ablation.model_construct(
            name=f"{verb} {self.component.label}",
            ablated_part=self.component.label,
            action=action,
            replacement=self.replacement,
            metrics=(),
        )

    @property
    def reason(self) -> str:
        """The reason for the proposal: where and how often the text names the component."""
        shown = ", ".join(sorted(self.component.evidence_kinds))
        times = "once" if self.component.mention_count <= 1 else f"{self.component.mention_count} times"
        return f"the text shows it as a part of the method ({shown}) and names it {times}"

    @property
    def effort(self) -> Effort:
        """The effort: IMPLEMENT for new code, otherwise RETRAIN, with one training run for each replacement."""
        is_new = self.replacement and EvidenceKind.SYMBOL not in self.component.evidence_kinds
        kind = EffortKind.IMPLEMENT if is_new else EffortKind.RETRAIN
        return Effort(kind=kind, runs=max(1, len(self.replacement)))


@dataclass(frozen=True, slots=True)
class ExtractiveModel:
    """A model that answers with the built-in planner's plan for `excerpt`, and ignores the text of the prompt.

    A plan has at most `k` ablations, none of which `repeat_search` finds in the paper. If `with_details` is true, each
    ablation has a reason, a quote that names the component, and an effort, but no chance. The model cannot revise a
    plan.
    """

    excerpt: Excerpt
    k: int
    with_details: bool = False
    repeat_search: RepeatSearch | None = None
    info: ModelInfo = BUILTIN_INFO

    async def complete(self, prompt: Prompt) -> Completion:
        """Return a plan; if there is nothing to propose, return an empty text and a note with the reason.

        Raises:
            ModelError: if the prompt asks to revise a plan.
        """
        if prompt.step:
            raise ModelError("the built-in planner cannot revise its plan")
        if not is_english(self.excerpt.text):
            return Completion("", model=BUILTIN_INFO.asked, notes=(NOT_ENGLISH,))
        abstract = Section("Abstract", 1, SectionKind.ABSTRACT, (Block(BlockKind.PROSE, self.excerpt.abstract),))
        sections = (abstract, *split_text_into_sections(self.excerpt.text))
        analysis = analyse_sections(sections, self.excerpt.title)
        proposals = _propose_ablations(analysis, self.excerpt.title, self.k, self.repeat_search)
        if self.with_details:
            proposals = tuple(replace(each, evidence=_find_sentence(each.component, sections)) for each in proposals)
        if not proposals:
            return Completion("", model=BUILTIN_INFO.asked, notes=(_explain_no_plan(analysis, self.excerpt.title),))
        text = _format_reply(proposals, analysis)
        return Completion(text, finish_reason="stop", model=BUILTIN_INFO.asked)


def _propose_ablations(
    analysis: Analysis, title: str, k: int, repeat_search: RepeatSearch | None = None
) -> tuple[_Proposal, ...]:
    """Return at most `k` proposals, the best first, without those that `repeat_search` finds."""
    candidates = [c for c in analysis.components if not c.is_subject_of_title(title) and not _is_covered(c, analysis)]
    components = list(filter(_is_method_part, candidates)) or list(filter(_may_be_part, candidates))
    chosen: list[_Proposal] = []
    for component in sorted(components, key=lambda c: (-_score_component(c), c.location.paper_offset)):
        if len(chosen) == k:
            break
        proposal = _Proposal(component, _find_alternatives(component))
        overlaps = (compute_stem_overlap(component.name, other.component.name) for other in chosen)
        if max(overlaps, default=0.0) < _SAME_OVERLAP and not (
            repeat_search and repeat_search.find_repeated_study(proposal.ablation)
        ):
            chosen.append(proposal)
    return tuple(chosen)


def _explain_no_plan(analysis: Analysis, title: str) -> str:
    """Return a sentence that says why nothing is proposed, with the number of components for each reason."""
    reasons = Counter(_explain_omission(component, analysis, title) for component in analysis.components)
    told = ", ".join(f"{why} ({count})" for why, count in reasons.items())
    named = f"the components that the text names are {told}" if told else "the text names no component"
    return f"{NOTHING_FOUND}: {named}; choose a language model instead"


def _explain_omission(component: Component, analysis: Analysis, title: str) -> str:
    if component.is_subject_of_title(title):
        return "in the title"
    if _is_method_part(component) or _may_be_part(component) or _is_covered(component, analysis):
        return "in a reported ablation"
    return "not clearly parts of the method"


def _is_covered(component: Component, analysis: Analysis) -> bool:
    """Return whether the paper already seems to report an ablation of the component."""
    return any(
        compute_stem_overlap(component.label, reported.part) >= _COVERED_OVERLAP
        or component.acronym in reported.part.split()
        for reported in analysis.reported_ablations
    )


def _is_method_part(component: Component) -> bool:
    """Return whether the text shows that a component is a part of the method.

    Parts are mechanisms such as a gate, values that can be varied, and proposals of the paper that have an acronym.
    Tasks, baselines and the like are not parts.
    """
    if EvidenceKind.SYMBOL in component.evidence_kinds:
        return True
    if _BACKGROUND.search(component.name):
        return False
    if is_specific_mechanism(component.name):
        return bool(component.evidence_kinds - {EvidenceKind.ACRONYM}) or component.mention_count >= _MIN_MENTIONS
    return (
        bool(component.acronym)
        and EvidenceKind.PROPOSED in component.evidence_kinds
        and bool(component.evidence_kinds & _TITLES)
    )


def _may_be_part(component: Component) -> bool:
    """Return whether a heading and many sentences name a component, so that it may be a part of the method."""
    is_title = EvidenceKind.HEADING in component.evidence_kinds and component.mention_count >= _MIN_TITLE_MENTIONS
    return is_title and not _BACKGROUND.search(component.name) and not is_unambiguous_metric_name(component.name)


def _score_component(component: Component) -> float:
    score = sum(_EVIDENCE_SCORES[evidence] for evidence in component.evidence_kinds) + log1p(component.mention_count)
    return score + (2.0 if is_specific_mechanism(component.name) else 0.0)


def _find_alternatives(component: Component) -> tuple[str, ...]:
    if EvidenceKind.SYMBOL in component.evidence_kinds:
        return _SHARE_VALUES if _SHARE.search(component.name) else _WEIGHT_VALUES
    for pattern, alternatives in _ALTERNATIVES:
        if match := pattern.search(component.name):
            return tuple(item.format(*map(str.lower, match.groups())) for item in alternatives)
    return ()


def _find_sentence(component: Component, sections: Sequence[Section]) -> str:
    """Return the first sentence that names a component and has a suitable length for a quote, "" if there is none."""
    names = {name.casefold() for name in (component.name, component.acronym) if name}
    passages = (passage for passage in split_sections_into_passages(sections) if passage.block_kind is BlockKind.PROSE)
    sentences = (sentence.removeprefix("- ") for passage in passages for sentence in split_sentences(passage.text))
    quotes = (each for each in sentences if _MIN_QUOTE_WORDS <= len(each.split()) <= _MAX_QUOTE_WORDS)
    return next((quote for quote in quotes if any(name in quote.casefold() for name in names)), "")


def _format_reply(proposals: Sequence[_Proposal], analysis: Analysis) -> str:
    metrics = [metric.name for metric in analysis.metrics[:_MAX_METRICS]]
    # The paper's own words must not open or close a tag of the reply format.
    discussion = "\n\n".join(_write_discussion(proposals, analysis, metrics)).replace("<", "‹")
    lines = (_format_proposal(proposal, metrics or [UNKNOWN_METRIC]) for proposal in proposals)
    predictions = "\n".join(line.replace("<", "\\u003c") for line in lines)
    return f"<discussion>\n{discussion}\n</discussion>\n\n<predictions>\n{predictions}\n</predictions>\n"


def _write_discussion(proposals: Sequence[_Proposal], analysis: Analysis, metrics: Sequence[str]) -> Iterator[str]:
    yield (
        "This plan was written by the built-in extractive planner, which asks no model: it finds the names of parts,"
        " reported ablations and metrics in the paper's text, but understands none of them."
    )
    yield f"Names in the text that may be parts of the method: {len(analysis.components)}."
    for number, proposal in enumerate(proposals, start=1):
        yield f"{number}. {proposal.component.label}: {proposal.reason}."
    none = f"none was recognised, so each study is measured by {UNKNOWN_METRIC}; write its name instead"
    yield f"Metrics that the text names: {', '.join(metrics) or none}."


def _format_proposal(proposal: _Proposal, metrics: Sequence[str]) -> str:
    fields = proposal.ablation.model_dump(mode="json") | {"metrics": list(metrics)}
    if proposal.evidence is not None:
        fields |= {"reason": proposal.reason, "evidence": proposal.evidence, "effort": str(proposal.effort)}
    return json.dumps(fields, ensure_ascii=False)
