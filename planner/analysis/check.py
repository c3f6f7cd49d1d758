"""Check a plan against the text of its paper: its quotes, parts, metrics and replacements."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from itertools import islice, pairwise
from typing import Final, NamedTuple

from planner.analysis.metrics import is_specific_metric
from planner.analysis.parts import is_part_of_paper, is_same_part, strip_study_words
from planner.analysis.passages import PaperIndex, PassageSearch, ReportedAblation
from planner.analysis.quotes import QuoteSearch
from planner.analysis.repeats import RepeatSearch
from planner.analysis.replacements import find_replacements_in_use, find_vague_replacements
from planner.details import ALREADY_REPORTED, SAME_PART, Details, Evidence, PlanDetails, QuoteMatch, ReportedStudy
from planner.matching import COMMON_STEMS, extract_stem_set, extract_stems, is_mostly_number
from planner.parsing.reply import Reply
from planner.schema import Ablation, Plan, Task

_MIN_PASSAGE_SHARE: Final = 0.6  # share of a metric's words that the paper must have
_MIN_SAME_PART: Final = 0.8  # least overlap in words at which two ablations of a plan have the same part
_FEW_WORDS: Final = 3  # words of a metric that the paper must all have
_BRACKETS: Final = re.compile(r"\([^()]*\)")
_MAX_STUDIES: Final = 200  # studies that are merged from each list
# Words that were mistaken for the name of a part.
_NO_PART: Final = re.compile(r"[a-z]+(?:ly|ing)|about|regardless|first|last|[\w-]+ errors?", re.I)
_MAX_SHOWN_QUOTE: Final = 160  # characters of a quote in a finding
_MIN_MENTIONS: Final = 8  # mentions of a field in the text that make up for none in the abstract
# Names of metrics that are other words in lower case: "feature map", "per class".
_AMBIGUOUS_NAMES: Final = frozenset({"AP", "EM", "EMD", "IS", "MAP", "PER", "mAP"})
# Costs of training or of a run, which any paper can report.
_COST: Final = re.compile(
    r"\b(?:time|runtime|memory|param\w*|[gt]?flops|macs|latency|throughput|speed\w*|fps|converg\w*|loss|variance|deviation|"
    r"norm|size|cost|energy|epochs?|steps)\b",
    re.I,
)


class FindingKind(StrEnum):
    """The kind of a fault that the program finds in an ablation."""

    QUOTE_ABSENT = "quote absent"
    PART_NOT_FOUND = "part not found"
    METRIC_NOT_FOUND = "metric not in the paper"
    ALREADY_REPORTED = "already reported"
    OWN_SETTING = "replacement equals what the paper does"
    SAME_PART = "two ablations of one part"
    NOTHING_TO_RUN = "nothing to run"


# The faults that are reported for a plan without details.
_PLAIN_KINDS: Final = frozenset(
    {FindingKind.PART_NOT_FOUND, FindingKind.METRIC_NOT_FOUND, FindingKind.ALREADY_REPORTED}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault in the ablation with this index in the plan and this name."""

    ablation_index: int
    ablation_name: str
    kind: FindingKind
    text: str

    @property
    def warning(self) -> str:
        """The finding as a sentence that names its ablation."""
        return f"ablation {self.ablation_index + 1} ({self.ablation_name!r}): {self.text}"


@dataclass(frozen=True, slots=True)
class PlanCheck:
    """The details of a plan with their quotes located, and all faults that were found."""

    located_details: PlanDetails = field(default_factory=PlanDetails)
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The findings as sentences. For a plan without details, only the kinds in `_PLAIN_KINDS` are kept."""
        has_details = any(each != Details() for each in self.located_details.details)
        return tuple(each.warning for each in self.findings if has_details or each.kind in _PLAIN_KINDS)


def locate_quotes_and_find_faults(reply: Reply, paper_index: PaperIndex) -> PlanCheck:
    """Return the faults of the plan in a reply, and all its details with their quotes located.

    In the reviewer task, ablations are also compared with the studies that the model or the program found in the paper.
    """
    reported = merge_model_and_program_studies(reply.reported, paper_index) if paper_index.task is Task.REVIEWER else ()
    details = locate_quotes(reply.details, paper_index)
    located = locate_quotes((each.details for each in reply.considered), paper_index)
    candidates = tuple(
        candidate.model_copy(update={"details": details})
        for candidate, details in zip(reply.considered, located, strict=True)
    )
    located_details = PlanDetails(details=details, considered=candidates, reported=reported)
    return PlanCheck(located_details, find_faults(reply.plan, details, paper_index, reported))


def merge_model_and_program_studies(
    model_studies: Sequence[ReportedStudy], paper_index: PaperIndex
) -> tuple[ReportedStudy, ...]:
    """Return the ablations that the model found in a paper, then those that only the program found.

    A quote that is not in the text that was sent becomes "". The `section` of a study is the heading above its quote.
    If the quote was not found, `section` is the heading above the part that the program found, or "".
    """
    search = QuoteSearch(paper_index.sections)
    found = list(paper_index.reported_ablations[:_MAX_STUDIES])
    merged = []
    for study in model_studies[:_MAX_STUDIES]:
        same = [each for each in found if _is_part_of_study(each.part, study)]
        found = [each for each in found if each not in same]
        merged.append(_locate_study(study, same, search))
    named = drop_duplicate_and_vague_ablations(found, [study.name for study in merged])
    return (*merged, *(ReportedStudy(name=each.part, section=each.location.heading, by="program") for each in named))


def _is_part_of_study(part: str, study: ReportedStudy) -> bool:
    """Return whether a study is about this part, by the study's name or its quote."""
    name = strip_study_words(study.name)
    stems = extract_stem_set(name)
    is_quoted = bool(stems) and stems <= extract_stem_set(part) and part.casefold() in study.quote.casefold()
    return is_quoted or is_same_part(name, part)


