"""Take a labelled ablation out of a paper: find the text that names it, and write a copy without it.

In the results, all sentences, captions and headings that name the part are found. Elsewhere the method is described, so
only those that also speak of a change are found; rows of tables are found anywhere. Words decide, so a person confirms.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from math import ceil
from typing import Final

from planner.analysis.parts import list_ablated_part_names, list_names_of_part, list_specific_stem_sets
from planner.analysis.passages import EXPERIMENT_SECTIONS, strip_markup
from planner.analysis.sentences import locate_table_rows
from planner.matching import extract_stem_set, spell_greek
from planner.papers.leaks import split_sentences
from planner.papers.paper import Block, BlockKind, Paper, Section, SectionKind
from planner.papers.text import is_table
from planner.schema import Ablation

_MIN_SHARE: Final = 0.7  # of the telling stems of a name that a text must hold
_MAX_EDITS: Final = 500
_MAX_HASHES: Final = 6
_MAX_NAME_CHARS: Final = 1000
_WORD: Final = re.compile(r"[^\W_]{2,40}")
_SYMBOLS: Final = frozenset(spell_greek("αβγδεζηθικλμνξοπρστυφχψω").split())
_CHANGE: Final = re.compile(
    r"\bablat|\bw/o\b|\bwithout\b|\bremov|\breplac|\binstead of\b|\bsensitiv|\beffects? of\b|\bimpact|\bvary|\bdisabl",
    re.I,
)


class EditKind(StrEnum):
    """The kind of text that an edit takes out."""

    HEADING = "heading"
    ROW = "row"
    CAPTION = "caption"
    SENTENCE = "sentence"


@dataclass(frozen=True, slots=True)
class Edit:
    """A text to take out of a paper: its kind, its place by section, block and offset, and the heading above it."""

    kind: EditKind
    section: int
    block: int
    start: int
    text: str
    heading: str
    page: int | None


@dataclass(frozen=True, slots=True)
class AblationNames:
    """The words by which a text may name an ablation.

    They are the telling stems of each name of the part, spelled Greek letters, and short names such as "wLSE".
    """

    stems: tuple[frozenset[str], ...]
    symbols: frozenset[str]
    short_names: frozenset[str]

    def is_named_in(self, text: str) -> bool:
        """Return whether a text holds most stems of one of the names, a letter, or a short name."""
        if not self.short_names.isdisjoint(_find_short_names(text)):
            return True
        found = extract_stem_set(spell_greek(text))
        has_name = any(len(stems & found) >= ceil(_MIN_SHARE * len(stems)) for stems in self.stems)
        return has_name or not self.symbols.isdisjoint(found)


def list_mentioned_names(ablation: Ablation) -> AblationNames:
    """Return the words by which a text may name an ablation: those of its part, its own name, and its replacements."""
    texts = [text for text in list_ablated_part_names(ablation) if text.strip()]
    stems = tuple(dict.fromkeys(chain.from_iterable(map(list_specific_stem_sets, texts))))
    symbols = extract_stem_set(spell_greek(" ".join(name for text in texts for name in list_names_of_part(text))))
    short_names = _find_short_names(" ".join((ablation.name, *ablation.replacement))[:_MAX_NAME_CHARS])
    return AblationNames(stems, symbols & _SYMBOLS, frozenset(short_names))


def list_maskable_sections(paper: Paper) -> tuple[Section, ...]:
    """Return the sections of a copy: text without a heading, the abstract, and the other sections.

    Text beside the abstract comes before it, so that no reader takes it for the abstract. The title is left out.
    """
    front, others = list[Block](), list[Section]()
    abstract_text = _squash(paper.abstract)
    for section in paper.sections:
        if section.kind is SectionKind.ABSTRACT:
            front += [
                b for b in section.blocks if (text := _squash(b.text)) not in abstract_text and text != "abstract"
            ]
        elif not section.heading or _squash(section.heading) == _squash(paper.title):
            front += [block for block in section.blocks if _squash(block.text) != _squash(paper.title)]
        else:
            others.append(section)
    abstract = Section("Abstract", 1, SectionKind.ABSTRACT, (Block(BlockKind.PROSE, paper.abstract),))
    sections = (Section("", 0, SectionKind.OTHER, tuple(front)), abstract, *others)
    return tuple(section for section in sections if any(block.text for block in section.blocks))


def find_edits(sections: Sequence[Section], ablation: Ablation) -> tuple[Edit, ...]:
    """Find the texts that name an ablation, in reading order, at most 500."""
    names = list_mentioned_names(ablation)
    edits = [
        edit
        for number, section in enumerate(sections)
        if section.kind is not SectionKind.REFERENCES
        for edit in _find_in_section(number, section, names)
    ]
    return tuple(edits[:_MAX_EDITS])


def render_copy(title: str, sections: Sequence[Section], edits: Iterable[Edit]) -> str:
    """Return a paper in Markdown without the texts of the edits; a block or heading that is left empty is left out."""
    removed: dict[tuple[int, int], list[Edit]] = {}
    for edit in edits:
        removed.setdefault((edit.section, edit.block), []).append(edit)
    blocks = (
        _render_block(section, block, removed.get((number, index), ()))
        for number, section in enumerate(sections)
        for index, block in enumerate(_with_heading(section))
    )
    return "\n\n".join((f"# {' '.join(title.split())}", *filter(None, blocks))) + "\n"


def _find_short_names(text: str) -> Iterator[str]:
    """Yield the words of a text with two capitals or more."""
    return (word for word in _WORD.findall(text) if sum(map(str.isupper, word)) > 1)


def _with_heading(section: Section) -> tuple[Block, ...]:
    """Return the blocks of a section, with its heading as the first one if it has any."""
    if section.blocks[0].kind is BlockKind.HEADING or not section.heading:
        return section.blocks
    return (Block(BlockKind.HEADING, section.heading), *section.blocks)


def _find_in_section(number: int, section: Section, names: AblationNames) -> Iterator[Edit]:
    has_results = section.kind in EXPERIMENT_SECTIONS
    for index, block in enumerate(_with_heading(section)):
        for kind, start, text in _split_block(block):
            is_telling = kind is EditKind.ROW or has_results or (kind is not EditKind.HEADING and _CHANGE.search(text))
            if is_telling and names.is_named_in(strip_markup(text)):
                yield Edit(kind, number, index, start, text, section.display_heading, section.page)


def _split_block(block: Block) -> Iterator[tuple[EditKind, int, str]]:
    """Yield the parts of a block that can be taken out alone, with their offsets; rows only of tables and figures."""
    if block.kind is BlockKind.HEADING:
        yield EditKind.HEADING, 0, block.text
    elif block.kind is BlockKind.PROSE and not is_table(block.text):
        yield from _split_sentences(block.text, 0, EditKind.SENTENCE)
    else:
        row_starts = {start for _, start in locate_table_rows(block.text)}
        start = caption_start = 0
        for line in block.text.split("\n"):
            if start in row_starts:
                yield from _split_sentences(block.text[caption_start:start], caption_start, EditKind.CAPTION)
                yield EditKind.ROW, start, line
                caption_start = start + len(line) + 1
            start += len(line) + 1
        yield from _split_sentences(block.text[caption_start:], caption_start, EditKind.CAPTION)


def _split_sentences(text: str, start: int, kind: EditKind) -> Iterator[tuple[EditKind, int, str]]:
    for sentence in split_sentences(text):
        if sentence.strip():
            yield kind, start, sentence
        start += len(sentence)


def _render_block(section: Section, block: Block, edits: Sequence[Edit]) -> str:
    text = block.text
    for edit in sorted(edits, key=lambda edit: -edit.start):
        end = edit.start + len(edit.text)
        text = text[: edit.start] + text[end + (edit.kind is EditKind.ROW and text[end : end + 1] == "\n") :]
    if block.kind is BlockKind.HEADING and text:
        return f"{'#' * min(_MAX_HASHES, section.level + 1)} {' '.join(section.heading.split())}"
    return text.strip("\n")


def _squash(text: str) -> str:
    return re.sub(r"\W+", "", text.casefold())
