"""Read a paper from its LaTeX files: the title, the abstract and the sections."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from planner.papers.characters import decode_text_with_warnings
from planner.papers.headings import find_abstract_text
from planner.papers.latex.flatten import flatten_source
from planner.papers.latex.macros import (
    DRAWINGS,
    DRIVER_COMMANDS,
    FLOAT_COMMANDS,
    FLOAT_KINDS,
    PLOTTED,
    UNPRINTED_COMMANDS,
    Macro,
    expand_macros,
    find_defined_float_kinds,
    find_macros,
)
from planner.papers.latex.plain import convert_latex_to_line, convert_latex_to_text
from planner.papers.latex.scan import COMMENT_PATTERN, BraceGroups, LatexSource, LatexToken
from planner.papers.latex.visibility import find_hidden_texts, remove_hidden_texts
from planner.papers.outline import Heading, HeadingOrBlock, assemble_sections
from planner.papers.paper import Block, BlockKind, ParsedPaper, SectionKind, build_hidden_text_warnings
from planner.papers.sources import FileFormat, SourceTree
from planner.papers.text import is_table

_LEVELS: Final = {
    "part": -1, "chapter": 0, "section": 1, "subsection": 2, "subsubsection": 3, "subsubsubsection": 4,
    "paragraph": 4, "subparagraph": 5,
}  # fmt: skip
_TITLE_COMMANDS: Final = frozenset(
    {"title", "icmltitle", "Title", "TITLE", "papertitle", "mytitle", "thetitle", "jmlrtitle", "titlename"}
)
_PDF_TITLE: Final = re.compile(r"pdftitle\s*=\s*\{([^{}]+)\}")
_MAX_TITLE_CHARS: Final = 3_000
_ABSTRACT_NAME: Final = re.compile(r"abstract", re.I)
_NOT_ABSTRACT_NAME: Final = re.compile(r"graphical|keyword|title|index", re.I)
_ACKNOWLEDGEMENTS: Final = "ack acks acknowledgements acknowledgments acknowledgement acknowledgment"
_BACK_MATTER: Final = {  # the title and the kind of the section
    **dict.fromkeys(_ACKNOWLEDGEMENTS.split(), ("Acknowledgements", SectionKind.ACKNOWLEDGEMENTS)),
    **dict.fromkeys(("thebibliography", "references"), ("References", SectionKind.REFERENCES)),
}
_APPENDIX: Final = frozenset({"appendix", "appendices", "appendixpage", "beginappendix", "supplementary"})
_PART_COMMANDS: Final = _APPENDIX.union(_LEVELS, FLOAT_COMMANDS, ("captionof", "acks"))
_SENTENCE: Final = re.compile(r"(?:(?<![\\\w])[A-Za-z]{2,}[^\w\\{}]{1,3}){5}")
_BLANK_LINE: Final = re.compile(r"\n[ \t]*\n")
_ARRAY_RULES: Final = re.compile(
    r"\\(?:begin\s*\{array\}(?:\[\w\])?\{[^{}]*\}|end\s*\{array\}|[hc]line\b|(?:top|mid|bottom)rule\b)"
)
_LABELLED_ROW: Final = re.compile(r"^\s*\\(?:text(?:rm|bf|it|sf|tt|sc)?|mbox|mathrm|mathbf|hbox)\s*\{[^&\n]*&", re.M)
_BIBLIOGRAPHY: Final = re.compile(
    r"\\(?:bibliography\s*\{[^{}]*\}|printbibliography\s*(?:\[[^\[\]]*\])?|printbibheading)"
)
_PACKAGES: Final = re.compile(r"\\(?:usepackage|RequirePackage|documentclass)\s*(?:\[[^\[\]]*\])?\s*\{([^{}]+)\}")
_GRAPHICS: Final = re.compile(
    r"\\includegraphics|\\begin\{(?:tikzpicture|axis|overpic)|\\input\{[^}]*(?:tikz|pgf|pdf_tex)"
)
_HIDING_COMMAND: Final = re.compile(
    r"\\(?:text)?(?:color|transparent|pdfrender)\b|\\(?:[hv]?phantom|fontsize|scalebox|resizebox|raisebox)\b"
)
_MAX_STYLE_BYTES: Final = 100_000  # a larger style file is a publisher's


@dataclass(frozen=True, slots=True)
class _BodyPart:
    """A part of a body: a heading, a figure or table, an environment such as the abstract, or `\\appendix`."""

    start: int
    end: int
    heading: Heading | None = None
    kind: BlockKind | None = None
    inner: str = ""


_APPENDIX_HEADING: Final = Heading("Appendix", 1, "\\section*{Appendix}", is_in_appendix=True)
_ABSTRACT_HEADING: Final = Heading("Abstract", 1, "\\section*{Abstract}", SectionKind.ABSTRACT)


def read_latex(tree: SourceTree, main_name: str, other_main_names: tuple[str, ...] = ()) -> ParsedPaper:
    """Read the paper with the main file `main_name`; a warning lists other possible main files.

    Raises:
        PaperError: if the files are too large or cannot be read.
    """
    flattened = flatten_source(tree, main_name)
    preamble, body = _split_preamble(flattened.text)
    head, raw_source = LatexSource(preamble), LatexSource(_add_references(tree, main_name, body))
    styles = LatexSource(_read_styles(tree, main_name, preamble))
    macros = UNPRINTED_COMMANDS | find_macros(styles) | find_macros(head) | find_macros(raw_source)
    simple_macros = {name: macro for name, macro in macros.items() if macro.is_simple}
    source = expand_macros(raw_source, simple_macros | _select_hiding_macros(macros, preamble))
    hidden_texts = find_hidden_texts(source, preamble)
    source = expand_macros(remove_hidden_texts(source, hidden_texts), DRIVER_COMMANDS)
    own_floats = find_defined_float_kinds(styles) | find_defined_float_kinds(head) | find_defined_float_kinds(source)
    abstract = _find_abstract(source)
    early_abstract = "" if abstract else _find_abstract(expand_macros(head, simple_macros)).strip()
    opening = (_ABSTRACT_HEADING, Block(BlockKind.PROSE, early_abstract)) if early_abstract else ()

    def expand(text: str) -> str:
        return expand_macros(LatexSource(text), macros, max_depth=6).text

    def convert_heading(text: str) -> str:
        return convert_latex_to_line(expand(text))

    sections = assemble_sections((*opening, *split_headings_and_blocks(source, convert_heading, own_floats)))
    return ParsedPaper(
        title=convert_heading(_find_title(head, source) or _find_title(raw_source)),
        abstract=convert_latex_to_text(expand(abstract or early_abstract or find_abstract_text(sections))),
        sections=sections,
        format=FileFormat.LATEX,
        main_file=main_name,
        warnings=(
            *flattened.warnings,
            *_warn_of_other_main_files(main_name, other_main_names),
            *build_hidden_text_warnings([hidden.text for hidden in hidden_texts]),
            *tree.warnings,
        ),
    )


def _select_hiding_macros(macros: Mapping[str, Macro], preamble: str) -> dict[str, Macro]:
    """Return the macros that hide their arguments from readers."""
    suspects = [macro for macro in macros.values() if macro.argument_count and _HIDING_COMMAND.search(macro.body)]
    calls = {macro.name: LatexSource(macro.expand_call(["words"] * macro.argument_count)) for macro in suspects}
    return {name: macros[name] for name, call in calls.items() if find_hidden_texts(call, preamble)}


def _read_styles(tree: SourceTree, main_name: str, preamble: str) -> str:
    """Return the text of the paper's own style files, since they may define commands."""
    texts = []
    for packages in _PACKAGES.findall(preamble):
        for package in packages.split(","):
            name = tree.find_file(package.strip() + ".sty", posixpath.dirname(main_name), "")
            if name and len(data := tree.read_bytes(name)) < _MAX_STYLE_BYTES:
                texts.append(COMMENT_PATTERN.sub("", decode_text_with_warnings(data, name)[0]))
    return "\n".join(texts)


