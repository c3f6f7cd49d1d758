"""Find the headings among a paper's lines, by the PDF's outline or by their type and numbering."""

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
    NumberSequence,
    OutlineItem,
    PrintedHeading,
    extract_section_number,
    find_lines_under_headings,
    find_printed_headings,
    is_set_apart,
    read_type_style,
)
from planner.papers.pdf.paragraphs import Vocabulary, has_line_end_hyphen, join_lines

_MAX_LENGTH: Final = 160
# Standard titles: headings wherever they stand alone. Outlines often leave them out.
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
    lines: Sequence[Line], outline: Sequence[OutlineItem], body_style: BodyStyle, vocabulary: Vocabulary
) -> tuple[list[PrintedHeading], list[OutlineItem]]:
    """Return the headings in reading order, and the outline's items that were not found."""
    listed, missing = find_printed_headings(outline, lines, vocabulary)
    if len(listed) >= 3:
        headings = _add_unlisted_headings(lines, listed, body_style, vocabulary)
    else:
        headings = _find_headings_by_type(lines, body_style, vocabulary)
    headings = sorted(headings, key=attrgetter("first_line"))
    headings = _lower_lettered_headings(_remove_lines_of_references(lines, headings))
    if not any(classify_heading(heading.text) is SectionKind.REFERENCES for heading in headings):
        headings = sorted(headings + _find_unheaded_references(lines), key=attrgetter("first_line"))
    return headings, missing


def _find_unheaded_references(lines: Sequence[Line]) -> list[PrintedHeading]:
    """Return a heading of no lines before a numbered list of references without a heading, as is common in physics."""
    entries = [(index, int(m[1])) for index, line in enumerate(lines) if (m := _REFERENCE_ENTRY.match(line.text))]
    first = next((place for place in reversed(range(len(entries))) if entries[place][1] == 1), len(entries))
    numbers = [number for _, number in entries[first : first + _MIN_ENTRIES]]
    if numbers != list(range(1, _MIN_ENTRIES + 1)) or not _has_dense_years(lines[entries[first][0] :]):
        return []
    return [PrintedHeading(entries[first][0], 0, "References", 1)]


def _remove_lines_of_references(lines: Sequence[Line], headings: list[PrintedHeading]) -> list[PrintedHeading]:
    """Return the headings without lines of the references that look like headings, such as "PMID: 3423"."""
    kept: list[PrintedHeading] = []
    is_after_references = False
    for heading, start, end in find_lines_under_headings(headings, len(lines)):
        kind = classify_heading(heading.text)
        has_name = kind in BACK_MATTER or extract_section_number(heading.text)
        if not is_after_references or has_name or not _has_dense_years(lines[start:end]):
            kept.append(heading)
            is_after_references = kind is SectionKind.REFERENCES or (is_after_references and start == end)
    return kept


def _has_dense_years(lines: Sequence[Line]) -> bool:
    """Return whether the lines name years as often as references do."""
    return 0 < len(lines) <= _LINES_PER_YEAR * sum(bool(_YEAR.search(line.text)) for line in lines)


def _lower_lettered_headings(headings: list[PrintedHeading]) -> list[PrintedHeading]:
    """Return the headings, with lettered ones on level 2 if the sections have Roman numbers."""
    if not has_roman_numbers(heading.text for heading in headings):
        return headings
    back_matter = (at for at, heading in enumerate(headings) if classify_heading(heading.text) in BACK_MATTER)
    body_end = next(back_matter, len(headings))
    body = [
        replace(heading, level=2) if has_letter_number(heading.text) else heading for heading in headings[:body_end]
    ]
    return body + headings[body_end:]


def _is_heading_candidate(line: Line, body_size: float) -> bool:
    text = line.bare_text
    if line.is_rotated or not text[:1].isalnum() or len(text) > _MAX_LENGTH or not re.search(r"[^\W\d_]{3}", text):
        return False
    if _SENTENCE_END.search(text):
        return False
    if text.isupper():  # small capitals are mostly smaller than running text
        return line.size > 0.75 * body_size
    is_emphasized = line.bold or (line.italic and bool(_NUMBERED_TITLE.match(text)))
    return line.size > 1.07 * body_size or (is_emphasized and line.size > 0.88 * body_size)


def _add_unlisted_headings(
    lines: Sequence[Line], listed: Sequence[PrintedHeading], body_style: BodyStyle, vocabulary: Vocabulary
) -> list[PrintedHeading]:
    """Return the outline's headings and those that it lacks: standard titles, and all headings after the references."""
    headings = [*listed, *_find_unlisted_headings(lines, listed, body_style)]
    last = max(headings, key=attrgetter("first_line"))
    rest = range(last.line_indices.stop, len(lines))
    is_last = classify_heading(last.text) is SectionKind.REFERENCES
    if not is_last or not any(
        _is_heading_candidate(lines[at], body_style.font_size) and is_set_apart(lines, at) for at in rest
    ):
        return headings
    by_type = _find_headings_by_type(lines, body_style, vocabulary)
    return headings + [heading for heading in by_type if heading.first_line >= last.line_indices.stop]


