"""Read the title, abstract and sections of a flattened LaTeX text."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from planner.papers.latex.scan import Groups, Mark, Source
from planner.papers.outline import Heading, Piece
from planner.papers.paper import Block, BlockKind, SectionKind

_LEVELS: Final = {
    "part": -1, "chapter": 0, "section": 1, "subsection": 2, "subsubsection": 3, "subsubsubsection": 4,
    "paragraph": 4, "subparagraph": 5,
}  # fmt: skip
_TITLES: Final = ("title", "icmltitle", "Title", "TITLE", "papertitle", "mytitle", "thetitle", "jmlrtitle", "titlename")
_TABLES_WORDS: Final = """
    table wraptable sidewaystable longtable supertabular SCtable margintable tablehere subtable
"""
_TABLES: Final = frozenset(_TABLES_WORDS.split())
_BARE_TABLES_WORDS: Final = """
    tabular tabularx tabulary tblr NiceTabular NiceTabularX longtblr talltblr tabu longtabu xtabular xltabular
    mpsupertabular deluxetable threeparttable
"""
_BARE_TABLES: Final = frozenset(_BARE_TABLES_WORDS.split())
_FIGURES_WORDS: Final = """
    figure wrapfigure sidewaysfigure SCfigure teaserfigure marginfigure figurehere subfigure
"""
_FIGURES: Final = frozenset(_FIGURES_WORDS.split())
_PDF_TITLE: Final = re.compile(r"pdftitle\s*=\s*\{([^{}]+)\}")
_LONGEST_TITLE: Final = 3_000
_ABSTRACT: Final = re.compile(r"abstract", re.I)
_NOT_ABSTRACT: Final = re.compile(r"graphical|keyword|title|index", re.I)
_BACK: Final = {
    "ack": ("Acknowledgements", SectionKind.ACKNOWLEDGEMENTS),
    "acks": ("Acknowledgements", SectionKind.ACKNOWLEDGEMENTS),
    "acknowledgements": ("Acknowledgements", SectionKind.ACKNOWLEDGEMENTS),
    "acknowledgments": ("Acknowledgements", SectionKind.ACKNOWLEDGEMENTS),
    "acknowledgement": ("Acknowledgements", SectionKind.ACKNOWLEDGEMENTS),
    "acknowledgment": ("Acknowledgements", SectionKind.ACKNOWLEDGEMENTS),
    "thebibliography": ("References", SectionKind.REFERENCES),
    "references": ("References", SectionKind.REFERENCES),
}
_APPENDIX: Final = frozenset({"appendix", "appendices", "appendixpage", "beginappendix", "supplementary"})
_BLANK_LINE: Final = re.compile(r"\n[ \t]*\n")
_GRAPHICS: Final = re.compile(
    r"\\includegraphics|\\begin\{(?:tikzpicture|axis|overpic)|\\input\{[^}]*(?:tikz|pgf|pdf_tex)"
)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the body: a heading, a float, an environment with its own heading, or the appendix's start."""

    start: int
    end: int
    heading: Heading | None = None
    kind: BlockKind | None = None
    inner: str = ""


def split(text: str) -> tuple[str, str]:
    """Return the preamble and the body of a source; all is body if there is no `document` environment."""
    head, found, rest = text.partition("\\begin{document}")
    end = rest.rfind("\\end{document}")  # the last one: a listing may show another
    return (head, rest[:end] if end >= 0 else rest) if found else ("", text)


def title_of(*sources: Source) -> str:
    """Return the LaTeX of the last title given in the sources; "" if there is none."""
    found = [title for source in sources for title in _titles(source)]
    found = found or [named[1] for source in sources if (named := _PDF_TITLE.search(source.text))]
    return found[-1][:_LONGEST_TITLE] if found else ""


def _titles(source: Source) -> Iterator[str]:
    for mark in source.commands(lambda name: name.rstrip("*") in _TITLES):
        option = source.groups.option(mark.end)
        group = source.groups.group(option[1] if option else mark.end)
        if group and group[0].strip() and "#" not in group[0]:
            yield group[0]


def abstract_source(source: Source) -> str:
    """Return the LaTeX of the abstract, an environment or an argument of that name; "" if there is none."""
    found = (_abstract(source.text, source.groups, mark) for mark in source.commands(_may_be_abstract))
    return next((part.inner for part in found if part is not None), "")


def pieces(source: Source, spell: Callable[[str], str]) -> Iterator[Piece]:
    """Yield all headings and blocks of a body in order; the given function makes headings plain text."""
    body, place, appendix = source.text, 0, False
    shift = _shift(body)
    for part in _parts(source):
        yield from _paragraphs(body[place : part.start])
        place = part.end
        if part.heading is None and part.kind is None:
            appendix = True
            continue
        if part.kind is not None:
            yield Block(part.kind, body[part.start : part.end])
            continue
        assert part.heading is not None
        heading = part.heading
        level = max(1, heading.level + shift)
        yield Heading(spell(heading.text).rstrip("."), level, heading.source, heading.kind, appendix)
        yield from _paragraphs(part.inner)
        if heading.kind is SectionKind.ABSTRACT:
            yield Heading("", 0)
    yield from _paragraphs(body[place:])


