"""Build blocks from lines: paragraphs, which may continue on the next page, and tables and figures with captions.

Where a line ends in a hyphen, the paper's own words show whether the hyphen belongs to the word.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from planner.papers.paper import Block, BlockKind
from planner.papers.pdf.floats import FLOAT_KINDS, LineKind, find_label_kind
from planner.papers.pdf.lines import BodyStyle, Line
from planner.papers.pdf.runs import LINE_END_HYPHEN

_TOKEN: Final = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_LAST_WORD: Final = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)$")
_FIRST_WORD: Final = re.compile(r"^([^\W\d_]+(?:-[^\W\d_]+)*)")
_HYPHENS: Final = (LINE_END_HYPHEN, "-", "‐")
_CONJUNCTION: Final = re.compile(r"(?:and|or|to|versus|vs)\b")  # "single- and multi-target"

# Second parts of compounds that English writes with a hyphen after almost any word.
_HYPHENATED_SECOND_PARTS: Final = frozenset(
    {"based", "aware", "free", "wise", "level", "specific", "dependent", "driven", "guided", "art", "like", "oriented"}
    | {"invariant", "agnostic", "shot"}
)
_SENTENCE_END: Final = re.compile(r"[.!?:;]['\"”’)\]]*\s*(?:\d{1,2})?$")
_ITEM_START: Final = re.compile(r"^(?:[•◦▪■‣–—∙·]\s|\(?[ivx\d]{1,3}[.)]\s|\([a-z]\)\s|\[\d+\]\s|\d+:\s)")
_SIZE_TOLERANCE: Final = 0.15
_BULLETS: Final = "•◦▪■‣∙·"


class Vocabulary:
    """The words of a paper; they show whether a hyphen at the end of a line belongs to a word or only splits it."""

    def __init__(self, lines: Iterable[str]) -> None:
        tokens = _find_unbroken_words(lines)
        self._words = Counter("-".join(tokens).split("-"))
        self._compounds = Counter(part for token in tokens if "-" in token for part in _generate_compounds(token))

    def is_hyphen_kept(self, before: str, after: str) -> bool:
        """Return whether a word keeps the hyphen between `before` (the text of a line) and `after` (the next line)."""
        head, tail = _LAST_WORD.search(before.rpartition(" ")[2]), _FIRST_WORD.search(after)
        if head is None or tail is None:
            return True
        whole_first, whole_second = head[1].casefold(), tail[1].casefold()
        first_part, second_part = whole_first.rpartition("-")[2], whole_second.partition("-")[0]
        hyphenated_count = self._compounds[f"{first_part}-{second_part}"]
        solid_count = self._words[first_part + second_part]
        if hyphenated_count or solid_count:
            return hyphenated_count > solid_count
        if (
            after[:1].isupper()
            or second_part in _HYPHENATED_SECOND_PARTS
            or first_part == "self"
            or (head[1].isupper() and len(first_part) > 1)
        ):
            return True
        return "-" in whole_first and self._words[second_part] > 0


@dataclass(slots=True)
class _LineGroup:
    """Lines that follow each other and form running text, a table, a figure, an algorithm or a note."""

    family: LineKind
    lines: list[Line] = field(default_factory=list)
    captions: list[Line] = field(default_factory=list)
    caption_first: bool = False

    def is_continued_by(self, kind: LineKind, starts_caption: bool) -> bool:
        """Return whether a next line belongs to the group; `kind` and `starts_caption` describe the line."""
        if FLOAT_KINDS.get(kind, kind) is not self.family:
            return False
        if kind in FLOAT_KINDS:
            return not (self.captions and starts_caption)
        return not self.captions or self.caption_first

    def add_line(self, kind: LineKind, line: Line) -> None:
        if kind in FLOAT_KINDS:
            self.caption_first = self.caption_first or not self.lines
            self.captions.append(line)
        else:
            self.lines.append(line)


@dataclass(frozen=True, slots=True)
class BlockBuilder:
    """A builder of blocks from the lines of a paper; `line_kinds` has the kind of each line."""

    lines: Sequence[Line]
    line_kinds: Sequence[LineKind]
    body_style: BodyStyle
    vocabulary: Vocabulary

    def build_blocks(self, start: int, end: int, *, is_hanging: bool = False) -> tuple[Block, ...]:
        """Return the blocks of the lines from `start` to before `end`.

        A table or figure inside a paragraph comes after the paragraph. Pass `is_hanging` for a list in which all lines
        of an entry but the first are indented, such as the references.
        """
        is_start = _is_entry_start if is_hanging else _is_paragraph_start
        blocks: list[Block] = []
        floats: list[Block] = []
        paragraph: list[Line] = []

        def end_paragraph() -> None:
            blocks.extend([self._build_prose(paragraph)] if paragraph else [])
            blocks.extend(floats)
            paragraph.clear()
            floats.clear()

        for group in _group_lines(self.lines[start:end], self.line_kinds[start:end]):
            if group.family is not LineKind.PROSE:
                floats.append(self._build_block(group))
                if not paragraph or _is_sentence_end(paragraph[-1]):
                    end_paragraph()
                continue
            for line in group.lines:
                if paragraph and is_start(paragraph[-1], line, self.body_style):
                    end_paragraph()
                paragraph.append(line)
        end_paragraph()
        return tuple(blocks)

    def _build_prose(self, lines: Sequence[Line]) -> Block:
        return Block(BlockKind.PROSE, join_lines([line.text for line in lines], self.vocabulary), lines[0].page)

    def _build_block(self, group: _LineGroup) -> Block:
        """Return the block of a note, an algorithm, a table or a figure."""
        if group.family is LineKind.NOTE:
            return self._build_prose(group.lines)
        if group.family is LineKind.ALGORITHM:
            kind, rows = BlockKind.PROSE, [line.text for line in group.lines]
        else:
            kind = BlockKind.TABLE if group.family is LineKind.TABLE else BlockKind.FIGURE
            rows = ["  ".join(line.cells) for line in group.lines]
        caption = [join_lines([line.text for line in group.captions], self.vocabulary)] if group.captions else []
        text = "\n".join(caption + rows if group.caption_first else rows + caption)
        return Block(kind, text.replace(LINE_END_HYPHEN, "-"), (group.lines or group.captions)[0].page)


def _group_lines(lines: Sequence[Line], line_kinds: Sequence[LineKind]) -> list[_LineGroup]:
    groups: list[_LineGroup] = []
    for line, kind in zip(lines, line_kinds, strict=True):
        starts_caption = find_label_kind(line) in FLOAT_KINDS
        if not groups or not groups[-1].is_continued_by(kind, starts_caption):
            groups.append(_LineGroup(FLOAT_KINDS.get(kind, kind)))
        groups[-1].add_line(kind, line)
    return groups


def _is_sentence_end(line: Line) -> bool:
    return bool(_SENTENCE_END.search(line.text.rstrip())) and not has_line_end_hyphen(line.text)


def _is_paragraph_start(before: Line, line: Line, body_style: BodyStyle) -> bool:
    if has_line_end_hyphen(before.text):
        return False
    if abs(line.size - before.size) > _SIZE_TOLERANCE * before.size:
        return True
    is_finished = _is_sentence_end(before)
    if is_finished and line.bold and not before.bold:
        return True
    if _ITEM_START.match(line.text) and (is_finished or line.text[0] in _BULLETS):
        return True
    step, is_capitalized = before.y - line.y, line.text[:1].isupper()
    if line.page != before.page or step <= 0:
        return is_finished and is_capitalized
    if step > 1.4 * body_style.line_spacing:
        return is_finished or is_capitalized
    is_moved = abs(line.x0 - before.x0) > 0.7 * line.size
    is_below_short = before.x1 - before.x0 < 0.85 * body_style.line_width
    return is_finished and (is_moved or (is_capitalized and is_below_short))


def _is_entry_start(before: Line, line: Line, body_style: BodyStyle) -> bool:
    """Return whether a line begins a new entry in a list with hanging indents."""
    if has_line_end_hyphen(before.text):
        return False
    if _ITEM_START.match(line.text) and _is_sentence_end(before):
        return True
    step = before.y - line.y
    if line.page != before.page or step <= 0:
        return _is_sentence_end(before) and line.text[:1].isupper()
    return line.x0 < before.x0 - 0.5 * line.size or step > 1.25 * body_style.line_spacing


def join_lines(lines: Sequence[str], vocabulary: Vocabulary) -> str:
    """Return the lines joined to one line; a hyphen that only splits a word at a line's end is removed."""
    text = ""
    for line in lines:
        text = _append_line(text, line.strip(), vocabulary) if text else line.strip()
    return text.replace(LINE_END_HYPHEN, "-")


