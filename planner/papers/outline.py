"""Find a paper's title and section levels from its marked headings, and build its sections.

Converters often mark wrong levels, and mark authors or lines of code as headings. So the numbers and the usual names of
sections count more.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from planner.papers.headings import classify_heading, has_letter_number, has_roman_numbers, strip_number_and_punctuation
from planner.papers.paper import Block, BlockKind, Section, SectionKind

KINDS_KEPT_IN_APPENDIX: Final = frozenset(
    {SectionKind.ABLATION, SectionKind.REFERENCES, SectionKind.CHECKLIST, SectionKind.ACKNOWLEDGEMENTS}
)
BACK_MATTER_KINDS: Final = frozenset(
    {SectionKind.REFERENCES, SectionKind.APPENDIX, SectionKind.ACKNOWLEDGEMENTS, SectionKind.CONCLUSION}
)
_KINDS_AFTER_REFERENCES: Final = (KINDS_KEPT_IN_APPENDIX | {SectionKind.APPENDIX}) - {SectionKind.REFERENCES}
_REFERENCE_NUMBER: Final = re.compile(r"[\s*_>-]*(?:\[\w[^\]\n]{0,20}\]|\[?\^?\d{1,3}[.)\]])[\s:]")
_YEAR: Final = re.compile(r"\b(?:19|20)\d\d[a-z]?\b")
_MAX_REFERENCE_CHARS: Final = 400
_MIN_REFERENCES: Final = 3  # entries in a list of references without a usual heading
_MAX_LINE_CHARS: Final = 80  # characters of an unmarked heading of references
_SENTENCE_SIGN: Final = re.compile(r",|\.$")
_MARKUP: Final = re.compile(r"<[^<>]*>|[*_#]")
_LETTERED_HEADING: Final = re.compile(r"^[A-Z](?:\.\d+)*[.:)]?\s+\S")
_NUMBER: Final = re.compile(r"^(?:(?:Appendix|Section)\s+)?(\d{1,2}|[A-Z])((?:\.\d{1,2}){0,4})[.):]?\s+\S")
_ROMAN_NUMBER: Final = re.compile(r"[IVX]{1,5}\.\s")
_CODE_SIGN: Final = re.compile(r"[=;{}]|->|−>|\)\s*:?$|[^.]\.$|^[a-z]|:$")

# "A. Proofs" is numbered, "A Fine Title" is not.
_NUMBERED: Final = re.compile(r"\d{1,2}(?:\.\d|[.):]?\s)|[A-Z][.):]\s")
_MIN_NUMBERED: Final = 4  # with so many numbered headings, all sections are taken to be numbered
_MAX_HEADING_CHARS: Final = 250


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading with its text as printed, its level (counted from 1) and its lines in the source.

    `kind` is the section's kind if the source marks it. `is_in_appendix` is true if the heading is in an appendix. A
    heading with the text "" only ends the section before it.
    """

    text: str
    level: int
    source_text: str = ""
    kind: SectionKind | None = None
    is_in_appendix: bool = False

    @property
    def number_parts(self) -> tuple[str, ...]:
        """The parts of the section number, such as ("B", "2") for "B.2 Data"; () for a heading without a number."""
        match = _NUMBER.match(self.text)
        return (match[1], *match[2].split(".")[1:]) if match else ()


HeadingOrBlock = Heading | Block


@dataclass(frozen=True, slots=True)
class CorrectedHeadings:
    """The title, the headings and blocks in order, and the number of marked headings that turned out to be code."""

    title: str
    headings_and_blocks: tuple[HeadingOrBlock, ...]
    code_like_count: int


def assemble_sections(items: Iterable[HeadingOrBlock]) -> tuple[Section, ...]:
    """Build the sections from headings and blocks; blocks before the first heading become a section of level 0."""
    parents: list[tuple[int, SectionKind]] = []  # the level and kind of each section around the current one
    in_back_matter = False
    sections = []
    for heading, blocks in _group_blocks(items):
        if not heading.text:
            sections.append(Section("", 0, SectionKind.OTHER, blocks))
            continue
        while parents and parents[-1][0] >= heading.level:
            parents.pop()
        kind = _classify_section(heading, parents[-1][1] if parents else None, in_back_matter)
        if kind in (SectionKind.OTHER, SectionKind.CONCLUSION) and _is_reference_list(blocks):
            kind = SectionKind.REFERENCES
        parents.append((heading.level, kind))
        in_back_matter = in_back_matter or kind in BACK_MATTER_KINDS
        heading_line = Block(BlockKind.HEADING, heading.source_text or heading.text)
        sections.append(Section(heading.text, heading.level, kind, (heading_line, *blocks)))
    return tuple(sections)


