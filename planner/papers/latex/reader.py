"""Read a paper from its LaTeX files."""

import posixpath
import re
from typing import Final

from planner.errors import PaperError
from planner.papers.characters import decode
from planner.papers.hidden import quoted
from planner.papers.latex.flatten import flatten
from planner.papers.latex.hidden import hiding, without_hidden
from planner.papers.latex.macros import definitions, expand
from planner.papers.latex.mainfile import main_file
from planner.papers.latex.plain import one_line, plain
from planner.papers.latex.scan import COMMENT, Source
from planner.papers.latex.structure import abstract_source, pieces, split, title_of
from planner.papers.outline import Heading, abstract_of, outline
from planner.papers.paper import Block, BlockKind, Reading, SectionKind
from planner.papers.tree import Tree

_BIBLIOGRAPHY: Final = re.compile(
    r"\\(?:bibliography\s*\{[^{}]*\}|printbibliography\s*(?:\[[^\[\]]*\])?|printbibheading)"
)
_PACKAGES: Final = re.compile(r"\\(?:usepackage|RequirePackage|documentclass)\s*(?:\[[^\[\]]*\])?\s*\{([^{}]+)\}")
_ABSTRACT: Final = Heading("Abstract", 1, "\\section*{Abstract}", SectionKind.ABSTRACT)
_OWN_STYLE: Final = 100_000  # bytes; a longer style file is a publisher's


def read_latex(tree: Tree, main: str = "", others: tuple[str, ...] = ()) -> Reading:
    """Return the paper with the given main file, or the one found; a warning names other possible main files.

    Raises:
        PaperError: if no file can be the main file, or the files are too large or cannot be read.
    """
    if not main:
        main, others = main_file(tree)
    if not main:
        raise PaperError(f"{tree.name!r} has no .tex file with \\documentclass or \\section; give the main file itself")
    flat = flatten(tree, main)
    preamble, body = split(flat.text)
    before, source = Source(preamble), Source(_with_references(tree, main, body))
    own = definitions(Source(_styles(tree, main, preamble))) | definitions(before) | definitions(source)
    source, hidden = without_hidden(expand(source, own, also=hiding(own, preamble)), preamble)
    abstract = abstract_source(source)
    early = "" if abstract else abstract_source(expand(before, own))
    opening = (_ABSTRACT, Block(BlockKind.PROSE, early.strip())) if early.strip() else ()

    def spell(text: str) -> str:
        return expand(Source(text), own, everything=True).text

    sections = outline((*opening, *pieces(source, lambda heading: one_line(spell(heading)))))
    return Reading(
        title=one_line(spell(title_of(before, source))),
        abstract=plain(spell(abstract or early or abstract_of(sections))),
        sections=sections,
        main_file=main,
        warnings=(*flat.warnings, *_also(main, others), *quoted(hidden), *tree.skipped),
    )


def _styles(tree: Tree, main: str, preamble: str) -> str:
    """Return the text of the paper's own style files, which define its commands."""
    texts = []
    for packages in _PACKAGES.findall(preamble):
        for package in packages.split(","):
            name = tree.find(package.strip() + ".sty", posixpath.dirname(main), "")
            if name and len(data := tree.read(name)) < _OWN_STYLE:
                texts.append(COMMENT.sub("", decode(data, name)[0]))
    return "\n".join(texts)


def _with_references(tree: Tree, main: str, body: str) -> str:
    """Return the body with a references section where the bibliography stands, the compiled one if there is one."""
    if "\\begin{thebibliography}" in body:
        return body
    own = tree.find(posixpath.splitext(main)[0] + ".bbl", "")
    others = tree.names(".bbl")
    name = own or (others[0] if len(others) == 1 else "")
    entries = flatten(tree, name).text if name else ""
    if name and "\\begin{thebibliography}" not in entries:
        entries = f"\\begin{{thebibliography}}{{}}\n{entries}\n\\end{{thebibliography}}"
    return _BIBLIOGRAPHY.sub(lambda found: entries or f"\\section*{{References}}\n{found[0]}", body, count=1)


def _also(main: str, others: tuple[str, ...]) -> tuple[str, ...]:
    if not others:
        return ()
    return (f"{main!r} was taken as the main file; other possible main files: {', '.join(map(repr, others[:5]))}",)
