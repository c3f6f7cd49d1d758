"""Check a plan against the text of its paper: its quotes, parts, metrics and replacements."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import chain, pairwise
from typing import Final

from planner.analysis.metric_fields import has_metric, is_implied, is_reportable_by_any_paper
from planner.analysis.parts import is_same_part, is_telling, list_part_stems, list_stems_to_find
from planner.analysis.passages import IndexedSection, PaperIndex
from planner.analysis.quotes import QuoteSearch
from planner.analysis.repeats import RepeatSearch, merge_reported
from planner.analysis.replacements import find_own_settings, find_vague_items, says_metric
from planner.details import ALREADY_REPORTED, SAME_PART, Details, Evidence, PlanDetails, QuoteMatch, ReportedStudy
from planner.matching import collect_stems, extract_stems, is_value, list_beginnings
from planner.papers.headings import classify_heading
from planner.papers.leaks import split_sentences
from planner.papers.paper import SectionKind
from planner.parsing.reply import Reply
from planner.schema import Ablation, Plan, Task

_MIN_PASSAGE_SHARE: Final = 0.6  # share of a part's words that one passage must hold
_MIN_SAME_PART: Final = 0.8  # least overlap of the parts of two ablations of one plan that are the same
_STEM_CHARS: Final = 7  # letters of a stem that are compared: "confidence" and "confident" have the same
_BEGINNING_CHARS: Final = 6  # letters of a stem that tell if a paper has such a word at all
_PREFIXES: Final = frozenset({"pre", "hyp", "re", "co", "non", "multi", "sub", "self", "cros"})
_FEW_WORDS: Final = 3  # words of a part's name that must all stand in one passage
_GAP: Final = r"[^\W_]{0,20}[\W_]{1,6}(?:[^\W_]{1,20}[\W_]{1,6})?"  # from one word to the next, or the one after that
_BRACKETS: Final = re.compile(r"\([^()]*\)")
_MAX_SHOWN_QUOTE: Final = 160  # characters of a quote in a finding


class FindingKind(StrEnum):
    """The fault that the program finds in an ablation."""

    QUOTE_ABSENT = "quote absent"
    PART_NOT_FOUND = "part not found"
    METRIC_NOT_FOUND = "metric not in the paper"
    ALREADY_REPORTED = "already reported"
    OWN_SETTING = "replacement equals what the paper does"
    SAME_PART = "two ablations of one part"
    NOTHING_TO_RUN = "nothing to run"


# The faults that are told of a plan without details.
_PLAIN_KINDS: Final = frozenset(
    {FindingKind.PART_NOT_FOUND, FindingKind.METRIC_NOT_FOUND, FindingKind.ALREADY_REPORTED}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that the program finds in an ablation, given by its number in the plan, from 1, and its name."""

    number: int
    name: str
    kind: FindingKind
    text: str

    @property
    def warning(self) -> str:
        """The finding as a sentence that names its ablation."""
        return f"ablation {self.number} ({self.name!r}): {self.text}"