def _shift(body: str) -> int:
    """Return the shift that makes the highest heading in use level 1; parts and run-in headings do not count."""
    for name in ("chapter", "section", "subsection"):
        if f"\\{name}" in body:
            return 1 - _LEVELS[name]
    return 0


def _parts(source: Source) -> Iterator[_Part]:
    place = 0
    for mark in source.commands(_may_begin_a_part):
        part = _part(source.text, source.groups, mark) if mark.start >= place else None
        if part is not None:
            place = part.end
            yield part


def _may_begin_a_part(name: str) -> bool:
    bare = name.rstrip("*")
    return bare in _LEVELS or bare in _APPENDIX or bare in ("captionof", "acks") or _may_be_abstract(name)


def _part(text: str, groups: Groups, mark: Mark) -> _Part | None:
    name = mark.name.rstrip("*")
    if name in _LEVELS:
        return _heading(text, groups, mark)
    if name in _APPENDIX:
        return _Part(mark.start, mark.end)
    if name == "captionof":
        return _caption(groups, mark)
    if name == "acks" and (found := groups.group(mark.end)):
        return _Part(mark.start, found[1], Heading("Acknowledgements", 1, " "), None, found[0])
    if (part := _abstract(text, groups, mark)) is not None:
        return part
    return _environment(text, groups, mark) if name == "begin" else None


def _heading(text: str, groups: Groups, mark: Mark) -> _Part | None:
    option = groups.option(mark.end)
    found = groups.group(option[1] if option else mark.end)
    if found is None or "#" in found[0]:
        return None
    level = _LEVELS[mark.name.rstrip("*")]
    heading = Heading(found[0], level, text[mark.start : found[1]])
    return _Part(mark.start, found[1], heading)


def _caption(groups: Groups, mark: Mark) -> _Part | None:
    """Return the part for a caption outside any float, which stands for the float beside it."""
    what = groups.group(mark.end)
    option = groups.option(what[1]) if what else None
    words = groups.group(option[1] if option else what[1]) if what else None
    if what is None or words is None:
        return None
    return _Part(mark.start, words[1], None, BlockKind.FIGURE if what[0] == "figure" else BlockKind.TABLE)


def _may_be_abstract(name: str) -> bool:
    return name == "begin" or bool(_ABSTRACT.search(name))


def _abstract(text: str, groups: Groups, mark: Mark) -> _Part | None:
    """Return an abstract in any class: an environment or a command with one argument; None if it is neither."""
    if not _may_be_abstract(mark.name):
        return None
    group = groups.group(mark.end)
    name = group[0] if group and mark.name == "begin" else mark.name
    if group is None or not _ABSTRACT.search(name) or _NOT_ABSTRACT.search(name):
        return None
    heading = Heading("Abstract", 1, "\\section*{Abstract}", SectionKind.ABSTRACT)
    if mark.name != "begin":
        long = len(group[0].split()) > 20
        return _Part(mark.start, group[1], heading, None, group[0]) if long else None
    end = groups.closings.after(f"\\end{{{name}}}", group[1])
    inner = text[group[1] : end - len(name) - 6]
    return _Part(mark.start, end, heading, None, inner) if end else None


def _environment(text: str, groups: Groups, mark: Mark) -> _Part | None:
    group = groups.group(mark.end)
    if group is None:
        return None
    name = group[0].strip().rstrip("*")
    if name in _APPENDIX:
        return _Part(mark.start, group[1])
    floats = name in _TABLES or name in _FIGURES or name in _BARE_TABLES
    if not floats and name not in _BACK:
        return None
    end = groups.closings.after(f"\\end{{{group[0]}}}", group[1])
    if not end:
        return None
    if floats:
        return _Part(mark.start, end, None, _float_kind(name, text[mark.start : end]))
    heading, kind = _BACK[name]
    return _Part(mark.start, end, Heading(heading, 1, f"\\section*{{{heading}}}", kind), None, text[mark.start : end])


def _float_kind(name: str, text: str) -> BlockKind:
    if name in _FIGURES and not ("\\begin{tabular" in text and not _GRAPHICS.search(text)):
        return BlockKind.FIGURE
    return BlockKind.TABLE


def _paragraphs(text: str) -> Iterator[Block]:
    for paragraph in _BLANK_LINE.split(text):
        if paragraph.strip():
            yield Block(BlockKind.PROSE, paragraph.strip("\n").rstrip())
