"""Split a paper into passages, each with its heading and its place in the text; index and search the passages."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Final, NamedTuple

from pydantic import NonNegativeInt

from planner.matching import (
    extract_number_set,
    extract_stem_set,
    extract_stems,
    is_mostly_number,
    shorten_stems_to_word_beginnings,
)
from planner.papers.headings import classify_heading
from planner.papers.leaks import split_sentences
from planner.papers.paper import Block, BlockKind, Section, SectionKind
from planner.schema import Action, Task

_STEM_CHARS: Final = 7  # letters of a stem that are compared; they are the same in "confidence" and "confident"
_BEGINNING_CHARS: Final = 6  # letters of a stem that tell if a paper has such a word at all
_GAP: Final = r"[^\W_]{0,20}[\W_]{1,6}(?:[^\W_]{1,20}[\W_]{1,6})?"  # from one word to the next or the next but one
# Captions, which may stand in any section, and sentences on what was measured.
_OWN_RESULTS: Final = re.compile(
    r"^(?:figure|fig\.|table)\s\d|\\caption\b|\bwe (?:evaluate|measure|report|plot)\b", re.I | re.M
)
_BRACKETS: Final = re.compile(r"[(\[][^()\[\]]*[)\]]")
_CHARS_BEFORE: Final = 300  # characters that belong to a quote before it
_CHARS_AFTER: Final = 400
_GAP_CHARS: Final = 2  # characters between two blocks and between two sections in `Paper.text`
_MARKED_HEADING: Final = re.compile(r"(#{1,6})\s+\S|\\((?:sub){0,2})(?:section|paragraph)\*?\s*\{")
_NUMBERED_HEADING: Final = re.compile(r"(?:\d{1,2}|[A-Z])((?:\.\d{1,2})*)\.?\s+[A-Z][^.!?;=]*\.?$")
_MAX_HEADING_CHARS: Final = 110
_MAX_SKIPPED_CHARS: Final = 60  # characters of articles and markup that may stand before the words found
_SILENT_MARKUP: Final = re.compile(
    r"\\(?:label|\w*cite\w*|\w*ref|footnote|thanks)\*?(?:\[[^\[\]]*\])*\{[^{}]*\}"
    r"|^#{1,6}\s+|\s#+$|</?[a-zA-Z][^<>]{0,120}>"
    r"|\\(?:bfseries|itshape|scshape|em|bf|it|small|noindent|centering)\b\s*|\\[a-zA-Z]+\*?\s*(?=\{)"
)
_MARKUP_CHARACTERS: Final = re.compile(r"[{}*`$]|\\(?=[&%#_ ])|(?<!\w)_|_(?!\w)")
EXPERIMENT_SECTIONS: Final = frozenset({SectionKind.EXPERIMENTS, SectionKind.ABLATION, SectionKind.APPENDIX})
_KINDS_BEFORE_METHOD: Final = frozenset({SectionKind.ABSTRACT, SectionKind.INTRODUCTION, SectionKind.RELATED_WORK})
_METHOD_KINDS: Final = frozenset({SectionKind.METHOD, SectionKind.OTHER})
_KINDS_AFTER_METHOD: Final = frozenset({SectionKind.EXPERIMENTS, SectionKind.ABLATION, SectionKind.CONCLUSION})


@dataclass(frozen=True, slots=True)
class TextLocation:
    """Words found in a paper, the heading above them, and the offset in `Paper.text` at which they start."""

    text: str
    heading: str
    paper_offset: int


@dataclass(frozen=True, slots=True)
class ReportedAblation:
    """An ablation that the paper seems to report; `replacement` is "" if the text names none."""

    part: str
    action: Action
    replacement: str
    location: TextLocation


class Passage(NamedTuple):  # made for each block, in half the time of a dataclass
    """A block of a paper and the heading above it. The block starts `paper_offset` characters into the paper's text.

    `level` is the level of the heading. `is_in_method` is true if the section describes the method.
    """

    heading: str
    section_kind: SectionKind
    level: int
    is_in_method: bool
    block_kind: BlockKind
    text: str
    paper_offset: int

    @property
    def one_line_text(self) -> str:
        """The text on one line: line breaks and tabs are blanks, so offsets stay the same."""
        return _join_lines(self.text)

    def locate_text(self, text: str, start: int) -> TextLocation:
        """Return the place of `text` in this passage, at offset `start` or, if an article comes first, soon after."""
        near = _join_lines(self.text[start : start + len(text) + _MAX_SKIPPED_CHARS])
        return TextLocation(text, self.heading, self.paper_offset + start + max(0, near.find(text)))


def split_sections_into_passages(sections: Sequence[Section]) -> tuple[Passage, ...]:
    """Return every block of the sections as a passage, in order, with its offset in `Paper.text`."""
    methods = _find_method_sections(sections)
    passages, offset = list[Passage](), 0
    for number, section in enumerate(sections):
        for block in section.blocks:
            place = section.heading, section.kind, section.level, number in methods
            passages.append(Passage(*place, block.kind, block.text, offset))
            offset += len(block.text) + _GAP_CHARS
        offset += 0 if section.blocks else _GAP_CHARS
    return tuple(passages)


def split_text_into_sections(text: str) -> tuple[Section, ...]:
    """Split a text, such as an excerpt, at its headings, which are numbered or marked by Markdown or LaTeX.

    The texts of the sections, joined by blank lines, give the text again.
    """
    sections: list[Section] = []
    open_kinds: list[tuple[int, SectionKind]] = []
    heading, level, kind, blocks = "", 0, SectionKind.OTHER, list[Block]()
    for paragraph in text.split("\n\n"):
        depth = _find_heading_level(paragraph)
        if depth:
            if blocks:
                sections.append(Section(heading, level, kind, tuple(blocks)))
            open_kinds = [(d, k) for d, k in open_kinds if d < depth]
            heading, level, blocks = paragraph.strip(), depth, []
            kind = classify_heading(strip_markup(heading), open_kinds[-1][1] if open_kinds else None)
            open_kinds.append((depth, kind))
        blocks.append(Block(BlockKind.HEADING if depth else BlockKind.PROSE, paragraph))
    return (*sections, Section(heading, level, kind, tuple(blocks)))


def strip_markup(text: str) -> str:
    """Remove Markdown, LaTeX and HTML markup from words."""
    text = _SILENT_MARKUP.sub("", text.strip().replace("<br>", " "))
    return re.sub(r"\s+", " ", _MARKUP_CHARACTERS.sub("", text).replace("~", " ")).strip()


def _join_lines(text: str) -> str:
    return text.replace("\n", " ").replace("\r", " ").replace("\t", " ")


def _find_heading_level(paragraph: str) -> int:
    line = paragraph.strip()
    if not line or "\n" in line or len(line) > _MAX_HEADING_CHARS:
        return 0
    if marked := _MARKED_HEADING.match(line):
        return len(marked[1]) if marked[1] else 1 + len(marked[2] or "") // 3
    if numbered := _NUMBERED_HEADING.match(line):
        return 1 + numbered[1].count(".")
    return 0


def _find_method_sections(sections: Sequence[Section]) -> frozenset[int]:
    """Return the indices of the sections that describe the method: method sections, and some of unknown kind.

    A section of unknown kind counts if it has a heading and stands between the introduction and the experiments.
    """
    kinds = [section.kind for section in sections]
    first = next((n for n, kind in enumerate(kinds) if kind in _KINDS_BEFORE_METHOD), -1)
    last = next((n for n, kind in enumerate(kinds) if n > first and kind in _KINDS_AFTER_METHOD), len(kinds))
    between = {n for n in range(first + 1, last) if kinds[n] in _METHOD_KINDS and sections[n].heading}
    return frozenset(between | {n for n, kind in enumerate(kinds) if kind is SectionKind.METHOD})


@dataclass(frozen=True)
class IndexedSection:
    """The passages under a heading; either all or none of them were sent to the model.

    Tables and figures come last in `passages`. `pages` has the page on which each passage starts, if the paper has
    pages. `ablation_passage_indices` are those of the passages that report ablations; the author task has none.
    `passage_lengths` (in characters) and `float_indices` (those of tables and figures) follow the order in which the
    passages were sent. Both are empty if the section was not sent.
    """

    heading: str
    passages: tuple[str, ...]
    is_sent: bool = True
    pages: tuple[int | None, ...] = ()
    ablation_passage_indices: tuple[int, ...] = ()
    is_experiment: bool = False
    passage_lengths: tuple[NonNegativeInt, ...] = ()
    float_indices: tuple[int, ...] = ()

    @property
    def has_valid_pages_and_indices(self) -> bool:
        """True if `pages` is empty or has one item per passage, and all `ablation_passage_indices` are valid."""
        count = len(self.passages or self.passage_lengths)
        return len(self.pages) in {0, count} and all(0 <= number < count for number in self.ablation_passage_indices)

    @cached_property
    def lowered_passages(self) -> tuple[str, ...]:
        """The passages in lower case."""
        return tuple(map(str.lower, self.passages))

    @cached_property
    def numbers_by_passage(self) -> tuple[frozenset[float], ...]:
        """The numbers in each passage."""
        return tuple(map(extract_number_set, self.passages))


@dataclass(frozen=True, slots=True)
class PaperIndex:
    """The text of a paper by sections, and the ablations that the paper reports.

    `reported_ablations` is empty for the author task, which does not need them. After `omit_excerpt`, `excerpt_start`
    is the offset in the prompt at which the excerpt begins.
    """

    task: Task
    sections: tuple[IndexedSection, ...]
    reported_ablations: tuple[ReportedAblation, ...] = ()
    excerpt_start: NonNegativeInt = 0

    def omit_excerpt(self, excerpt_start: int) -> "PaperIndex":
        """Return a copy without the passages of the excerpt; `excerpt_start` is the excerpt's offset in its prompt."""
        sections = tuple(replace(each, passages=()) if each.passage_lengths else each for each in self.sections)
        return replace(self, sections=sections, excerpt_start=excerpt_start)

    def restore_excerpt(self, prompt_text: str) -> "PaperIndex":
        """Return a copy with the passages that `omit_excerpt` left out; they are read from the text of the prompt."""
        sections, start = [], self.excerpt_start
        for section in self.sections:
            passages = []
            for length in section.passage_lengths:
                passages.append(prompt_text[start : start + length])
                start += length + _GAP_CHARS
            sections.append(section if section.passages or not passages else _fill_section(section, passages))
        return PaperIndex(self.task, tuple(sections), self.reported_ablations)