def drop_duplicate_and_vague_ablations(
    ablations: Sequence[ReportedAblation], longer_names: Sequence[str] = ()
) -> tuple[ReportedAblation, ...]:
    """Return the first ablation of each part, without parts whose names say too little.

    A name says too little if it is a common word, or if the name of another part or one of `longer_names` has all its
    words and more: "fusion" says too little beside "multi-scale fusion".
    """
    distinct: list[ReportedAblation] = []
    for each in ablations[:_MAX_STUDIES]:
        if not any(is_same_part(each.part, other.part) for other in distinct):
            distinct.append(each)
    own = [extract_stem_set(each.part) for each in distinct]
    words = [*own, *map(extract_stem_set, longer_names)]
    return tuple(
        each
        for each, stems in zip(distinct, own, strict=True)
        if not (_NO_PART.fullmatch(each.part) or (len(stems) < 2 and stems <= COMMON_STEMS))
        if not any(stems < other for other in words)
    )


def _locate_study(study: ReportedStudy, same: Sequence[ReportedAblation], search: QuoteSearch) -> ReportedStudy:
    evidence = search.locate_quote(study.quote)
    is_found = evidence.found is not QuoteMatch.ABSENT
    heading = next((each.location.heading for each in same), "")
    return ReportedStudy(
        name=study.name,
        quote=study.quote if is_found else "",
        section=evidence.section if is_found else heading,
        by="both" if same else "model",
    )


def find_faults(
    plan: Plan,
    located_details: Sequence[Details],
    paper_index: PaperIndex,
    reported_studies: Sequence[ReportedStudy] = (),
) -> tuple[Finding, ...]:
    """Return the faults of a plan.

    `located_details` is empty or has one item per ablation, as `locate_quotes` returns them. `reported_studies` are the
    studies in the paper. Only words are compared, so a fault makes no plan invalid.
    """
    checker = _AblationChecker(paper_index, reported_studies)
    return tuple(
        Finding(number, ablation.name, kind, text)
        for number, ablation in enumerate(plan.ablations)
        for kind, text in (
            *checker.find_faults(ablation, located_details[number].evidence if located_details else None),
            *_find_same_part(ablation, plan.ablations[:number]),
        )
    )


def locate_quotes(details: Iterable[Details], paper_index: PaperIndex) -> tuple[Details, ...]:
    """Return the details, each with the place of its quote in the paper's text, or marked as absent."""
    search = QuoteSearch(paper_index.sections)
    return tuple(
        each.model_copy(update={"evidence": each.evidence and search.locate_quote(each.evidence.quote)})
        for each in details
    )


def _find_same_part(ablation: Ablation, earlier: Sequence[Ablation]) -> Iterator[tuple[FindingKind, str]]:
    if other := next((each for each in earlier if _have_same_part(ablation, each)), None):
        yield FindingKind.SAME_PART, f"{SAME_PART} {other.name!r}"


def _have_same_part(a: Ablation, b: Ablation) -> bool:
    """Return whether two ablations change the same part in the same way: both try values, or neither does."""
    return _is_sweep(a) is _is_sweep(b) and is_same_part(a.ablated_part, b.ablated_part, _MIN_SAME_PART)


def _is_sweep(ablation: Ablation) -> bool:
    items = [item for item in ablation.replacement if not item.casefold().startswith("removed")]
    return bool(items) and all(map(is_mostly_number, items))


