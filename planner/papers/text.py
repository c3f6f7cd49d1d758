"""Read papers in plain text; headings are found by their numbers, names and surrounding blank lines.

Rows of numbers are recognised as tables. So are the tables of reStructuredText and of pandoc
(https://pandoc.org/MANUAL.html#tables).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from planner.papers.characters import normalize_characters_with_warnings
from planner.papers.headings import classify_heading, find_abstract_text, strip_number_and_punctuation
from planner.papers.outline import Heading, HeadingOrBlock, assemble_sections, is_reference_entry
from planner.papers.paper import Block, BlockKind, ParsedPaper, SectionKind
from planner.papers.sources import FileFormat

_BORDER: Final = re.compile(r"\s*\+(?:[:=-]{2,}\+)+\s*")
_DASHES_BY_COLUMN: Final = re.compile(r"\s*[-=]{2,}(?:\s+[-=]{2,})+\s*")
_DASHES: Final = re.compile(r"\s*-{5,}\s*")
_TWO_DASHES: Final = re.compile("[:=-]{2}")
_CELL_END: Final = re.compile(r"\t|\s{2,}|[|&]")
_CELL_SIGNS: Final = ("\t", "  ", "|", "&", "--", "==")  # a table has one of them
_RESULT: Final = re.compile(r"\d[.,]\d|\d\d|\d ?%")
MAX_TABLE_LINES: Final = 500  # lines of one table
_MAX_NUMBER_CHARS: Final = 20
_MIN_ROWS: Final = 2
_MIN_ROW_SHARE: Final = 0.6  # of the lines of a table without dashes
_NUMBERED: Final = re.compile(
    r"^(?:Appendix\s+)?((?:\d{1,2}|[A-Z]|[IVX]{1,5})(?:\.\d{1,2}){0,3})(?:[.):]?\s+|\s*[|]\s*)(?=[^\W\d_])"
)
_USUAL_HEADINGS: Final = frozenset(
    {"method", "methods", "methodology", "approach", "background", "model", "experiments", "results", "evaluation"}
    | {"experimental setup", "experimental results", "results and discussion", "materials and methods", "analysis"}
)
_BARE_LETTER: Final = re.compile(r"[A-Z]\s")  # "A Title" is a title, "A Proofs" a heading of an appendix
_CAPTION: Final = re.compile(r"^(?:\*\*)?(Table|Figure|Fig\.)\s+[A-Z]?\d+[.:|]", re.I)
_SENTENCE_END: Final = re.compile(r"[.,;:!]$")
_UNDERLINE: Final = re.compile(r"^(?:={3,}|-{3,})\s*$")
_ROMAN_VALUES: Final = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "X": 10}
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_MIN_LINE_WORDS: Final = 4  # words in the first line below a heading
_MAX_HEADING_CHARS: Final = 120
_LETTER_OFFSET: Final = 1000  # offset of lettered appendices, so that they follow all numbered sections
_MAX_HEADING_WORDS: Final = 5  # of a numbered heading without a blank line after it


def count_leading_table_lines(lines: Sequence[str]) -> int:
    """Return the number of lines in the table with which `lines` begins; 0 if they begin with no table."""
    head = lines[:MAX_TABLE_LINES]
    if _BORDER.fullmatch(head[0]):
        return next((at for at, line in enumerate(head) if not line.lstrip().startswith(("+", "|"))), len(head))
    if _DASHES.fullmatch(head[0]) or _DASHES_BY_COLUMN.fullmatch(head[0]):
        return _count_lines_to_closing_dashes(lines)
    has_header = len(head[0].split()) > 1 and len(head) > 1 and _DASHES_BY_COLUMN.fullmatch(head[1])
    return next((at for at, line in enumerate(head) if not line.strip()), len(head)) if has_header else 0


def _count_lines_to_closing_dashes(lines: Sequence[str]) -> int:
    """Return the number of lines up to the line of dashes that ends a table; 0 if there is no such line."""
    has_columns = bool(_DASHES_BY_COLUMN.fullmatch(lines[0]))
    for at, line in enumerate(lines[1:MAX_TABLE_LINES], start=1):
        is_columns = bool(_DASHES_BY_COLUMN.fullmatch(line))
        has_columns = has_columns or is_columns
        is_last = at + 1 == len(lines) or not lines[at + 1].strip()
        if is_last and at > 1 and (is_columns or _DASHES.fullmatch(line)):
            return at + 1 if has_columns else 0
    return 0


def is_table(text: str) -> bool:
    """Return whether a paragraph is a table of plain characters."""
    if "\n" not in text or not any(map(text.__contains__, _CELL_SIGNS)):
        return False
    has_dashes, has_bars, has_results = _TWO_DASHES.search(text), "|" in text, len(_RESULT.findall(text)) >= _MIN_ROWS
    if not (has_dashes or has_bars or has_results):
        return False
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith(("```", "~~~"))]
    if len(lines) < _MIN_ROWS:
        return False
    if has_dashes and count_leading_table_lines(lines) == len(lines):
        return True
    if has_bars and all(line.lstrip().startswith("|") for line in lines):
        return True
    rows = sum(map(_is_row_of_numbers, lines)) if has_results else 0
    return rows >= _MIN_ROWS and rows >= _MIN_ROW_SHARE * len(lines)


def _is_row_of_numbers(line: str) -> bool:
    """Return whether a line has several cells, most of them numbers, and is not a formula."""
    if "=" in line or not _RESULT.search(line):
        return False
    cells = [cell.strip() for cell in _CELL_END.split(line.strip(" \t|&\\")) if cell.strip()]
    numbers = [cell for cell in cells if _is_number(cell)]
    return len(cells) > 1 and 2 * len(numbers) >= len(cells) - 1 and any(map(_RESULT.search, numbers))


def _is_number(cell: str) -> bool:
    if len(cell) > _MAX_NUMBER_CHARS or not any(map(str.isdigit, cell)):
        return False
    return sum(map(str.isalpha, cell)) <= 1


def read_plain_text(text: str, file_name: str) -> ParsedPaper:
    """Read a paper from plain text; `file_name` is the name of its file."""
    text, warnings = normalize_characters_with_warnings(text)
    paragraphs = [p.strip("\n") for p in re.split(r"\n[ \t]*\n+", text) if p.strip()]
    title = _find_title(paragraphs)
    sections = assemble_sections(_split_headings(paragraphs))
    return ParsedPaper(title, find_abstract_text(sections), sections, FileFormat.TEXT, file_name, warnings)


def _split_headings(paragraphs: list[str]) -> Iterator[HeadingOrBlock]:
    """Yield the headings and blocks of paragraphs; a paragraph may begin with a heading line."""
    last: tuple[int, ...] = ()
    in_references = False
    for paragraph, following in zip(paragraphs, (*paragraphs[1:], ""), strict=False):
        line, _, rest = paragraph.partition("\n")
        underlined = bool(_UNDERLINE.match(rest.split("\n", 1)[0]))
        level, number = _parse_level(line.strip(), last, rest="" if underlined else rest)
        if not level or (in_references and _is_among_references(line.strip(), rest or following)):
            yield Block(_classify_block(paragraph), paragraph)
            continue
        last = number or last
        in_references = classify_heading(line) is SectionKind.REFERENCES
        yield Heading(line.strip(), level, "\n".join(paragraph.split("\n")[: 2 if underlined else 1]))
        body = rest.partition("\n")[2] if underlined else rest
        if body.strip():
            yield Block(_classify_block(body), body.strip("\n"))


def _is_among_references(line: str, after: str) -> bool:
    """Return whether a line that looks like a heading is part of a reference; `after` is the text after the line."""
    is_named = classify_heading(line) in (SectionKind.APPENDIX, SectionKind.ACKNOWLEDGEMENTS, SectionKind.CHECKLIST)
    return not is_named and (is_reference_entry(line[-_MAX_HEADING_CHARS:]) or is_reference_entry(after))


def _parse_level(line: str, last_number: tuple[int, ...], *, rest: str) -> tuple[int, tuple[int, ...]]:
    """Return the level and number of a heading line; the level is 0 if the line is no heading.

    `last_number` is the number of the heading before. `rest` is the text directly below the line, or "".
    """
    if len(line) > _MAX_HEADING_CHARS or _SENTENCE_END.search(line) or not _has_words(line):
        return 0, ()
    is_alone = not rest
    match = _NUMBERED.match(line)
    if match and (is_alone or _is_section_name(line)) and (last_number or not _BARE_LETTER.match(line)):
        number = _parse_number(match[1])
        return (len(number), number) if _is_next_number(number, last_number) else (0, ())
    name = strip_number_and_punctuation(line)
    kind = classify_heading(line)
    is_known = kind not in (SectionKind.OTHER, SectionKind.METHOD, SectionKind.EXPERIMENTS)
    is_short = len(name.split()) <= 4 and line[:1].isupper()
    is_usual = name.casefold() in _USUAL_HEADINGS and line[:1].isupper() and (is_alone or _begins_sentence(rest))
    is_upper = line.isupper() and len(line) > 3 and not _CAPTION.match(line)
    is_section = is_alone or (kind is not SectionKind.OTHER and is_short and _begins_sentence(rest))
    return int((is_upper and is_section) or is_usual or (is_known and is_short)), ()


def _has_words(line: str) -> bool:
    """Return whether most characters of a line are in words of at least two letters, unlike those of a formula."""
    characters = len("".join(line.split()))
    return "=" not in line and 2 * sum(len(word) for word in _WORD.findall(line)) > characters


def _begins_sentence(text: str) -> bool:
    """Return whether a text begins with a sentence, rather than with a table row or the end of a sentence."""
    first_line = text.split("\n", 1)[0].strip()
    return first_line[:1].isupper() and len(first_line.split()) >= _MIN_LINE_WORDS and not is_table(text)


def _is_section_name(line: str) -> bool:
    """Return whether a line has at most five words after its number, and names a usual section."""
    words = strip_number_and_punctuation(line).split()
    is_short = len(words) <= _MAX_HEADING_WORDS and words[0][:1].isupper()
    return is_short and classify_heading(line) is not SectionKind.OTHER


def _parse_number(number: str) -> tuple[int, ...]:
    """Return a section number as integers: (3, 1) for "3.1", and (1002, 2) for "B.2" in an appendix."""
    first, *rest = number.split(".")
    if first.isdigit():
        return (int(first), *map(int, rest))
    is_roman = first == "I" or (not rest and len(first) > 1)
    value = _ROMAN_VALUES.get(first, 0) if is_roman else _LETTER_OFFSET + ord(first[0]) - 64
    return (value, *map(int, rest))


def _is_next_number(number: tuple[int, ...], last_number: tuple[int, ...]) -> bool:
    """Return whether a section number may follow `last_number`: "2.1.1", "2.2", "3" and "4" may follow "2.1"."""
    if not last_number:
        return number[0] < _LETTER_OFFSET  # "A. Author" is in a list of authors
    if number in ((1,), (_LETTER_OFFSET + 1,)):
        return True
    successors = {(*last_number[:depth], last_number[depth] + 1) for depth in range(len(last_number))}
    return number in successors | {(*last_number, 1)} or (
        len(number) == 1 and last_number[0] < number[0] <= last_number[0] + 2
    )


def _find_title(paragraphs: list[str]) -> str:
    """Return the first paragraph, or its first line, if it may be the title; else return ""."""
    lines = [line.strip() for line in paragraphs[0].split("\n") if not _UNDERLINE.match(line)] if paragraphs else []
    is_short = len(" ".join(lines)) < 300
    title = re.sub(r"^(?:Title:|#+)\s*", "", " ".join(lines[:3] if is_short else lines[:1]))
    if len(title) > 300 or classify_heading(title) in (SectionKind.ABSTRACT, SectionKind.INTRODUCTION):
        return ""
    return title


def _classify_block(paragraph: str) -> BlockKind:
    caption = _CAPTION.match(paragraph)
    if caption:
        return BlockKind.TABLE if caption[1].lower() == "table" else BlockKind.FIGURE
    return BlockKind.TABLE if is_table(paragraph) else BlockKind.PROSE