def _group_blocks(items: Iterable[HeadingOrBlock]) -> Iterator[tuple[Heading, tuple[Block, ...]]]:
    """Yield each heading with the blocks after it; blocks before the first heading come with an empty heading."""
    heading, blocks = Heading("", 0), list[Block]()
    for item in chain(items, (Heading("", 0),)):  # the added heading ends the last group
        if isinstance(item, Block):
            blocks.append(item)
            continue
        if heading.text or blocks:
            yield heading, tuple(blocks)
        heading, blocks = item, []


def _classify_section(heading: Heading, parent: SectionKind | None, in_back_matter: bool) -> SectionKind:
    if heading.kind is not None:
        return heading.kind
    if parent is SectionKind.REFERENCES and _LETTERED_HEADING.match(heading.text):
        parent = None
    kind = classify_heading(heading.text, parent)
    if kind is SectionKind.ABSTRACT and parent is not None:
        return parent  # a "Summary" within a discussion
    if parent is SectionKind.ABSTRACT:
        return parent  # "Results" within a structured abstract
    lettered = parent is None and in_back_matter and _LETTERED_HEADING.match(heading.text)
    return SectionKind.APPENDIX if (heading.is_in_appendix or lettered) and kind not in KINDS_KEPT_IN_APPENDIX else kind


def _is_reference_list(blocks: Sequence[Block]) -> bool:
    """Return whether blocks are a numbered list of references: at least three entries, and a year for each entry."""
    first = next((text for block in blocks if (text := block.text.lstrip())), "")
    if not _REFERENCE_NUMBER.match(first.partition("\n")[0]):
        return False
    lines = [line for block in blocks for line in block.text.split("\n") if line.strip()]
    entries = [line for line in lines if _REFERENCE_NUMBER.match(line)]
    text = "\n".join(lines)
    return len(entries) >= _MIN_REFERENCES and len(_YEAR.findall(text)) >= len(entries)


def correct_headings(items: Sequence[HeadingOrBlock], *, known_title: str = "") -> CorrectedHeadings:
    """Return the title, and the items with corrected headings.

    Levels are corrected, false headings become text, and unmarked lines such as "References" become headings.
    """
    items = _promote_back_matter_lines(items)
    headings = [item for item in items if isinstance(item, Heading) and item.text]
    numbered = len({h.number_parts for h in headings if h.number_parts}) >= _MIN_NUMBERED
    code_lines = [h for h in headings if _looks_like_code(h, numbered=numbered)]
    demoted = set(map(id, code_lines))
    title = _find_title([h for h in headings if id(h) not in demoted], known_title)
    demoted |= _find_headings_before_abstract(headings, title)
    levels = _assign_levels([h for h in headings if id(h) not in demoted], numbered=numbered)
    corrected = tuple(_correct_item(item, levels, title) for item in items)
    return CorrectedHeadings(title.text if title else "", corrected, len(code_lines))


def _correct_item(item: HeadingOrBlock, levels: dict[int, int], title: Heading | None) -> HeadingOrBlock:
    if isinstance(item, Block) or not item.text:
        return item
    if id(item) not in levels:
        return Block(BlockKind.HEADING if item is title else BlockKind.PROSE, item.source_text)
    return replace(item, level=levels[id(item)])


def _promote_back_matter_lines(items: Sequence[HeadingOrBlock]) -> list[HeadingOrBlock]:
    """Return the items, with headings made of unmarked lines such as "References" and "Acknowledgements".

    The line "References" becomes a heading only if a reference follows on the next line or in the next block.
    """
    marked, in_references = list[HeadingOrBlock](), False
    level = _find_section_level([item.level for item in items if isinstance(item, Heading)])
    for item, following in zip(items, (*items[1:], None), strict=False):
        after = following.text if isinstance(following, Block) else ""
        parts = [item] if isinstance(item, Heading) else _split_plain_heading(item, after, level, in_references)
        if isinstance(heading := parts[0], Heading):
            is_repeated = in_references and heading.kind is SectionKind.REFERENCES  # for the same list
            in_references = _begins_references(heading, after)
            parts = [] if is_repeated else parts
        marked += parts
    return marked


def _has_short_first_line(text: str) -> bool:
    """Return whether the first line of a text is short enough for a heading."""
    text = text.lstrip()
    return len(text) <= _MAX_LINE_CHARS or "\n" in text[: _MAX_LINE_CHARS + 1]


def _begins_references(heading: Heading, after: str) -> bool:
    is_named = SectionKind.REFERENCES in (heading.kind, classify_heading(heading.text))
    return is_named or bool(_REFERENCE_NUMBER.match(after) and _YEAR.search(after, 0, _MAX_REFERENCE_CHARS))


