"""Find the floats of a LaTeX source: tables, figures and plots, by any name that the paper gives them."""

import re
from typing import Final

from planner.papers.latex.scan import LatexSource
from planner.papers.paper import BlockKind

_TABLE_WORDS: Final = """
    table wraptable sidewaystable longtable supertabular SCtable margintable tablehere subtable
"""
_TABLES: Final = frozenset(_TABLE_WORDS.split())
_BARE_TABLE_WORDS: Final = """
    tabular tabularx tabulary tblr NiceTabular NiceTabularX longtblr talltblr tabu longtabu xtabular xltabular
    mpsupertabular deluxetable threeparttable
"""
_BARE_TABLES: Final = frozenset(_BARE_TABLE_WORDS.split())
_FIGURE_WORDS: Final = """
    figure wrapfigure sidewaysfigure SCfigure teaserfigure marginfigure figurehere subfigure
"""
_FIGURES: Final = frozenset(_FIGURE_WORDS.split())
FLOAT_COMMANDS: Final = {  # how many arguments each has after its option
    "ctable": (3, BlockKind.TABLE), "teaser": (1, BlockKind.FIGURE), "teaserimage": (1, BlockKind.FIGURE),
}  # fmt: skip
PLOTTED: Final = re.compile(r"\\addplot|\\begin\s*\{(?:axis|loglogaxis|semilog[xy]axis|groupplot|polaraxis)\}")
DRAWINGS: Final = frozenset({"tikzpicture", "axis"})
_FLOAT_DEFINERS: Final = frozenset(
    {
        "newenvironment",
        "renewenvironment",
        "NewEnviron",
        "NewDocumentEnvironment",
        "newfloat",
        "DeclareFloatingEnvironment",
    }
)
_INNER_FLOAT: Final = re.compile(r"\\(?:begin\s*\{(\w+)\*?\}|@(?:dbl)?float\s*\{(\w+)\})")
_GRAPHICS: Final = re.compile(
    r"\\includegraphics|\\begin\{(?:tikzpicture|axis|overpic)|\\input\{[^}]*(?:tikz|pgf|pdf_tex)"
)


def find_float_environments(source: LatexSource) -> dict[str, BlockKind]:
    """Return the environments that a source defines as floats, by name."""
    kinds = dict[str, BlockKind]()
    for token in source.find_commands(_FLOAT_DEFINERS.__contains__):
        option = source.groups.read_option(token.end)
        name = source.groups.read_group(option[1] if option else token.end)
        if name is None:
            continue
        if token.name in ("newfloat", "DeclareFloatingEnvironment"):
            kinds[name[0].strip()] = BlockKind.TABLE
            continue
        position = name[1]
        while option := source.groups.read_option(position):
            position = option[1]
        values, _ = source.groups.read_arguments(position, 1 + (token.name == "NewDocumentEnvironment"))
        inner = _INNER_FLOAT.search(values[-1] or "") if values else None
        inner_name = (inner[1] or inner[2]) if inner else ""
        kind = kinds.get(inner_name, find_named_kind(inner_name))
        if kind is not None:
            kinds[name[0].strip()] = kind
    return kinds


def find_named_kind(name: str) -> BlockKind | None:
    """Return the kind of float of an environment of LaTeX and its packages, None if it is no float."""
    if name in _TABLES or name in _BARE_TABLES:
        return BlockKind.TABLE
    return BlockKind.FIGURE if name in _FIGURES else None


def find_float_kind(name: str, text: str) -> BlockKind:
    """Return the kind of a float by its name and its text; a figure of tabulars alone is a table."""
    if name in _FIGURES and not ("\\begin{tabular" in text and not _GRAPHICS.search(text)):
        return BlockKind.FIGURE
    return BlockKind.TABLE
