"""The types of papers and of their parts, and warnings about text that may have been read wrongly."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Final

from planner.papers.characters import is_english
from planner.papers.sources import FileFormat

_MAX_QUOTED_CHARS: Final = 300  # characters of one hidden text in a warning
_MAX_WARNINGS: Final = 20  # warnings about hidden text; one more counts the rest
_MAX_SAMPLE_CHARS: Final = 4_000  # characters of prose from which the language is guessed
_MAX_SAMPLE_BLOCKS: Final = 50


class SectionKind(StrEnum):
    """The kind of a section, which decides whether a task sends the section."""

    ABSTRACT = "abstract"
    INTRODUCTION = "introduction"
    RELATED_WORK = "related_work"
    METHOD = "method"
    EXPERIMENTS = "experiments"
    ABLATION = "ablation"
    CONCLUSION = "conclusion"
    REFERENCES = "references"
    ACKNOWLEDGEMENTS = "acknowledgements"
    CHECKLIST = "checklist"
    APPENDIX = "appendix"
    OTHER = "other"


class BlockKind(StrEnum):
    """The kind of a block: a heading, running text, a table or a figure."""

    HEADING = "heading"
    PROSE = "prose"
    TABLE = "table"
    FIGURE = "figure"


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a paper's text, such as a paragraph; a table or figure includes its caption.

    `page` is the page on which the block starts, counted from 1, or None if the format has no pages. Blocks are
    compared without their pages.
    """

    kind: BlockKind
    text: str
    page: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the blocks up to the next heading of any level.

    `heading` is as printed, with its number ("3.2 Training"), or "" for text before the first heading. `level` is 1
    for a top-level section and 0 for text without a heading. `page` counts from 1; it is None if the format has no
    pages. The heading line is the first block.
    """

    heading: str
    level: int
    kind: SectionKind
    blocks: tuple[Block, ...]
    page: int | None = None

    @property
    def display_heading(self) -> str:
        """The heading for messages; for text without a heading, "(before the first heading)"."""
        return self.heading or "(before the first heading)"

    @property
    def text(self) -> str:
        """The text of the section, with its heading line."""
        return "\n\n".join(block.text for block in self.blocks)


@dataclass(frozen=True, slots=True)
class ParsedPaper:
    """A paper as it was read from a source; a missing title or abstract is "", and unknown authors are ().

    `sections` are in reading order and hold the whole text. `format` is the format of the source. `main_file` is the
    file in which the text starts.
    """

    title: str
    abstract: str
    sections: tuple[Section, ...]
    format: FileFormat
    main_file: str = ""
    warnings: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper with its title, abstract and sections.

    `source` is the path, id or address that the user gave. `format` is pdf, latex, markdown, html or text. `main_file`
    is the file in which the text starts. `warnings` has one sentence for each doubt about the reading. `authors` is
    empty if the authors are not known.
    """

    id: str
    title: str
    abstract: str
    sections: tuple[Section, ...]
    format: str
    source: str
    main_file: str = ""
    warnings: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of all sections."""
        return "\n\n".join(section.text for section in self.sections)

    @property
    def info(self) -> "PaperInfo":
        """The metadata of the paper, without its text."""
        return PaperInfo(
            id=self.id,
            title=self.title,
            format=self.format,
            source=self.source,
            main_file=self.main_file,
            sha256=self.sha256,
            chars=len(self.text),
            warnings=self.warnings,
            abstract=self.abstract,
            authors=self.authors,
        )

    @property
    def sha256(self) -> str:
        """The SHA-256 hash of the title, abstract and text, as hexadecimal digits."""
        joined = "\0".join((self.title, self.abstract, self.text))
        return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class PaperInfo:
    """The metadata of a paper; `chars` is the number of characters in its text. See `Paper` for the other fields."""

    id: str
    title: str
    format: str
    source: str
    main_file: str = ""
    sha256: str = ""
    chars: int = 0
    warnings: tuple[str, ...] = ()
    abstract: str = ""
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Omission:
    """A part of a paper that is not sent: its heading, its size in characters, and the reason."""

    heading: str
    chars: int
    why: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The part of a paper that a task sends to the model; `text` is the joined text of `sections`."""

    title: str
    abstract: str
    text: str
    omissions: tuple[Omission, ...] = ()
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()

    @property
    def full_text(self) -> str:
        """The title, abstract and text, joined by blank lines."""
        return "\n\n".join(part for part in (self.title, self.abstract, self.text) if part)

    def copy_with_sections(self, sections: Sequence[Section], omissions: Iterable[Omission]) -> "Excerpt":
        """Return a copy that sends `sections` instead; `omissions` are added to those of the excerpt."""
        text = "\n\n".join(section.text for section in sections)
        return replace(self, text=text, sections=tuple(sections), omissions=(*self.omissions, *omissions))


def is_english_paper(sections: Iterable[Section]) -> bool:
    """Return whether the prose at the start of a paper seems to be English."""
    texts = (block.text for section in sections for block in section.blocks if block.kind is BlockKind.PROSE)
    return is_english("\n".join(islice(texts, _MAX_SAMPLE_BLOCKS))[:_MAX_SAMPLE_CHARS])


def build_hidden_text_warnings(hidden_texts: Iterable[str]) -> tuple[str, ...]:
    """Return a warning for each distinct hidden text; after 20 warnings, one more counts the other texts."""
    texts = [" ".join(text.split()) for text in hidden_texts]
    texts = list(dict.fromkeys(text for text in texts if text))
    warnings = [f"text that the page does not show was left out: {_shorten(text)!r}" for text in texts[:_MAX_WARNINGS]]
    if len(texts) > _MAX_WARNINGS:
        warnings.append(f"{len(texts) - _MAX_WARNINGS} more hidden texts were left out of the paper")
    return tuple(warnings)


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_QUOTED_CHARS else text[:_MAX_QUOTED_CHARS] + "…"