def _append_line(text: str, line: str, vocabulary: Vocabulary) -> str:
    if not has_line_end_hyphen(text) or not line[:1].isalnum() or _CONJUNCTION.match(line):
        return f"{text} {line}"
    return (text[:-1] + "-" if vocabulary.is_hyphen_kept(text[:-1], line) else text[:-1]) + line


def has_line_end_hyphen(text: str) -> bool:
    """Return whether a line ends in a hyphen that may split a word."""
    return text.endswith(_HYPHENS) and text[-2:-1].isalnum()


def _find_unbroken_words(lines: Iterable[str]) -> list[str]:
    """Return the words of the lines, without words that a line break may have split."""
    tokens: list[str] = []
    after_break = False
    for line in lines:
        words = _TOKEN.findall(line.casefold())
        is_broken = has_line_end_hyphen(line)
        tokens += words[after_break : len(words) - is_broken]
        after_break = is_broken
    return tokens


def _generate_compounds(token: str) -> Iterator[str]:
    """Yield the parts of a hyphenated word in groups of two or more: "a-b-c" gives "a-b", "a-b-c" and "b-c"."""
    parts = token.split("-")
    for start, end in combinations(range(len(parts) + 1), 2):
        if end - start > 1:
            yield "-".join(parts[start:end])