def _fill_section(section: IndexedSection, passages: list[str]) -> IndexedSection:
    """Return a section with these passages from an excerpt. Tables and figures are moved to the end."""
    if section.float_indices:
        floats = frozenset(section.float_indices)
        passages = [passages[number] for number in sorted(range(len(passages)), key=floats.__contains__)]
    return replace(section, passages=tuple(passages))


@dataclass(frozen=True)
class _HeadedPassage:
    """A passage and the heading above it."""

    heading: str
    text: str

    @cached_property
    def lowered(self) -> str:
        """The heading and the passage in lower case."""
        return f"{self.heading}\n{self.text}".lower()

    @cached_property
    def stems(self) -> frozenset[str]:
        """The shortened stems of the heading and the passage."""
        return frozenset(stem[:_STEM_CHARS] for stem in extract_stem_set(f"{self.heading} {self.text}"))


class PassageSearch:
    """A search for words in the passages of a paper. To save time, only passages that may have the words are split."""

    def __init__(self, sections: Sequence[IndexedSection]) -> None:
        self._sections = sections

    @cached_property
    def lowered_text(self) -> str:
        """The passages and headings in lower case."""
        passages = chain.from_iterable(each.lowered_passages for each in self._sections)
        return "\n".join((*passages, *(each.heading.lower() for each in self._sections)))

    @cached_property
    def _passages_on_own_work(self) -> list[_HeadedPassage]:
        """The passages, of related work only those about the paper's own results."""
        return [
            _HeadedPassage(section.heading, passage)
            for section in self._sections
            for is_related in (classify_heading(section.heading) is SectionKind.RELATED_WORK,)
            for passage in section.passages
            if not is_related or _OWN_RESULTS.search(passage)
        ]

    @cached_property
    def text_on_own_work(self) -> str:
        """The paper's text, in which related work keeps only the passages about the paper's own results."""
        return "\n".join(each.text for each in self._passages_on_own_work)

    @cached_property
    def lowered_text_on_own_work(self) -> str:
        """The text `text_on_own_work` in lower case."""
        return self.text_on_own_work.lower()

    @cached_property
    def unhyphenated_text(self) -> str:
        """The text `lowered_text_on_own_work` without hyphens, in which "re-ranking" is "reranking"."""
        return self.lowered_text_on_own_work.replace("-", "")

    def has_stems_in_one_passage(self, stems: Iterable[str], min_share: float) -> bool:
        """Return whether one passage, with the heading above it, has at least this share (0 to 1) of the stems."""
        wanted = frozenset(stem[:_STEM_CHARS] for stem in stems)
        beginnings = shorten_stems_to_word_beginnings(wanted)
        count = min_share * len(wanted)
        if sum(each in self.lowered_text for each in beginnings) < count:
            return False
        return any(
            sum(each in passage.lowered for each in beginnings) >= count and len(wanted & passage.stems) >= count
            for passage in self._passages_on_own_work
        )

    def has_neighbouring_words(self, stem: str, other: str) -> bool:
        """Return whether two words stand beside each other in the paper, or with one word between them."""
        a, b = (re.escape(each[:_STEM_CHARS]) for each in shorten_stems_to_word_beginnings((stem, other)))
        pairs = (rf"{first}(?<![^\W_]{first}){_GAP}{second}" for first, second in ((a, b), (b, a)))
        return any(re.search(pair, self.lowered_text) for pair in pairs)

    def find_text_around_quote(self, quote: str) -> str:
        """Return a quote with the text around it, or "" if no section that was sent has the quote."""
        for text in ("\n".join(each.passages) for each in self._sections if quote and each.is_sent):
            if (at := text.find(quote)) >= 0:
                return text[max(0, at - _CHARS_BEFORE) : at + len(quote) + _CHARS_AFTER]
        return ""

    def find_sentences_with_words(self, words: str) -> Iterator[tuple[str, str]]:
        """Yield (sentence, heading above it) for each sentence that was sent and has these words.

        Words in brackets, and the words of a value such as "8 heads", may stand elsewhere in the sentence's passage.
        For a value, passages about ablations are skipped, since they also name values that were only tried.
        """
        beginnings, numbers = shorten_stems_to_word_beginnings(extract_stems(words)), frozenset[float]()
        wanted = shorten_stems_to_word_beginnings(extract_stems(_BRACKETS.sub(" ", words)))
        if is_mostly_number(words):
            beginnings, numbers = [start for start in beginnings if not start[:1].isdigit()], extract_number_set(words)
            wanted = []
        for each in self._sections:
            skipped = each.ablation_passage_indices if numbers else ()
            for number, passage in enumerate(each.lowered_passages) if each.is_sent else ():
                is_likely = all(start in passage for start in beginnings)
                if number not in skipped and is_likely and (not numbers or numbers <= each.numbers_by_passage[number]):
                    for sentence in split_sentences(each.passages[number]):
                        lowered = sentence.lower()
                        if all(start in lowered for start in wanted):
                            yield sentence, each.heading


def may_have_word_with_stem(stem: str, lowered_text: str) -> bool:
    """Return whether a word in the lower-case text `lowered_text` begins with `stem`, or with its first letters."""
    start = re.escape(shorten_stems_to_word_beginnings((stem,))[0][:_BEGINNING_CHARS])
    return bool(re.search(rf"{start}(?<![^\W_]{start})", lowered_text))  # quicker than to look behind first