def _add_references(tree: SourceTree, main_name: str, body: str) -> str:
    """Return the body with the references from a `.bbl` file in place of `\\bibliography`.

    If there is no such file, only a heading "References" is added.
    """
    if "\\begin{thebibliography}" in body:
        return body
    names = tree.list_paths(".bbl")
    same_name = tree.find_file(posixpath.splitext(main_name)[0] + ".bbl", "")
    name = same_name or (names[0] if len(names) == 1 else "")
    entries = flatten_source(tree, name).text if name else ""
    if name and "\\begin{thebibliography}" not in entries:
        entries = f"\\begin{{thebibliography}}{{}}\n{entries}\n\\end{{thebibliography}}"
    return _BIBLIOGRAPHY.sub(lambda match: entries or f"\\section*{{References}}\n{match[0]}", body, count=1)


def _warn_of_other_main_files(main_name: str, other_main_names: tuple[str, ...]) -> tuple[str, ...]:
    if not other_main_names:
        return ()
    others = ", ".join(map(repr, other_main_names[:5]))
    return (f"{main_name!r} was read as the main file; other possible main files: {others}",)


def _split_preamble(text: str) -> tuple[str, str]:
    """Return the preamble and the body of a source; without a `document` environment, the preamble is ""."""
    preamble, separator, rest = text.partition("\\begin{document}")
    body, end, _ = rest.rpartition("\\end{document}")  # the last one: a listing may show another
    return (preamble, body if end else rest) if separator else ("", text)


