"""Find the headings among the lines of a paper, by the PDF's outline or by type and section numbers."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter
from typing import Final

from planner.papers.headings import classify_heading, has_letter_number, has_roman_numbers, strip_number_and_punctuation
from planner.papers.paper import SectionKind
from planner.papers.pdf.floats import find_label_kind
from planner.papers.pdf.lines import BodyStyle, Line
from planner.papers.pdf.outline import (
    BACK_MATTER,
    MAX_HEADING_LINES,
    HeadingStyle,
    PrintedHeading,
    SectionNumberSequence,
    extract_section_number,
    find_line_range_under_each_heading,
    has_space_above,
    read_heading_style,
)
from planner.papers.pdf.paragraphs import Vocabulary, has_line_end_hyphen, join_lines

_MAX_LENGTH: Final = 160
# Standard titles are headings wherever they stand alone. Outlines often leave them out.
_STANDARD_TITLE: Final = re.compile(
    r"abstract|introduction|conclusions?|references?|bibliography|works cited|literature cited"
    r"|acknowledge?ments?|appendi(?:x|ces)|limitations?|(?:[\w-]+ )?(?:paper )?checklist"
    r"|(?:ethics?|reproducibility|broader impact|impact) statement|supplement(?:ary|al) materials?"
)
_NUMBERED_TITLE: Final = re.compile(r"(?:Appendix\s+)?(?:\d+(?:\.\d+)*[.)]?|[A-Z](?:\.\d+)+[.)]?|[A-Z][.)])\s+[A-Z]")
_REFERENCE_ENTRY: Final = re.compile(r"(?:\[(?=\d+\])|\((?=\d+\))|(?=\d+[.]))(\d{1,3})[\]).]\s")
_MIN_ENTRIES: Final = 5
_MIN_TEXT_LENGTH: Final = 30  # characters; labels are shorter
_MIN_BROKEN_SHARE: Final = 0.45  # of a full line; a heading does not go on below a shorter line
_YEAR: Final = re.compile(r"\b(?:19|20)\d\d[a-z]?\b")
_LINES_PER_YEAR: Final = 4
_SENTENCE_END: Final = re.compile(r"[a-z]{2}[.;,]$")


def find_headings(
    lines: Sequence[Line], outline_headings: Sequence[PrintedHeading], body_style: BodyStyle, vocabulary: Vocabulary
) -> list[PrintedHeading]:
    """Return all headings in reading order; `outline_headings` are those that the PDF's outline lists."""
    finder = _HeadingFinder(lines, body_style, vocabulary)
    is_listed = len(outline_headings) >= 3
    headings = finder.add_unlisted_headings(outline_headings) if is_listed else finder.find_headings_by_type()
    headings.sort(key=attrgetter("line_indices.start"))
    headings = _lower_lettered_headings(_remove_lines_of_references(lines, headings))
    if not any(classify_heading(heading.text) is SectionKind.REFERENCES for heading in headings):
        headings = sorted(headings + _find_unheaded_references(lines), key=attrgetter("line_indices.start"))
    return headings