@dataclass(frozen=True, slots=True)
class PlanCheck:
    """The details of a plan with their quotes located, and all faults that were found."""

    details: PlanDetails = field(default_factory=PlanDetails)
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The findings, one sentence each; without details only those about parts, metrics and reported ablations."""
        has_details = any(each != Details() for each in self.details.details)
        return tuple(each.warning for each in self.findings if has_details or each.kind in _PLAIN_KINDS)


class _SectionText:
    """The text of a section, also in lower case."""

    def __init__(self, section: IndexedSection) -> None:
        self.section = section
        self.heading = section.heading.lower()
        self._stems: dict[int, frozenset[str]] = {}

    @cached_property
    def passages(self) -> list[str]:
        """The passages in lower case."""
        return [passage.lower() for passage in self.section.passages]

    def collect_stems(self, number: int) -> frozenset[str]:
        """Return the shortened stems of the heading and of a passage, given by its index."""
        if number not in self._stems:
            text = f"{self.section.heading} {self.section.passages[number]}"
            self._stems[number] = frozenset(stem[:_STEM_CHARS] for stem in collect_stems(text))
        return self._stems[number]


class PassageSearch:
    """A search for words in the passages of a paper; only those that may hold the words are split, which takes long."""

    def __init__(self, sections: Sequence[IndexedSection]) -> None:
        self._sections = list(map(_SectionText, sections))

    @cached_property
    def _lowered(self) -> str:
        """The headings and passages in lower case."""
        related = [each for each in self._sections if each not in self._own_sections]
        others = (each.heading for each in self._sections), *(each.passages for each in related)
        return "\n".join((self.lowered_own_text, *chain.from_iterable(others)))

    @cached_property
    def _own_sections(self) -> list[_SectionText]:
        """The sections without related work, where metrics of other papers stand."""
        related = SectionKind.RELATED_WORK
        return [each for each in self._sections if classify_heading(each.section.heading) is not related]

    @cached_property
    def own_text(self) -> str:
        """The text without related work."""
        return "\n".join(chain.from_iterable(each.section.passages for each in self._own_sections))

    @cached_property
    def lowered_own_text(self) -> str:
        """The text without related work in lower case."""
        return self.own_text.lower()

    def find_together(self, stems: Iterable[str], share: float) -> bool:
        """Return whether a passage and the heading above it hold at least this share of the stems."""
        wanted = frozenset(stem[:_STEM_CHARS] for stem in stems)
        beginnings = list_beginnings(wanted)
        count = share * len(wanted)
        if sum(each in self._lowered for each in beginnings) < count:
            return False
        return any(
            sum(each in passage or each in section.heading for each in beginnings) >= count
            and len(wanted & section.collect_stems(number)) >= count
            for section in self._sections
            for number, passage in enumerate(section.passages)
        )

    def has_word(self, stem: str) -> bool:
        """Return whether a word of the paper begins like this stem."""
        start = re.escape(stem[:_BEGINNING_CHARS])
        return bool(re.search(rf"{start}(?<![^\W_]{start})", self._lowered))  # quicker than to look behind first

    def has_neighbours(self, stem: str, other: str) -> bool:
        """Return whether two words stand beside each other in the paper, or with one word between them."""
        a, b = (re.escape(each[:_STEM_CHARS]) for each in list_beginnings((stem, other)))
        pairs = (rf"{first}(?<![^\W_]{first}){_GAP}{second}" for first, second in ((a, b), (b, a)))
        return any(re.search(pair, self._lowered) for pair in pairs)

    def find_sentences(self, words: str) -> Iterator[tuple[str, str]]:
        """Yield the sentences with these words that were sent, and the heading above each.

        A value is not looked for beside ablations, where other values stand.
        """
        beginnings, skips_ablations = list_beginnings(extract_stems(words)), is_value(words)
        for each in self._sections:
            skipped = each.section.ablation_passages if skips_ablations else ()
            for number, passage in enumerate(each.passages) if each.section.is_sent else ():
                if number not in skipped and all(start in passage for start in beginnings):
                    sentences = split_sentences(each.section.passages[number])
                    yield from ((sentence, each.section.heading) for sentence in sentences)


def check_reply(reply: Reply, index: PaperIndex) -> PlanCheck:
    """Return the faults of the plan in a reply, and all its details with their quotes located.

    In the reviewer task, the studies that the paper reports are those that the reply or the program finds.
    """
    reported = merge_reported(reply.reported, index) if index.task is Task.REVIEWER else ()
    check = check_plan(reply.plan, reply.details, index, reported)
    considered = zip(reply.considered, _locate_quotes([each.details for each in reply.considered], index), strict=True)
    candidates = tuple(candidate.model_copy(update={"details": details}) for candidate, details in considered)
    return replace(check, details=replace(check.details, considered=candidates, reported=reported))


def check_plan(
    plan: Plan, details: Sequence[Details], index: PaperIndex, reported: Sequence[ReportedStudy] = ()
) -> PlanCheck:
    """Return the faults of a plan, and its details with their quotes located; no fault makes a plan invalid.

    `details` is empty, or as long as the plan. `reported` are the studies that the model found in the paper, as
    `merge_reported` returns them. Only words are compared, so findings are hints.
    """
    located = tuple(_locate_quotes(details, index))
    checker = _AblationChecker(index, reported)
    findings = [
        Finding(number, ablation.name, kind, text)
        for number, ablation in enumerate(plan.ablations, start=1)
        for kind, text in (
            *checker.find_faults(ablation),
            *(_find_absent_quote(located[number - 1].evidence) if located else ()),
            *_find_same_part(ablation, plan.ablations[: number - 1]),
        )
    ]
    return PlanCheck(PlanDetails(located), tuple(findings))


def _locate_quotes(details: Sequence[Details], index: PaperIndex) -> Iterator[Details]:
    search = QuoteSearch(index.sections) if any(each.evidence for each in details) else None
    for each in details:
        evidence = search.find_evidence(each.evidence.quote) if search and each.evidence else None
        yield each.model_copy(update={"evidence": evidence})


def _find_absent_quote(evidence: Evidence | None) -> Iterator[tuple[FindingKind, str]]:
    if evidence and evidence.found is QuoteMatch.ABSENT:
        quote = evidence.quote if len(evidence.quote) <= _MAX_SHOWN_QUOTE else f"{evidence.quote[:_MAX_SHOWN_QUOTE]}…"
        yield FindingKind.QUOTE_ABSENT, f"the quote {quote!r} is not in the text that was sent"


def _find_same_part(ablation: Ablation, earlier: Sequence[Ablation]) -> Iterator[tuple[FindingKind, str]]:
    for other in earlier:
        if _have_same_part(ablation, other):
            yield FindingKind.SAME_PART, f"{SAME_PART} {other.name!r}"
            return


def _have_same_part(a: Ablation, b: Ablation) -> bool:
    """Return whether two ablations concern one part, and none of them another question about it, such as its weight."""
    return _is_sweep(a) is _is_sweep(b) and is_same_part(a.ablated_part, b.ablated_part, _MIN_SAME_PART)


def _is_sweep(ablation: Ablation) -> bool:
    items = [item for item in ablation.replacement if not item.casefold().startswith("removed")]
    return bool(items) and all(map(is_value, items))


class _AblationChecker:
    """The checks of one ablation against a paper."""

    def __init__(self, index: PaperIndex, studies: Sequence[ReportedStudy]) -> None:
        self._index = index
        self._repeats = RepeatSearch(index, studies)
        self._search = PassageSearch(index.sections)

    def find_faults(self, ablation: Ablation) -> Iterator[tuple[FindingKind, str]]:
        """Yield the kind and the words of each fault in an ablation."""
        for metric in ablation.metrics:
            if not self._has_metric(metric):
                yield FindingKind.METRIC_NOT_FOUND, f"the metric {metric!r} does not occur in the paper"
        part = ablation.ablated_part
        if not self._has_part(part):
            yield FindingKind.PART_NOT_FOUND, f"the ablated part {part!r} is not found in the paper"
        if repeated := self._repeats.find_repeated(ablation):
            reported_part, heading = repeated
            where = f" under {heading!r}" if heading else ""
            text = f"{ALREADY_REPORTED} {reported_part!r} already{where}"
            yield FindingKind.ALREADY_REPORTED, text
        for item in find_own_settings(ablation, self._search.find_sentences):
            yield FindingKind.OWN_SETTING, f"the replacement {item!r} is what the paper does already"
        for item in find_vague_items(ablation):
            yield FindingKind.NOTHING_TO_RUN, f"the replacement {item!r} names nothing that could be run"
        if not any(map(says_metric, ablation.metrics)):
            yield FindingKind.NOTHING_TO_RUN, "its metrics name nothing that could be measured"

    def _has_part(self, part: str) -> bool:
        """Return whether a paper has a part, by its words.

        At most one before its explanations may be foreign, and if any is, a passage must hold most words of a name of
        the part, or all of a name of few words. Otherwise it is enough that two that follow each other in the part do
        so in the paper.
        """
        stems, first = list_part_stems(part)
        telling = set(filter(is_telling, stems))
        foreign = {stem for stem in telling if not self._search.has_word(stem)}
        if len(foreign.intersection(first)) > 1:
            return False
        pairs = (pair for pair in pairwise(stems) if not _PREFIXES & {*pair})
        if not telling or (not foreign and any(self._search.has_neighbours(*pair) for pair in pairs)):
            return True
        return any(
            self._search.find_together(each, 1.0 if len(each) <= _FEW_WORDS else _MIN_PASSAGE_SHARE)
            for each in list_stems_to_find(part)
        )

    def _has_metric(self, metric: str) -> bool:
        """Return whether the paper names a metric; in the author task its field may imply it, as no result was sent."""
        if is_reportable_by_any_paper(metric) or not says_metric(metric):
            return True
        is_named = has_metric(metric, self._search.own_text, self._search.lowered_own_text)
        if is_named is None:
            stems = extract_stems(_BRACKETS.sub(" ", metric)) or extract_stems(metric)
            missing = sum(not self._search.find_together([stem], 1.0) for stem in stems)
            is_named = missing <= (0 if len(stems) <= _FEW_WORDS else (1 - _MIN_PASSAGE_SHARE) * len(stems))
            if is_named and len(stems) >= _FEW_WORDS:
                is_named = any(self._search.has_neighbours(*pair) for pair in pairwise(stems))
        if is_named or self._index.task is Task.REVIEWER:
            return is_named
        return is_implied(metric, " ".join(self._index.sections[0].passages), self._search.own_text)