def _find_unlisted_headings(
    lines: Sequence[Line], listed: Sequence[PrintedHeading], body_style: BodyStyle
) -> list[PrintedHeading]:
    """Return the headings with a standard title that the outline leaves out, such as abstract and references."""
    styles = {read_type_style(lines[heading.first_line]) for heading in listed if heading.level == 1}
    listed_lines = {index for heading in listed for index in heading.line_indices}
    body_start = min((heading.first_line for heading in listed if _is_of_body(heading)), default=len(lines))
    unlisted: list[PrintedHeading] = []
    for index, line in enumerate(lines):
        if index in listed_lines or line.is_rotated or not _is_short_title(line) or not _is_alone_in_row(lines, index):
            continue
        is_like_heading = read_type_style(line) in styles or (
            not extract_section_number(line.bare_text)
            and (_is_heading_candidate(line, body_style.font_size) or _is_title_case(line))
        )
        if is_like_heading and _is_standard_heading(lines, index, index > body_start, body_style):
            unlisted.append(PrintedHeading(index, 1, line.bare_text, 1))
    return unlisted


def _is_standard_heading(lines: Sequence[Line], index: int, is_in_body: bool, body_style: BodyStyle) -> bool:
    """Return whether a line is a heading by its standard title and place; in the body there is no abstract."""
    if not _has_standard_title(lines[index]) or not _is_over_text(lines, index, body_style):
        return False
    return not is_in_body or classify_heading(lines[index].bare_text) is not SectionKind.ABSTRACT


def _is_of_body(heading: PrintedHeading) -> bool:
    return bool(extract_section_number(heading.text)) or classify_heading(heading.text) is SectionKind.INTRODUCTION


def _is_over_text(lines: Sequence[Line], index: int, body_style: BodyStyle) -> bool:
    """Return whether a line stands over text as a heading does, rather than in a stack of labels in a figure."""
    line = lines[index]
    if body_style.has_large_type(line):
        return True
    if body_style.has_small_type(line) and not line.text.isupper() and not line.bold:
        return False
    for before, below in pairwise(lines[index : index + MAX_HEADING_LINES + 1]):
        if below.page != before.page or below.y >= before.y:
            return True
        if find_label_kind(below):
            return False
        if not _is_heading_candidate(below, body_style.font_size):
            return len(below.text) >= _MIN_TEXT_LENGTH
    return True


def _has_standard_title(line: Line) -> bool:
    title = strip_number_and_punctuation(line.bare_text).casefold().rstrip(":. ")
    return bool(_STANDARD_TITLE.fullmatch(title)) or classify_heading(title) is SectionKind.REFERENCES


def _is_title_case(line: Line) -> bool:
    return line.bare_text[:1].isupper() and line.bare_text[-1:].isalpha()


def _is_short_title(line: Line) -> bool:
    return len(line.cells) <= 2 and len(strip_number_and_punctuation(line.bare_text).split()) <= 5


def _is_alone_in_row(lines: Sequence[Line], index: int) -> bool:
    """Return whether no other line shares the row."""
    line = lines[index]
    neighbours = (lines[other] for other in (index - 1, index + 1) if 0 <= other < len(lines))
    return not any(
        other.page == line.page and abs(other.y - line.y) < 2 and not other.is_rotated for other in neighbours
    )


def _find_headings_by_type(
    lines: Sequence[Line], body_style: BodyStyle, vocabulary: Vocabulary
) -> list[PrintedHeading]:
    """Return the headings found by type: numbered in sequence, with a standard title, or set just like these."""
    candidates = [at for at, line in enumerate(lines) if _is_heading_candidate(line, body_style.font_size)]
    sure = _select_sure_headings(lines, candidates, body_style, vocabulary)
    if not sure:
        return []
    top_styles = _find_top_styles(lines, sure, body_style)
    taken = {at for heading in sure for at in heading.line_indices}
    others = _find_set_off_lines(lines, [at for at in candidates if at > sure[0].first_line], taken, body_style)
    tops = [at for at in others if read_type_style(lines[at]) in top_styles]
    headings = sure + [
        _build_heading(lines, at, 2 if _is_under_heading(lines, at, {*taken, *tops}) else 1, body_style, vocabulary)
        for at in tops
    ]
    if any(extract_section_number(h.text) and classify_heading(h.text) is not SectionKind.APPENDIX for h in sure):
        return headings
    lower = [at for at in others if at not in tops and _is_above_text(lines, at, body_style)]
    styles = Counter(read_type_style(lines[at]) for at in lower)
    return headings + [
        _build_heading(lines, at, 2, body_style, vocabulary) for at in lower if styles[read_type_style(lines[at])] >= 2
    ]


