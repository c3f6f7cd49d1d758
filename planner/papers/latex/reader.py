"""Read a paper from its LaTeX files."""
# MERGED-DOC """Read the title, abstract and sections of a flattened LaTeX text."""

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from planner.errors import PaperError
from planner.papers.characters import decode_text
from planner.papers.latex.flatten import flatten_source
from planner.papers.latex.macros import expand_macros, find_macros
from planner.papers.latex.mainfile import find_main_file
from planner.papers.latex.plain import convert_latex_to_line, convert_latex_to_text
from planner.papers.latex.scan import COMMENT_PATTERN, BraceGroups, LatexSource, LatexToken
from planner.papers.latex.visibility import find_hiding_macros, remove_hidden_text
from planner.papers.outline import Heading, HeadingOrBlock, assemble_sections, extract_abstract
from planner.papers.paper import Block, BlockKind, ParsedPaper, SectionKind, warn_of_hidden_text
from planner.papers.tree import SourceTree

_LEVELS: Final = {
    "part": -1, "chapter": 0, "section": 1, "subsection": 2, "subsubsection": 3, "subsubsubsection": 4,
    "paragraph": 4, "subparagraph": 5,
}  # fmt: skip
_TITLE_COMMANDS: Final = (
    "title",
    "icmltitle",
    "Title",
    "TITLE",
    "papertitle",
    "mytitle",
    "thetitle",
    "jmlrtitle",
    "titlename",
)
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
_ABSTRACT_NAME: Final = re.compile(r"abstract", re.I)
_NOT_ABSTRACT_NAME: Final = re.compile(r"graphical|keyword|title|index", re.I)
_BACK_MATTER: Final = {
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


def split_preamble(text: str) -> tuple[str, str]:
    """Return the preamble and the body of a source; all is body if there is no `document` environment."""
    head, found, rest = text.partition("\\begin{document}")
    end = rest.rfind("\\end{document}")  # the last one: a listing may show another
    return (head, rest[:end] if end >= 0 else rest) if found else ("", text)


def find_title_source(*sources: LatexSource) -> str:
    """Return the LaTeX of the last title given in the sources; "" if there is none."""
    found = [title for source in sources for title in _find_titles(source)]
    found = found or [named[1] for source in sources if (named := _PDF_TITLE.search(source.text))]
    return found[-1][:_LONGEST_TITLE] if found else ""


def _find_titles(source: LatexSource) -> Iterator[str]:
    for mark in source.find_commands(lambda name: name.rstrip("*") in _TITLE_COMMANDS):
        option = source.groups.read_option(mark.end)
        group = source.groups.read_group(option[1] if option else mark.end)
        if group and group[0].strip() and "#" not in group[0]:
            yield group[0]


def find_abstract_source(source: LatexSource) -> str:
    """Return the LaTeX of the abstract, an environment or an argument of that name; "" if there is none."""
    found = (_read_abstract(source.text, source.groups, mark) for mark in source.find_commands(_is_abstract_command))
    return next((part.inner for part in found if part is not None), "")


def read_pieces(source: LatexSource, to_plain_text: Callable[[str], str]) -> Iterator[HeadingOrBlock]:
    """Yield all headings and blocks of a body in order; the given function makes headings plain text."""
    body, place, appendix = source.text, 0, False
    shift = _find_level_shift(body)
    for part in _find_parts(source):
        yield from _split_paragraphs(body[place : part.start])
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
        yield Heading(to_plain_text(heading.text).rstrip("."), level, heading.source_text, heading.kind, appendix)
        yield from _split_paragraphs(part.inner)
        if heading.kind is SectionKind.ABSTRACT:
            yield Heading("", 0)
    yield from _split_paragraphs(body[place:])


def _find_level_shift(body: str) -> int:
    """Return the shift that makes the highest heading in use level 1; parts and run-in headings do not count."""
    for name in ("chapter", "section", "subsection"):
        if f"\\{name}" in body:
            return 1 - _LEVELS[name]
    return 0


def _find_parts(source: LatexSource) -> Iterator[_Part]:
    place = 0
    for mark in source.find_commands(_is_part_command):
        part = _read_part(source.text, source.groups, mark) if mark.start >= place else None
        if part is not None:
            place = part.end
            yield part


def _is_part_command(name: str) -> bool:
    bare = name.rstrip("*")
    return bare in _LEVELS or bare in _APPENDIX or bare in ("captionof", "acks") or _is_abstract_command(name)


def _read_part(text: str, groups: BraceGroups, token: LatexToken) -> _Part | None:
    name = token.name.rstrip("*")
    if name in _LEVELS:
        return _read_heading(text, groups, token)
    if name in _APPENDIX:
        return _Part(token.start, token.end)
    if name == "captionof":
        return _read_caption(groups, token)
    if name == "acks" and (found := groups.read_group(token.end)):
        return _Part(token.start, found[1], Heading("Acknowledgements", 1, " "), None, found[0])
    if (part := _read_abstract(text, groups, token)) is not None:
        return part
    return _read_environment(text, groups, token) if name == "begin" else None


def _read_heading(text: str, groups: BraceGroups, token: LatexToken) -> _Part | None:
    option = groups.read_option(token.end)
    found = groups.read_group(option[1] if option else token.end)
    if found is None or "#" in found[0]:
        return None
    level = _LEVELS[token.name.rstrip("*")]
    heading = Heading(found[0], level, text[token.start : found[1]])
    return _Part(token.start, found[1], heading)


def _read_caption(groups: BraceGroups, token: LatexToken) -> _Part | None:
    """Return the part for a caption outside any float, which stands for the float beside it."""
    what = groups.read_group(token.end)
    option = groups.read_option(what[1]) if what else None
    words = groups.read_group(option[1] if option else what[1]) if what else None
    if what is None or words is None:
        return None
    return _Part(token.start, words[1], None, BlockKind.FIGURE if what[0] == "figure" else BlockKind.TABLE)


def _is_abstract_command(name: str) -> bool:
    return name == "begin" or bool(_ABSTRACT_NAME.search(name))


def _read_abstract(text: str, groups: BraceGroups, token: LatexToken) -> _Part | None:
    """Return an abstract in any class: an environment or a command with one argument; None if it is neither."""
    if not _is_abstract_command(token.name):
        return None
    group = groups.read_group(token.end)
    name = group[0] if group and token.name == "begin" else token.name
    if group is None or not _ABSTRACT_NAME.search(name) or _NOT_ABSTRACT_NAME.search(name):
        return None
    heading = Heading("Abstract", 1, "\\section*{Abstract}", SectionKind.ABSTRACT)
    if token.name != "begin":
        long = len(group[0].split()) > 20
        return _Part(token.start, group[1], heading, None, group[0]) if long else None
    end = groups.closing_finder.find_end(f"\\end{{{name}}}", group[1])
    inner = text[group[1] : end - len(name) - 6]
    return _Part(token.start, end, heading, None, inner) if end else None


def _read_environment(text: str, groups: BraceGroups, token: LatexToken) -> _Part | None:
    group = groups.read_group(token.end)
    if group is None:
        return None
    name = group[0].strip().rstrip("*")
    if name in _APPENDIX:
        return _Part(token.start, group[1])
    floats = name in _TABLES or name in _FIGURES or name in _BARE_TABLES
    if not floats and name not in _BACK_MATTER:
        return None
    end = groups.closing_finder.find_end(f"\\end{{{group[0]}}}", group[1])
    if not end:
        return None
    if floats:
        return _Part(token.start, end, None, _find_float_kind(name, text[token.start : end]))
    heading, kind = _BACK_MATTER[name]
    return _Part(token.start, end, Heading(heading, 1, f"\\section*{{{heading}}}", kind), None, text[token.start : end])


def _find_float_kind(name: str, text: str) -> BlockKind:
    if name in _FIGURES and not ("\\begin{tabular" in text and not _GRAPHICS.search(text)):
        return BlockKind.FIGURE
    return BlockKind.TABLE


def _split_paragraphs(text: str) -> Iterator[Block]:
    for paragraph in _BLANK_LINE.split(text):
        if paragraph.strip():
            yield Block(BlockKind.PROSE, paragraph.strip("\n").rstrip())


_BIBLIOGRAPHY: Final = re.compile(
    r"\\(?:bibliography\s*\{[^{}]*\}|printbibliography\s*(?:\[[^\[\]]*\])?|printbibheading)"
)
_PACKAGES: Final = re.compile(r"\\(?:usepackage|RequirePackage|documentclass)\s*(?:\[[^\[\]]*\])?\s*\{([^{}]+)\}")
_ABSTRACT_HEADING: Final = Heading("Abstract", 1, "\\section*{Abstract}", SectionKind.ABSTRACT)
_LONGEST_STYLE: Final = 100_000  # bytes; a longer style file is a publisher's


def read_latex(tree: SourceTree, main_name: str = "", other_main_names: tuple[str, ...] = ()) -> ParsedPaper:
    """Return the paper with the given main file, or the one found; a warning names other possible main files.

    Raises:
        PaperError: if no file can be the main file, or the files are too large or cannot be read.
    """
    if not main_name:
        main_name, other_main_names = find_main_file(tree)
    if not main_name:
        raise PaperError(f"{tree.name!r} has no .tex file with \\documentclass or \\section; give the main file itself")
    flat = flatten_source(tree, main_name)
    preamble, body = split_preamble(flat.text)
    before, source = LatexSource(preamble), LatexSource(_add_references(tree, main_name, body))
    own = find_macros(LatexSource(_read_styles(tree, main_name, preamble))) | find_macros(before) | find_macros(source)
    source, hidden = remove_hidden_text(
        expand_macros(source, own, extra_names=find_hiding_macros(own, preamble)), preamble
    )
    abstract = find_abstract_source(source)
    early = "" if abstract else find_abstract_source(expand_macros(before, own))
    opening = (_ABSTRACT_HEADING, Block(BlockKind.PROSE, early.strip())) if early.strip() else ()

    def spell(text: str) -> str:
        return expand_macros(LatexSource(text), own, expand_all=True).text

    sections = assemble_sections(
        (*opening, *read_pieces(source, lambda heading: convert_latex_to_line(spell(heading))))
    )
    return ParsedPaper(
        title=convert_latex_to_line(spell(find_title_source(before, source))),
        abstract=convert_latex_to_text(spell(abstract or early or extract_abstract(sections))),
        sections=sections,
        main_file=main_name,
        warnings=(
            *flat.warnings,
            *_warn_of_other_main_files(main_name, other_main_names),
            *warn_of_hidden_text(hidden),
            *tree.warnings,
        ),
    )


def _read_styles(tree: SourceTree, main_name: str, preamble: str) -> str:
    """Return the text of the paper's own style files, which define its commands."""
    texts = []
    for packages in _PACKAGES.findall(preamble):
        for package in packages.split(","):
            name = tree.find_file(package.strip() + ".sty", posixpath.dirname(main_name), "")
            if name and len(data := tree.read_bytes(name)) < _LONGEST_STYLE:
                texts.append(COMMENT_PATTERN.sub("", decode_text(data, name)[0]))
    return "\n".join(texts)


def _add_references(tree: SourceTree, main_name: str, body: str) -> str:
    """Return the body with a references section where the bibliography stands, the compiled one if there is one."""
    if "\\begin{thebibliography}" in body:
        return body
    own = tree.find_file(posixpath.splitext(main_name)[0] + ".bbl", "")
    others = tree.list_names(".bbl")
    name = own or (others[0] if len(others) == 1 else "")
    entries = flatten_source(tree, name).text if name else ""
    if name and "\\begin{thebibliography}" not in entries:
        entries = f"\\begin{{thebibliography}}{{}}\n{entries}\n\\end{{thebibliography}}"
    return _BIBLIOGRAPHY.sub(lambda found: entries or f"\\section*{{References}}\n{found[0]}", body, count=1)


def _warn_of_other_main_files(main_name: str, other_main_names: tuple[str, ...]) -> tuple[str, ...]:
    if not other_main_names:
        return ()
    return (
        f"{main_name!r} was taken as the main file; other possible main files: {', '.join(map(repr, other_main_names[:5]))}",
    )