class _HeadingFinder:
    """A finder of headings among the lines of a paper, by type, section numbers and standard titles."""

    def __init__(self, lines: Sequence[Line], body_style: BodyStyle, vocabulary: Vocabulary) -> None:
        self._lines, self._body_style, self._vocabulary = lines, body_style, vocabulary

    def add_unlisted_headings(self, listed: Sequence[PrintedHeading]) -> list[PrintedHeading]:
        """Return the headings that the PDF's outline lists, and headings that the outline leaves out.

        An outline may leave out headings with a standard title, such as "References", and headings after the
        references.
        """
        headings = [*listed, *self._find_unlisted_headings(listed)]
        last = max(headings, key=attrgetter("line_indices.start"))
        end = last.line_indices.stop
        if classify_heading(last.text) is not SectionKind.REFERENCES or not any(
            self._is_candidate(self._lines[at]) and has_space_above(self._lines, at)
            for at in range(end, len(self._lines))
        ):
            return headings
        return headings + [heading for heading in self.find_headings_by_type() if heading.line_indices.start >= end]

    def _find_unlisted_headings(self, listed: Sequence[PrintedHeading]) -> list[PrintedHeading]:
        """Return the headings with a standard title, such as "References", that the PDF's outline leaves out."""
        lines = self._lines
        styles = {read_heading_style(lines[heading.line_indices.start]) for heading in listed if heading.level == 1}
        listed_lines = {index for heading in listed for index in heading.line_indices}
        body_start = min((heading.line_indices.start for heading in listed if _is_of_body(heading)), default=len(lines))
        unlisted: list[PrintedHeading] = []
        for at, line in enumerate(lines):
            if at in listed_lines or line.is_rotated or not _is_short_title(line) or not _is_alone_in_row(lines, at):
                continue
            is_like_heading = read_heading_style(line) in styles or (
                not extract_section_number(line.bare_text) and (self._is_candidate(line) or _is_title_case(line))
            )
            if is_like_heading and self._is_standard_heading(at, at > body_start):
                unlisted.append(PrintedHeading(range(at, at + 1), line.bare_text, 1))
        return unlisted

    def find_headings_by_type(self) -> list[PrintedHeading]:
        """Return the headings that are found without the PDF's outline.

        A line is a heading if it has the next section number, a standard title, or the style of such headings. In a
        paper without section numbers, lines in another style are subheadings if at least two lines have this style.
        """
        lines = self._lines
        candidates = [at for at, line in enumerate(lines) if self._is_candidate(line)]
        sure = self._select_sure_headings(candidates)
        if not sure:
            return []
        top_styles = self._find_top_styles(sure)
        taken = {at for heading in sure for at in heading.line_indices}
        others = self._find_set_off_lines([at for at in candidates if at > sure[0].line_indices.start], taken)
        tops = [at for at in others if read_heading_style(lines[at]) in top_styles]
        above = taken.union(tops)
        headings = sure + [
            self._build_heading(at, 1 if has_space_above(lines, at) or at - 1 not in above else 2) for at in tops
        ]
        if any(extract_section_number(h.text) and classify_heading(h.text) is not SectionKind.APPENDIX for h in sure):
            return headings
        lower = [at for at in others if at not in tops and self._is_above_text(at)]
        styles = Counter(read_heading_style(lines[at]) for at in lower)
        return headings + [self._build_heading(at, 2) for at in lower if styles[read_heading_style(lines[at])] >= 2]

    def _select_sure_headings(self, candidates: Sequence[int]) -> list[PrintedHeading]:
        """Return the headings among the candidates that continue the section numbers or have a standard title."""
        sequence = SectionNumberSequence(self._lines, candidates)
        is_in_body = False
        headings: list[PrintedHeading] = []
        for at in candidates:
            if headings and at < headings[-1].line_indices.stop:
                continue
            number = sequence.read_number(at)
            is_next = sequence.is_next_heading(at, number)
            if is_next or self._is_standard_heading(at, is_in_body):
                kind = classify_heading(self._lines[at].bare_text)
            elif sequence.is_past_references and self._is_title_of_supplement(at, headings):
                kind = SectionKind.APPENDIX
            else:
                continue
            headings.append(self._build_heading(at, max(1, len(number))))
            is_in_body = is_in_body or _is_of_body(headings[-1])
            sequence.record_heading(at, number if is_next else (), kind)
        return headings

    def _find_set_off_lines(self, candidates: Iterable[int], taken: Set[int]) -> list[int]:
        """Return the candidates that have space or a heading right above them; lines in `taken` are left out."""
        found: list[int] = []
        end = 0
        for at in candidates:
            is_set_off = has_space_above(self._lines, at) or at - 1 in taken or at == end
            if at >= end and at not in taken and is_set_off and _is_alone_title(self._lines, at):
                found.append(at)
                end = at + self._count_heading_lines(at)
        return found

    def _find_top_styles(self, headings: Sequence[PrintedHeading]) -> set[HeadingStyle]:
        """Return the styles of first-level headings that differ from running text in size or in capitals."""
        styles = Counter(read_heading_style(self._lines[h.line_indices.start]) for h in headings if h.level == 1)
        distinct = {style for style in styles if style.size > 1.07 * self._body_style.font_size or style.all_capitals}
        return {style for style in distinct if styles[style] >= 2}

    def _is_candidate(self, line: Line) -> bool:
        text, body_size = line.bare_text, self._body_style.font_size
        if line.is_rotated or not text[:1].isalnum() or len(text) > _MAX_LENGTH or not re.search(r"[^\W\d_]{3}", text):
            return False
        if _SENTENCE_END.search(text):
            return False
        if text.isupper():  # small capitals are mostly smaller than running text
            return line.size > 0.75 * body_size
        is_emphasized = line.bold or (line.italic and bool(_NUMBERED_TITLE.match(text)))
        return line.size > 1.07 * body_size or (is_emphasized and line.size > 0.88 * body_size)

    def _is_standard_heading(self, index: int, is_in_body: bool) -> bool:
        """Return whether a line is a heading with a standard title; "Abstract" counts only before the body."""
        if not _has_standard_title(self._lines[index]) or not self._is_over_text(index):
            return False
        return not is_in_body or classify_heading(self._lines[index].bare_text) is not SectionKind.ABSTRACT

    def _is_over_text(self, index: int) -> bool:
        """Return whether text follows below a line, as below a heading; no text follows the words in a figure."""
        line = self._lines[index]
        if self._body_style.has_large_type(line):
            return True
        if self._body_style.has_small_type(line) and not line.text.isupper() and not line.bold:
            return False
        for before, below in pairwise(self._lines[index : index + MAX_HEADING_LINES + 1]):
            if below.page != before.page or below.y >= before.y:
                return True
            if find_label_kind(below):
                return False
            if not self._is_candidate(below):
                return len(below.text) >= _MIN_TEXT_LENGTH
        return True

    def _is_above_text(self, index: int) -> bool:
        """Return whether running text begins right below the heading at `index`."""
        end = index + self._count_heading_lines(index)
        if end >= len(self._lines):
            return False
        line, below = self._lines[end - 1], self._lines[end]
        size = self._body_style.font_size
        is_near = below.page != line.page or 0 < line.y - below.y < 4 * size
        return is_near and len(below.cells) == 1 and len(below.text) > 30 and abs(below.size - size) < 0.5

    def _is_title_of_supplement(self, index: int, headings: Sequence[PrintedHeading]) -> bool:
        """Return whether a line is the title of a supplement: it names one, or has larger type than all `headings`."""
        line = self._lines[index]
        is_larger = all(line.size > self._lines[heading.line_indices.start].size + 0.5 for heading in headings)
        is_named = classify_heading(line.bare_text) is SectionKind.APPENDIX
        return (is_named or is_larger) and has_space_above(self._lines, index) and _is_alone_title(self._lines, index)

    def _build_heading(self, index: int, level: int) -> PrintedHeading:
        indices = range(index, index + self._count_heading_lines(index))
        text = join_lines([self._lines[at].bare_text for at in indices], self._vocabulary)
        return PrintedHeading(indices, text, level)

    def _count_heading_lines(self, index: int) -> int:
        """Return the number of lines in the heading that begins at `index`.

        A further line is close below, has the same style and no section number. A short line ends the heading.
        """
        count = 1
        while count < MAX_HEADING_LINES and index + count < len(self._lines):
            before, line = self._lines[index + count - 1], self._lines[index + count]
            is_close = line.page == before.page and 0 < before.y - line.y < 1.5 * before.size
            is_same_style = read_heading_style(line) == read_heading_style(self._lines[index])
            is_short = before.x1 - before.x0 < _MIN_BROKEN_SHARE * self._body_style.line_width
            if not is_close or not is_same_style or is_short or extract_section_number(line.bare_text):
                break
            count += 1
        return count


