"""Build blocks from lines: paragraphs that continue across pages, and tables and figures with their captions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from planner.papers.paper import Block, BlockKind
from planner.papers.pdf.captions import Part, is_caption_start
from planner.papers.pdf.hyphens import Vocabulary, clean, is_broken, joined
from planner.papers.pdf.lines import Line
from planner.papers.pdf.setting import Setting

_FINISHED: Final = re.compile(r"[.!?:;]['\"”’)\]]*\s*(?:\d{1,2})?$")
_ITEM: Final = re.compile(r"^(?:[•◦▪■‣–—∙·]\s|\(?[ivx\d]{1,3}[.)]\s|\([a-z]\)\s|\[\d+\]\s|\d+:\s)")
_OTHER_TYPE: Final = 0.15
_BULLETS: Final = "•◦▪■‣∙·"
_TABLES: Final = frozenset({Part.TABLE, Part.TABLE_CAPTION})
_FIGURES: Final = frozenset({Part.FIGURE, Part.FIGURE_CAPTION})
_CAPTIONS: Final = frozenset({Part.TABLE_CAPTION, Part.FIGURE_CAPTION})


@dataclass(slots=True)
class _Stretch:
    """Neighbouring lines of one family: running text, a table, a figure, an algorithm or a note."""

    family: Part
    lines: list[Line] = field(default_factory=list)
    captions: list[Line] = field(default_factory=list)
    caption_first: bool = False

    def takes(self, part: Part, starts_caption: bool) -> bool:
        """Return whether a further line of the given kind belongs to the group."""
        if _family(part) is not self.family:
            return False
        if part in _CAPTIONS:
            return not (self.captions and starts_caption)
        return not self.captions or self.caption_first or self.family in (Part.PROSE, Part.NOTE, Part.ALGORITHM)

    def add(self, part: Part, line: Line) -> None:
        """Add a line of the given kind to the group."""
        if part in _CAPTIONS:
            self.caption_first = self.caption_first or not self.lines
            self.captions.append(line)
        else:
            self.lines.append(line)


def blocks_of(
    lines: Sequence[Line], parts: Sequence[Part], setting: Setting, words: Vocabulary, hanging: bool = False
) -> tuple[Block, ...]:
    """Return the blocks of one section; a float inside a paragraph comes after the paragraph.

    Hanging paragraphs are indented from the second line on, as in a list of references.
    """
    starts = _starts_entry if hanging else _starts_paragraph
    made: list[Block] = []
    waiting: list[Block] = []
    paragraph: list[Line] = []
    for stretch in _stretches(lines, parts):
        if stretch.family is not Part.PROSE:
            waiting.append(_block(stretch, words))
            if not paragraph or _is_finished(paragraph[-1]):
                made += _flushed(paragraph, words) + waiting
                paragraph, waiting = [], []
            continue
        for line in stretch.lines:
            if paragraph and starts(paragraph[-1], line, setting):
                made += _flushed(paragraph, words) + waiting
                paragraph, waiting = [], []
            paragraph.append(line)
    return tuple(made + _flushed(paragraph, words) + waiting)


def _family(part: Part) -> Part:
    if part in _TABLES:
        return Part.TABLE
    return Part.FIGURE if part in _FIGURES else part


def _stretches(lines: Sequence[Line], parts: Sequence[Part]) -> list[_Stretch]:
    stretches: list[_Stretch] = []
    for line, part in zip(lines, parts, strict=True):
        starts = is_caption_start(line)
        if not stretches or not stretches[-1].takes(part, starts):
            stretches.append(_Stretch(_family(part)))
        stretches[-1].add(part, line)
    return stretches


def _block(stretch: _Stretch, words: Vocabulary) -> Block:
    caption = [joined([line.text for line in stretch.captions], words)] if stretch.captions else []
    if stretch.family is Part.NOTE:
        return Block(BlockKind.PROSE, joined([line.text for line in stretch.lines], words))
    if stretch.family is Part.ALGORITHM:
        return Block(BlockKind.PROSE, "\n".join(clean(line.text) for line in stretch.lines))
    kind = BlockKind.TABLE if stretch.family is Part.TABLE else BlockKind.FIGURE
    rows = ["  ".join(clean(cell) for cell in line.cells) for line in stretch.lines]
    return Block(kind, "\n".join(caption + rows if stretch.caption_first else rows + caption))


def _flushed(paragraph: Sequence[Line], words: Vocabulary) -> list[Block]:
    return [Block(BlockKind.PROSE, joined([line.text for line in paragraph], words))] if paragraph else []


def _is_finished(line: Line) -> bool:
    return bool(_FINISHED.search(line.text.rstrip())) and not is_broken(line.text)


def _starts_paragraph(before: Line, line: Line, setting: Setting) -> bool:
    """Return whether a line of running text begins a new paragraph after the line before it."""
    if is_broken(before.text):
        return False
    if abs(line.size - before.size) > _OTHER_TYPE * before.size:
        return True
    finished = _is_finished(before)
    if finished and line.bold and not before.bold:
        return True
    if _ITEM.match(line.text) and (finished or line.text[0] in _BULLETS):
        return True
    step, begins = before.y - line.y, line.text[:1].isupper()
    if line.page != before.page or step <= 0:
        return finished and begins
    if step > 1.4 * setting.leading:
        return finished or begins
    moved = abs(line.x0 - before.x0) > 0.7 * line.size
    return finished and (moved or (begins and _is_short(before, setting)))


def _starts_entry(before: Line, line: Line, setting: Setting) -> bool:
    """Return whether a line of a list with hanging indents begins a new entry."""
    if is_broken(before.text):
        return False
    if _ITEM.match(line.text) and _is_finished(before):
        return True
    step = before.y - line.y
    if line.page != before.page or step <= 0:
        return _is_finished(before) and line.text[:1].isupper()
    return line.x0 < before.x0 - 0.5 * line.size or step > 1.25 * setting.leading


def _is_short(line: Line, setting: Setting) -> bool:
    return line.x1 - line.x0 < 0.85 * setting.measure