def _find_set_off_lines(
    lines: Sequence[Line], candidates: Iterable[int], taken: Set[int], body_style: BodyStyle
) -> list[int]:
    """Return the candidates that stand apart, or close under a heading; `taken` holds the lines of headings."""
    found: list[int] = []
    end = 0
    for at in candidates:
        is_set_off = is_set_apart(lines, at) or at - 1 in taken or at == end
        if at >= end and at not in taken and is_set_off and _is_alone_title(lines, at):
            found.append(at)
            end = at + _count_heading_lines(lines, at, body_style)
    return found


def _is_under_heading(lines: Sequence[Line], index: int, heading_lines: Set[int]) -> bool:
    return index - 1 in heading_lines and not is_set_apart(lines, index)


def _is_above_text(lines: Sequence[Line], index: int, body_style: BodyStyle) -> bool:
    """Return whether running text starts right under a line; under a label of a figure or table it does not."""
    end = index + _count_heading_lines(lines, index, body_style)
    if end >= len(lines):
        return False
    line, line_below = lines[end - 1], lines[end]
    size = body_style.font_size
    is_near = line_below.page != line.page or 0 < line.y - line_below.y < 4 * size
    return is_near and len(line_below.cells) == 1 and len(line_below.text) > 30 and abs(line_below.size - size) < 0.5


def _select_sure_headings(
    lines: Sequence[Line], candidates: Sequence[int], body_style: BodyStyle, vocabulary: Vocabulary
) -> list[PrintedHeading]:
    """Return the candidates with the next section number or a standard title."""
    sequence = NumberSequence(lines, candidates)
    is_in_body = False
    headings: list[PrintedHeading] = []
    for at in candidates:
        if headings and at < headings[-1].line_indices.stop:
            continue
        number = sequence.read_number(at)
        if sequence.accept_number(at, number) or _is_standard_heading(lines, at, is_in_body, body_style):
            kind = classify_heading(lines[at].bare_text)
        elif sequence.is_past_references and _is_title_of_supplement(lines, at, headings):
            kind = SectionKind.APPENDIX
        else:
            continue
        headings.append(_build_heading(lines, at, max(1, len(number)), body_style, vocabulary))
        is_in_body = is_in_body or _is_of_body(headings[-1])
        sequence.note_kind(kind)
    return headings


def _is_title_of_supplement(lines: Sequence[Line], index: int, headings: Sequence[PrintedHeading]) -> bool:
    """Return whether a line after the references names a supplement, or is larger than all headings."""
    line = lines[index]
    is_larger = all(line.size > lines[heading.first_line].size + 0.5 for heading in headings)
    is_named = classify_heading(line.bare_text) is SectionKind.APPENDIX
    return (is_named or is_larger) and is_set_apart(lines, index) and _is_alone_title(lines, index)


def _build_heading(
    lines: Sequence[Line], index: int, level: int, body_style: BodyStyle, vocabulary: Vocabulary
) -> PrintedHeading:
    count = _count_heading_lines(lines, index, body_style)
    text = join_lines([line.bare_text for line in lines[index : index + count]], vocabulary)
    return PrintedHeading(index, count, text, level)


def _is_alone_title(lines: Sequence[Line], index: int) -> bool:
    """Return whether a line without a number stands alone in its row, as a heading does."""
    line = lines[index]
    has_words = line.bare_text[:1].isalpha() and not has_line_end_hyphen(line.text) and find_label_kind(line) is None
    return has_words and len(line.cells) == 1 and _is_alone_in_row(lines, index)


def _find_top_styles(
    lines: Sequence[Line], headings: Sequence[PrintedHeading], body_style: BodyStyle
) -> set[HeadingStyle]:
    """Return the styles of top-level headings that no line of running text can have."""
    styles = Counter(read_type_style(lines[heading.first_line]) for heading in headings if heading.level == 1)
    distinct = {style for style in styles if style.size > 1.07 * body_style.font_size or style.all_capitals}
    return {style for style in distinct if styles[style] >= 2}


def _count_heading_lines(lines: Sequence[Line], index: int, body_style: BodyStyle) -> int:
    """Return the number of a heading's lines: the further ones follow close below in its style, without a number.

    A short line is a heading of its own: the words of the next line would have fitted into it.
    """
    count = 1
    while count < MAX_HEADING_LINES and index + count < len(lines):
        before, line = lines[index + count - 1], lines[index + count]
        is_close = line.page == before.page and 0 < before.y - line.y < 1.5 * before.size
        is_same_style = read_type_style(line) == read_type_style(lines[index])
        is_short = before.x1 - before.x0 < _MIN_BROKEN_SHARE * body_style.line_width
        if not is_close or not is_same_style or is_short or extract_section_number(line.bare_text):
            break
        count += 1
    return count