def _find_unheaded_references(lines: Sequence[Line]) -> list[PrintedHeading]:
    """Return one heading, "References", for a numbered list of references, or [] if there is no such list.

    Papers in physics often print the list without a heading, so the returned heading has no line on the page.
    """
    entries = [(index, int(m[1])) for index, line in enumerate(lines) if (m := _REFERENCE_ENTRY.match(line.text))]
    first = next((place for place in reversed(range(len(entries))) if entries[place][1] == 1), len(entries))
    numbers = [number for _, number in entries[first : first + _MIN_ENTRIES]]
    if numbers != list(range(1, _MIN_ENTRIES + 1)) or not _has_dense_years(lines[entries[first][0] :]):
        return []
    start = entries[first][0]
    return [PrintedHeading(range(start, start), "References", 1)]


def _remove_lines_of_references(lines: Sequence[Line], headings: list[PrintedHeading]) -> list[PrintedHeading]:
    """Return the headings without those that are really lines in the list of references, such as "PMID: 3423"."""
    kept: list[PrintedHeading] = []
    is_after_references = False
    for heading, below in zip(headings, find_line_range_under_each_heading(headings, len(lines)), strict=True):
        kind = classify_heading(heading.text)
        has_name = kind in BACK_MATTER or extract_section_number(heading.text)
        if not is_after_references or has_name or not _has_dense_years(lines[below.start : below.stop]):
            kept.append(heading)
            is_after_references = kind is SectionKind.REFERENCES or (is_after_references and below.start == below.stop)
    return kept