def _find_title(*sources: LatexSource) -> str:
    """Return the LaTeX of the last title in the sources; "" if there is none."""
    titles = [title for source in sources for title in _find_titles(source)]
    titles = titles or [match[1] for source in sources if (match := _PDF_TITLE.search(source.text))]
    return titles[-1][:_MAX_TITLE_CHARS] if titles else ""


def _find_titles(source: LatexSource) -> Iterator[str]:
    for token in source.find_commands(lambda name: name.rstrip("*") in _TITLE_COMMANDS):
        group = source.groups.read_group(source.groups.find_option_end(token.end))
        if group and group.text.strip() and "#" not in group.text:
            yield group.text


def _find_abstract(source: LatexSource) -> str:
    """Return the LaTeX of the abstract in its environment or command; "" if there is none."""
    tokens = source.find_commands(_is_abstract_command)
    parts = (_read_abstract(source.groups, token) for token in tokens)
    return next((part.inner for part in parts if part is not None), "")


def split_headings_and_blocks(
    source: LatexSource,
    convert_heading: Callable[[str], str],
    defined_float_kinds: Mapping[str, BlockKind],
) -> Iterator[HeadingOrBlock]:
    """Yield the headings and blocks of a body in order; `convert_heading` turns LaTeX into plain text.

    `defined_float_kinds` are the kinds of the figure and table environments that the paper defines.
    """
    body, position, appendix, has_top_heading = source.text, 0, False, True
    shift = _find_level_shift(body)
    for part in (*_find_parts(source, defined_float_kinds), _BodyPart(len(body), len(body))):
        level = max(1, part.heading.level + shift) if part.heading else 0
        before = body[position : part.start]
        if not has_top_heading and (level > 1 or _SENTENCE.search(before)):
            yield _APPENDIX_HEADING  # otherwise the text would belong to the section before, such as the references
        has_top_heading = has_top_heading or level > 0 or bool(_SENTENCE.search(before))
        yield from _split_paragraphs(before)
        position = part.end
        if part.kind is not None:
            yield Block(part.kind, body[part.start : part.end])
        elif part.heading is None:
            has_top_heading, appendix = appendix and has_top_heading, True
        else:
            heading = part.heading
            yield Heading(convert_heading(heading.text).rstrip("."), level, heading.source_text, heading.kind, appendix)
            yield from _split_paragraphs(part.inner)
            if heading.kind is SectionKind.ABSTRACT:
                yield Heading("", 0)


def _find_level_shift(body: str) -> int:
    """Return the number to add to the level of every heading, so that the paper's highest headings have level 1."""
    return next((1 - _LEVELS[name] for name in ("chapter", "section", "subsection") if f"\\{name}" in body), 0)


def _find_parts(source: LatexSource, own_floats: Mapping[str, BlockKind]) -> Iterator[_BodyPart]:
    position = 0
    for token in source.find_commands(lambda name: name.rstrip("*") in _PART_COMMANDS or _is_abstract_command(name)):
        part = _read_part(source.groups, token, own_floats) if token.start >= position else None
        if part is not None:
            position = part.end
            yield part


def _read_part(groups: BraceGroups, token: LatexToken, own_floats: Mapping[str, BlockKind]) -> _BodyPart | None:
    name = token.name.rstrip("*")
    if name in _LEVELS:
        return _read_heading(groups, token)
    if name in _APPENDIX:
        return _BodyPart(token.start, token.end)
    if name in FLOAT_COMMANDS:
        return _read_float_command(groups, token)
    if name == "captionof":
        return _read_caption(groups, token)
    if name == "acks" and (group := groups.read_group(token.end)):
        return _BodyPart(token.start, group.end, Heading("Acknowledgements", 1, " "), inner=group.text)
    if (part := _read_abstract(groups, token)) is not None:
        return part
    return _read_environment(groups, token, own_floats) if name == "begin" else None