def _split_plain_heading(block: Block, after: str, level: int, in_references: bool) -> list[HeadingOrBlock]:
    """Return the block, or a heading and the rest of the block if its first line is a heading such as "References".

    `after` is the text of the next block, and `level` is the level that the heading gets.
    """
    if block.kind is not BlockKind.PROSE or not _has_short_first_line(block.text):  # most blocks
        return [block]
    line, _, rest = block.text.strip().partition("\n")
    if not (in_references or is_reference_entry(rest or after)):
        return [block]
    text = _MARKUP.sub("", line).strip(" :")
    if not text or not _is_back_matter_line(text, rest or after, in_references):
        return [block]
    return [Heading(text, level, line), *([Block(block.kind, rest)] if rest else [])]


def _find_section_level(levels: list[int]) -> int:
    """Return the level of the main sections: the smallest level, or the next one if only the title has the smallest."""
    top = min(levels, default=1)
    return min((level for level in levels if level > top), default=top) if levels.count(top) == 1 else top


def _is_back_matter_line(text: str, after: str, in_references: bool) -> bool:
    """Return whether a line is a heading such as "References"; `after` is the text after the line.

    If `in_references` is true, a heading of a section after the references, such as "Acknowledgements", counts too.
    """
    kind = classify_heading(text)
    if kind is SectionKind.REFERENCES:
        return is_reference_entry(after)
    is_lettered = bool(_LETTERED_HEADING.match(text)) and not _SENTENCE_SIGN.search(text)
    return in_references and not is_reference_entry(after) and (is_lettered or kind in _KINDS_AFTER_REFERENCES)


def is_reference_entry(text: str) -> bool:
    """Return whether a text begins like a reference: with a number, or with a year in its first 400 characters."""
    return bool(_REFERENCE_NUMBER.match(text) or _YEAR.search(text, 0, _MAX_REFERENCE_CHARS))


def _find_title(headings: list[Heading], known_title: str) -> Heading | None:
    """Return the first heading if it is the title of the paper, else None."""
    first = headings[0] if headings else None
    if first is None or first.kind is not None or _NUMBERED.match(first.text):
        return None
    if known_title and _normalize(first.text) == _normalize(known_title):
        return first
    is_top = all(first.level <= other.level for other in headings)
    is_alone = sum(other.level == first.level for other in headings) == 1
    is_section_name = classify_heading(first.text) is not SectionKind.OTHER and len(first.text.split()) < 4
    return first if is_top and not is_section_name and (is_alone or not known_title) else None


def _find_headings_before_abstract(headings: list[Heading], title: Heading | None) -> set[int]:
    """Return the object ids of the headings before the abstract, such as the title and the authors.

    If there is no abstract, return only the id of the title.
    """
    start = headings.index(title) if title else 0
    for end, heading in enumerate(headings[start : start + 15], start):
        if heading.kind is SectionKind.ABSTRACT or classify_heading(heading.text) is SectionKind.ABSTRACT:
            return set(map(id, headings[:end]))
        has_digit = heading.number_parts and heading.number_parts[0].isdigit()  # "A. Author" is no section
        if has_digit or classify_heading(heading.text) is SectionKind.INTRODUCTION:
            break
    return {id(title)} if title else set()


def _assign_levels(headings: list[Heading], *, numbered: bool) -> dict[int, int]:
    """Return the level of each heading by object id, from the heading's number, name or marked level."""
    top = min((h.level for h in headings), default=1)
    roman = has_roman_numbers(h.text for h in headings)
    level_by_mark: dict[int, int] = {}
    levels: dict[int, int] = {}
    last = 1
    for heading in headings:
        if roman and (level := _roman_level(heading.text)):
            last = level_by_mark[heading.level] = level
        elif not numbered:
            last = heading.level - top + 1
        elif heading.number_parts:
            last = level_by_mark[heading.level] = len(heading.number_parts)
        elif _is_first_level_name(heading.text):
            last = 1
        else:
            last = min(level_by_mark.get(heading.level, last) + 1, last + 1)
        levels[id(heading)] = last
    return levels


def _roman_level(text: str) -> int:
    """Return 1 for a heading with a Roman number, 2 for a heading with a letter, and 0 for any other heading."""
    return 2 if has_letter_number(text) else int(bool(_ROMAN_NUMBER.match(text)))


def _is_first_level_name(text: str) -> bool:
    """Return whether a heading, such as "References", names a section that is always on the first level."""
    kind = classify_heading(text)
    inner_kinds = (SectionKind.OTHER, SectionKind.METHOD, SectionKind.EXPERIMENTS, SectionKind.ABLATION)
    name = strip_number_and_punctuation(text).casefold()
    return kind not in inner_kinds or name in ("contents", "table of contents", "keywords")


def _looks_like_code(heading: Heading, *, numbered: bool) -> bool:
    if len(heading.text) > _MAX_HEADING_CHARS or not strip_number_and_punctuation(heading.text):
        return True
    return numbered and not heading.number_parts and heading.kind is None and bool(_CODE_SIGN.search(heading.text))


def _normalize(text: str) -> str:
    return re.sub(r"\W+", "", text).casefold()