def _has_dense_years(lines: Sequence[Line]) -> bool:
    """Return whether at least one line in four has a year, as in a list of references."""
    return 0 < len(lines) <= _LINES_PER_YEAR * sum(bool(_YEAR.search(line.text)) for line in lines)


def _lower_lettered_headings(headings: list[PrintedHeading]) -> list[PrintedHeading]:
    """Return the headings; if the sections have Roman numbers, subheadings such as "B. Data" get level 2."""
    if not has_roman_numbers(heading.text for heading in headings):
        return headings
    back_matter = (at for at, heading in enumerate(headings) if classify_heading(heading.text) in BACK_MATTER)
    body_end = next(back_matter, len(headings))
    body = [
        replace(heading, level=2) if has_letter_number(heading.text) else heading for heading in headings[:body_end]
    ]
    return body + headings[body_end:]


def _is_of_body(heading: PrintedHeading) -> bool:
    return bool(extract_section_number(heading.text)) or classify_heading(heading.text) is SectionKind.INTRODUCTION


def _has_standard_title(line: Line) -> bool:
    title = strip_number_and_punctuation(line.bare_text).casefold().rstrip(":. ")
    return bool(_STANDARD_TITLE.fullmatch(title)) or classify_heading(title) is SectionKind.REFERENCES


def _is_title_case(line: Line) -> bool:
    return line.bare_text[:1].isupper() and line.bare_text[-1:].isalpha()


def _is_short_title(line: Line) -> bool:
    return len(line.cells) <= 2 and len(strip_number_and_punctuation(line.bare_text).split()) <= 5


def _is_alone_in_row(lines: Sequence[Line], index: int) -> bool:
    line = lines[index]
    neighbours = (lines[other] for other in (index - 1, index + 1) if 0 <= other < len(lines))
    return not any(
        other.page == line.page and abs(other.y - line.y) < 2 and not other.is_rotated for other in neighbours
    )


def _is_alone_title(lines: Sequence[Line], index: int) -> bool:
    """Return whether a line begins with a letter and is alone in its row, like a heading without a number."""
    line = lines[index]
    has_words = line.bare_text[:1].isalpha() and not has_line_end_hyphen(line.text) and find_label_kind(line) is None
    return has_words and len(line.cells) == 1 and _is_alone_in_row(lines, index)