def _read_heading(groups: BraceGroups, token: LatexToken) -> _BodyPart | None:
    group = groups.read_group(groups.find_option_end(token.end))
    if group is None or "#" in group.text:
        return None
    heading = Heading(group.text, _LEVELS[token.name.rstrip("*")], groups.text[token.start : group.end])
    return _BodyPart(token.start, group.end, heading)


def _read_caption(groups: BraceGroups, token: LatexToken) -> _BodyPart | None:
    """Return the caption in a `\\captionof` as a figure or table of its own; None if an argument is missing."""
    float_type = groups.read_group(token.end)
    caption = groups.read_group(groups.find_option_end(float_type.end)) if float_type else None
    if float_type is None or caption is None:
        return None
    kind = BlockKind.FIGURE if float_type.text == "figure" else BlockKind.TABLE
    return _BodyPart(token.start, caption.end, kind=kind)


def _is_abstract_command(name: str) -> bool:
    return name == "begin" or bool(_ABSTRACT_NAME.search(name))


def _read_abstract(groups: BraceGroups, token: LatexToken) -> _BodyPart | None:
    """Return the abstract that begins at the token, or None if no abstract begins there."""
    group = groups.read_group(groups.find_option_end(token.end))
    name = group.text if group and token.name == "begin" else token.name
    if group is None or not _ABSTRACT_NAME.search(name) or _NOT_ABSTRACT_NAME.search(name):
        return None
    if token.name != "begin":
        is_long = len(group.text.split()) > 20
        return _BodyPart(token.start, group.end, _ABSTRACT_HEADING, inner=group.text) if is_long else None
    content = groups.read_environment(name, group.end)
    return _BodyPart(token.start, content.end, _ABSTRACT_HEADING, inner=content.text) if content else None


def _read_float_command(groups: BraceGroups, token: LatexToken) -> _BodyPart | None:
    count, kind = FLOAT_COMMANDS[token.name.rstrip("*")]
    values, end = groups.read_arguments(groups.find_option_end(token.end), count)
    return _BodyPart(token.start, end, kind=kind) if len(values) == count else None


def _read_environment(groups: BraceGroups, token: LatexToken, own_floats: Mapping[str, BlockKind]) -> _BodyPart | None:
    group = groups.read_group(token.end)
    if group is None:
        return None
    name = group.text.strip().rstrip("*")
    if name in _APPENDIX:
        return _BodyPart(token.start, group.end)
    is_float = name in own_floats or name in FLOAT_KINDS
    if not is_float and name not in _BACK_MATTER and name not in DRAWINGS and name != "array":
        return None
    content = groups.read_environment(*group)
    if content is None:
        return None
    end = content.end
    environment = groups.text[token.start : end]
    if name == "array":
        return _BodyPart(token.start, end, kind=BlockKind.TABLE) if _is_array_of_results(environment) else None
    if is_float:
        return _BodyPart(token.start, end, kind=own_floats.get(name) or _classify_float(name, environment))
    if name in DRAWINGS:
        return _BodyPart(token.start, end, kind=BlockKind.FIGURE) if PLOTTED.search(environment) else None
    title, kind = _BACK_MATTER[name]
    return _BodyPart(token.start, end, Heading(title, 1, f"\\section*{{{title}}}", kind), inner=environment)


def _classify_float(name: str, text: str) -> BlockKind:
    """Return the kind of a float; a figure with a tabular and no graphics is a table, one with an algorithm prose."""
    kind = FLOAT_KINDS[name]
    if kind is BlockKind.TABLE or _GRAPHICS.search(text):
        return kind
    if "\\begin{tabular" in text:
        return BlockKind.TABLE
    return BlockKind.PROSE if "\\begin{algorithm" in text else kind


def _is_array_of_results(array: str) -> bool:
    """Return whether an array is a table: most rows begin with words, and numbers follow."""
    rows = _ARRAY_RULES.sub("", " ".join(array.split())).replace("\\\\", "\n")
    return bool(_LABELLED_ROW.search(rows)) and is_table(rows)


def _split_paragraphs(text: str) -> Iterator[Block]:
    for paragraph in _BLANK_LINE.split(text):
        if paragraph.strip():
            yield Block(BlockKind.PROSE, paragraph.strip("\n").rstrip())