class _AblationChecker:
    """The checks of one ablation against a paper."""

    def __init__(self, index: PaperIndex, studies: Sequence[ReportedStudy]) -> None:
        self._index = index
        self._repeats = RepeatSearch(index, studies)
        self._search = PassageSearch(index.sections)

    def find_faults(self, ablation: Ablation, evidence: Evidence | None) -> Iterator[tuple[FindingKind, str]]:
        """Yield each fault in an ablation as its kind and its text."""
        for metric in ablation.metrics:
            if not self._has_metric(metric):
                yield FindingKind.METRIC_NOT_FOUND, f"the metric {metric!r} does not occur in the paper"
        if not is_part_of_paper(ablation.ablated_part, self._search):
            yield FindingKind.PART_NOT_FOUND, f"the ablated part {ablation.ablated_part!r} is not found in the paper"
        if repeated := self._repeats.find_repeated_study(ablation):
            where = f" under {repeated.section!r}" if repeated.section else ""
            yield FindingKind.ALREADY_REPORTED, f"{ALREADY_REPORTED} {repeated.name!r} already{where}"
        is_found = evidence is not None and evidence.found is not QuoteMatch.ABSENT
        quote = evidence.quote if evidence and is_found else ""
        for item in find_replacements_in_use(ablation, quote, self._search):
            yield FindingKind.OWN_SETTING, f"the replacement {item!r} is what the paper does already"
        for item in find_vague_replacements(ablation):
            yield FindingKind.NOTHING_TO_RUN, f"the replacement {item!r} names nothing that could be run"
        if not any(map(is_specific_metric, ablation.metrics)):
            yield FindingKind.NOTHING_TO_RUN, "its metrics name nothing that could be measured"
        if evidence and not is_found:
            shown = (
                evidence.quote if len(evidence.quote) <= _MAX_SHOWN_QUOTE else f"{evidence.quote[:_MAX_SHOWN_QUOTE]}…"
            )
            yield FindingKind.QUOTE_ABSENT, f"the quote {shown!r} is not in the text that was sent"

    def _has_metric(self, metric: str) -> bool:
        """Return whether the paper has a metric. In the author task, a known metric of the paper's field counts too."""
        if _COST.search(metric) or not is_specific_metric(metric):
            return True
        known, text, lowered = _find_known(metric), self._search.text_on_own_work, self._search.lowered_text_on_own_work
        if known:
            is_named = all(each.is_named_in(text, lowered) for each in known)
        else:
            is_named = self._names_metric(extract_stems(_BRACKETS.sub(" ", metric)) or extract_stems(metric))
        if is_named or self._index.task is Task.REVIEWER:
            return is_named
        abstract = " ".join(self._index.sections[0].passages)
        return any(each.has_field_in(abstract, text) for each in known)

    def _names_metric(self, stems: Sequence[str]) -> bool:
        """Return whether the paper seems to name the metric with these stems; a long name may lack a few of them."""
        missing = sum(not self._search.has_stems_in_one_passage([stem], 1.0) for stem in stems)
        if missing > (0 if len(stems) <= _FEW_WORDS else (1 - _MIN_PASSAGE_SHARE) * len(stems)):
            return False
        return len(stems) < _FEW_WORDS or any(self._search.has_neighbouring_words(*pair) for pair in pairwise(stems))


class _KnownMetric(NamedTuple):
    """A metric with all its names, and a pattern for words of its research field."""

    names: tuple[str, ...]
    cue: str

    def is_named_in(self, text: str, lowered: str) -> bool:
        """Return whether a text, given also in lower case, has one of the metric's names."""
        return any(_compile_name(name).search(text if name in _AMBIGUOUS_NAMES else lowered) for name in self.names)

    def has_field_in(self, abstract: str, text: str) -> bool:
        """Return whether a paper belongs to the metric's field, by its abstract and its whole text."""
        pattern = re.compile(rf"\b(?:{self.cue})", re.I)
        mentions = islice(pattern.finditer(text), _MIN_MENTIONS)
        return bool(pattern.search(abstract)) or len(list(mentions)) == _MIN_MENTIONS


@cache
def _read_known_metrics() -> tuple[_KnownMetric, ...]:
    table = tomllib.loads((files("planner") / "analysis" / "metric_fields.toml").read_text(encoding="utf-8"))
    return tuple(
        _KnownMetric(tuple(metric.split(" = ")), field["cue"])
        for field in table["fields"]
        for metric in field["metrics"]
    )


@lru_cache(maxsize=4096)
def _find_known(metric: str) -> tuple[_KnownMetric, ...]:
    """Return the known metrics that the name of a metric mentions."""
    lowered = metric.lower()
    return tuple(known for known in _read_known_metrics() if known.is_named_in(metric, lowered))


@cache
def _compile_name(name: str) -> re.Pattern[str]:
    """Return a pattern for a name, in lower case unless the name is also a common word, such as "MAP".

    Spaces or hyphens may separate its words, and a plural "s" or a number may follow.
    """
    first, *others = map(re.escape, re.split(r"[\s-]+", name if name in _AMBIGUOUS_NAMES else name.lower()))
    start = rf"{first}(?<![^\W\d_]{first})"  # quicker than to look behind first
    separated = r"[\s-]+".join((start, *others))
    return re.compile(rf"{separated}s?(?![A-Za-z])")
