"""What a paper is, whatever format it came in."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class SectionKind(StrEnum):
    """What a section is for, so that tasks can keep or cut it."""

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
    """What a block of text is: running text, or something that floats free of it."""

    HEADING = "heading"
    PROSE = "prose"
    TABLE = "table"
    FIGURE = "figure"


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a paper's text, as the source has it; a table or figure holds its caption too."""

    kind: BlockKind
    text: str

    def __reduce__(self) -> tuple[type["Block"], tuple[object, ...]]:
        """Papers travel between processes by the thousand; the dataclass's own way takes ten times as long."""
        return Block, (self.kind, self.text)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it before the next heading of any level.

    `heading` is as printed, its number included ("3.2 Training"), "" for text before the first heading;
    `level` is 1 for a top-level section and 0 before the first heading; `page` counts from 1 where there are pages.
    The heading line is the first block.
    """

    heading: str
    level: int
    kind: SectionKind
    blocks: tuple[Block, ...]
    page: int | None = None

    def __reduce__(self) -> tuple[type["Section"], tuple[object, ...]]:
        """As for `Block`."""
        return Section, (self.heading, self.level, self.kind, self.blocks, self.page)

    @property
    def text(self) -> str:
        """The section as one string, its heading line included."""
        return "\n\n".join(block.text for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a loader of one format found in a source; "" for a title or an abstract that is not there.

    `sections` are in reading order and hold all of the text; `main_file` is the file that the text starts from.
    """

    title: str
    abstract: str
    sections: tuple[Section, ...]
    main_file: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper as it was understood.

    `source` is what the user named, `format` one of pdf, latex, markdown, html and text, `main_file` the file that
    the text starts from, `warnings` one sentence each about what a reader should distrust.
    """

    id: str
    title: str
    abstract: str
    sections: tuple[Section, ...]
    format: str
    source: str
    main_file: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole paper as one string."""
        return "\n\n".join(section.text for section in self.sections)

    @property
    def head(self) -> "PaperHead":
        """All that is known of the paper, without its text."""
        return PaperHead(
            id=self.id,
            title=self.title,
            format=self.format,
            source=self.source,
            main_file=self.main_file,
            sha256=self.sha256,
            chars=len(self.text),
            warnings=self.warnings,
        )

    @property
    def sha256(self) -> str:
        """Hash of title, abstract and text: what a plan can depend on."""
        joined = "\0".join((self.title, self.abstract, self.text))
        return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class PaperHead:
    """A paper without its text; `chars` is the length of that, `sha256` and the others are as for `Paper`."""

    id: str
    title: str
    format: str
    source: str
    main_file: str = ""
    sha256: str = ""
    chars: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of the paper that was not sent, its size in characters, and why."""

    heading: str
    chars: int
    why: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What one task sends of a paper."""

    title: str
    abstract: str
    text: str
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """Title, abstract and text as one string."""
        return "\n\n".join(part for part in (self.title, self.abstract, self.text) if part)
