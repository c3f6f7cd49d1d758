"""Build sections from the headings and blocks that a loader finds, in reading order."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from planner.papers.headings import bare, section_kind
from planner.papers.paper import Block, BlockKind, Section, SectionKind

_OWN_WORD: Final = frozenset(
    {SectionKind.ABLATION, SectionKind.REFERENCES, SectionKind.CHECKLIST, SectionKind.ACKNOWLEDGEMENTS}
)
_BACK: Final = frozenset(
    {SectionKind.REFERENCES, SectionKind.APPENDIX, SectionKind.ACKNOWLEDGEMENTS, SectionKind.CONCLUSION}
)
_LETTERED: Final = re.compile(r"^[A-Z](?:\.\d+)*[.:)]?\s+\S")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading as a loader found it: its text as printed, its level from 1, and its line in the source.

    `kind` is set if the source marks the kind of the section; `appendix` is true if it marks a part of an appendix.
    A heading without text ends the section before it, and the blocks after it have no heading.
    """

    text: str
    level: int
    source: str = ""
    kind: SectionKind | None = None
    appendix: bool = False

    @property
    def block(self) -> Block:
        """The heading line as the first block of its section."""
        return Block(BlockKind.HEADING, self.source or self.text)


Piece = Heading | Block


def outline(pieces: Iterable[Piece]) -> tuple[Section, ...]:
    """Build the sections from headings and blocks; blocks before the first heading become a section of level 0."""
    kinds: list[tuple[int, SectionKind]] = []
    in_back = False
    sections = []
    for heading, blocks in _grouped(pieces):
        if heading is None or not heading.text:
            sections.append(Section("", 0, SectionKind.OTHER, blocks))
            continue
        while kinds and kinds[-1][0] >= heading.level:
            kinds.pop()
        kind = _kind(heading, kinds[-1][1] if kinds else None, in_back)
        kinds.append((heading.level, kind))
        in_back = in_back or kind in _BACK
        sections.append(Section(heading.text, heading.level, kind, (heading.block, *blocks)))
    return tuple(sections)


def _kind(heading: Heading, parent: SectionKind | None, in_back: bool) -> SectionKind:
    if heading.kind is not None:
        return heading.kind
    kind = section_kind(heading.text, parent)
    if kind is SectionKind.ABSTRACT and parent is not None:
        return parent  # a "Summary" within a discussion
    if parent is SectionKind.ABSTRACT:
        return parent  # "Results" within a structured abstract
    lettered = parent is None and in_back and _LETTERED.match(heading.text)
    return SectionKind.APPENDIX if (heading.appendix or lettered) and kind not in _OWN_WORD else kind


def _grouped(pieces: Iterable[Piece]) -> Iterator[tuple[Heading | None, tuple[Block, ...]]]:
    heading: Heading | None = None
    blocks: list[Block] = []
    for piece in pieces:
        if isinstance(piece, Block):
            blocks.append(piece)
            continue
        if (heading and heading.text) or blocks:
            yield heading, tuple(blocks)
        heading, blocks = piece, []
    if (heading and heading.text) or blocks:
        yield heading, tuple(blocks)


def abstract_of(sections: Sequence[Section]) -> str:
    """Return the text of the section "Abstract" with its subsections, without heading lines; "" if there is none.

    If no heading marks it, return the paragraph near the start of the paper that begins with "Abstract".
    """
    found: list[Section] = []
    for section in sections:
        if found and (section.level <= found[0].level or _ASIDE.match(bare(section.heading))):
            break
        if found or (section.kind is SectionKind.ABSTRACT and bare(section.heading).casefold() in _ABSTRACTS):
            found.append(section)
    if not found:
        return _run_in(sections)
    texts = [_labelled(section, first=section is found[0]) for section in found]
    return _AFTER.split("\n\n".join(text for text in texts if text))[0].strip()


_ABSTRACTS: Final = frozenset({"abstract", "summary"})
_ASIDE: Final = re.compile(r"availability|contact|supplement|keywords|code|contents", re.I)
_AFTER: Final = re.compile(r"(?:^|\n)[*_\s]*(?:Key ?words|Index Terms|CCS Concepts|Contents)\b|(?:^|\n)\s*©", re.I)


_RUN_IN: Final = re.compile(
    r"\s*(?:<\w[^<>]{0,200}>|\\[a-z]+\b|[\s{*_#])*abstract(?=\W)"
    r"(?:\s*(?:[.:*_}—–-]|</\w+>|\\\\)+(?:\s+[.:—–-]+(?=\s))?\s*|\s+(?=(?-i:[A-Z])))",
    re.I,
)
_OPENING: Final = 2_000  # most words before an abstract without a heading


def _run_in(sections: Iterable[Section]) -> str:
    words = 0
    for section in sections:
        if section.kind not in (SectionKind.OTHER, SectionKind.ABSTRACT):
            break
        for block in section.blocks:
            if block.kind is BlockKind.PROSE and (found := _RUN_IN.match(block.text)):
                return block.text[found.end() :].strip()
            words += len(block.text.split())
        if words > _OPENING:
            break
    return ""


def _labelled(section: Section, *, first: bool) -> str:
    body = "\n\n".join(b.text for b in section.blocks if b.kind is BlockKind.PROSE)
    return body if first or not body else f"{bare(section.heading)}: {body}"
