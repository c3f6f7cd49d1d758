"""Find the commands and environments that a LaTeX paper defines, and expand its commands."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from planner.papers.latex.scan import BraceGroups, LatexSource
from planner.papers.paper import BlockKind

_DEFINERS: Final = frozenset(
    {"newcommand", "renewcommand", "providecommand", "DeclareRobustCommand", "newcommand*", "renewcommand*"}
    | {"providecommand*", "DeclareRobustCommand*", "def", "gdef", "edef", "xdef", "long", "NewDocumentCommand"}
    | {"RenewDocumentCommand", "ProvideDocumentCommand", "DeclareDocumentCommand", "newrobustcmd", "let"}
)
_XPARSE_DEFINERS: Final = frozenset(d for d in _DEFINERS if d.endswith("DocumentCommand"))
_NAME: Final = re.compile(r"\s*\{?\s*\\([A-Za-z@]+)\s*\}?")
_TARGET: Final = re.compile(r"\s*=?\s*\\([A-Za-z@]+)")
_COUNT: Final = re.compile(r"\s*\[(\d)\]")
_DEF_PARAMETERS: Final = re.compile(r"\s*((?:#\d)*)(?=\s*\{)")
_HEADING: Final = re.compile(r"\\(?:sub)*section\*?\s*(?:\[[^\]]*\])?\s*\{[^{}]*#\d")
_EMPTY_BODY: Final = re.compile(r"(?:\\(?:unskip|ignorespaces|relax|empty|@bsphack|@esphack)\b|[{}%\s])*")
_WRAPPERS: Final = (
    r"text(?:sc|tt|bf|it|rm|sf|md|up|sl|normal)?|emph|mbox|ensuremath"
    r"|(?:bf|md)series|(?:sc|it|sl)shape|(?:tt|sf|rm)family"
)
_PLAIN_BODY: Final = re.compile(rf"(?:\\(?:{_WRAPPERS}|xspace|,|-|/|&|%|_|\$|\#|\ |@)(?![A-Za-z])|[^\\#$^&~%\[\]])*")
_PARAMETER: Final = re.compile(r"#(\d)")
_SELECTION: Final = re.compile(rf"(?:#\d|\\(?:{_WRAPPERS}|ignorespaces|unskip|xspace)(?![A-Za-z])|[{{}}\s%])*")
_LETTERS: Final = re.compile(r"[^\W\d_]")


# Commands that other parts of the loader look for by name; they are never expanded.
_NEVER_EXPANDED_WORDS: Final = (
    "title author abstract section subsection subsubsection paragraph begin end caption label ref cite citep citet "
    "appendix bibliography item maketitle thanks footnote input include textbf emph textcolor color includegraphics "
    "keywords date email affiliation and par small tiny large hline toprule midrule bottomrule"
)
_NEVER_EXPANDED: Final = frozenset(_NEVER_EXPANDED_WORDS.split())
_TABLES: Final = (
    "table wraptable sidewaystable longtable supertabular SCtable margintable tablehere subtable tabular tabularx "
    "tabulary tblr NiceTabular NiceTabularX longtblr talltblr tabu longtabu xtabular xltabular mpsupertabular "
    "deluxetable threeparttable"
)
_FIGURES: Final = "figure wrapfigure sidewaysfigure SCfigure teaserfigure marginfigure figurehere subfigure"
FLOAT_KINDS: Final = dict.fromkeys(_TABLES.split(), BlockKind.TABLE) | dict.fromkeys(_FIGURES.split(), BlockKind.FIGURE)
FLOAT_COMMANDS: Final = {  # the number of arguments after the option, and the kind
    "ctable": (3, BlockKind.TABLE), "teaser": (1, BlockKind.FIGURE), "teaserimage": (1, BlockKind.FIGURE),
}  # fmt: skip
PLOTTED: Final = re.compile(r"\\addplot|\\begin\s*\{(?:axis|loglogaxis|semilog[xy]axis|groupplot|polaraxis)\}")
DRAWINGS: Final = frozenset({"tikzpicture", "axis"})
_FLOAT_DEFINERS: Final = frozenset(
    {"newenvironment", "renewenvironment", "NewEnviron", "NewDocumentEnvironment"}
    | {"newfloat", "DeclareFloatingEnvironment"}
)
_INNER_FLOAT: Final = re.compile(r"\\(?:begin\s*\{(\w+)\*?\}|@(?:dbl)?float\s*\{(\w+)\})")


@dataclass(frozen=True, slots=True)
class Macro:
    """The definition of a command: `body` replaces the command, and `default` replaces a missing optional argument."""

    name: str
    argument_count: int
    body: str
    has_optional_argument: bool = False
    default: str = ""

    @property
    def is_empty(self) -> bool:
        """True if the command prints nothing, not even its arguments."""
        return _EMPTY_BODY.fullmatch(self.body) is not None

    @property
    def is_simple(self) -> bool:
        """True if the command prints nothing, a name in plain words, a heading, or only some of its arguments."""
        if self.is_empty:
            return True
        if not self.argument_count:
            return bool(len(self.body) < 200 and _PLAIN_BODY.fullmatch(self.body) and _LETTERS.search(self.body))
        is_heading = len(self.body) < 2_000 and bool(_HEADING.search(self.body))
        printed = set(_PARAMETER.findall(self.body))
        return is_heading or (0 < len(printed) < self.argument_count and bool(_SELECTION.fullmatch(self.body)))

    def expand_call(self, arguments: list[str | None]) -> str:
        """Return the text that replaces the command with these arguments; None stands for the default argument."""
        values = [self.default if value is None else value for value in arguments]
        return re.sub(r"#(\d)", lambda m: values[int(m[1]) - 1] if 0 < int(m[1]) <= len(values) else "", self.body)


UNPRINTED_COMMANDS: Final = {  # of LaTeX and its packages, with and without an option
    name: Macro(name, count, "", has_option)
    for count, has_option, names in (
        (1, False, "glossary hypersetup typeout message wlog lstset tikzset pgfplotsset graphicspath"),
        (2, False, "markboth newglossaryentry longnewglossaryentry"),
        (3, False, "addcontentsline"),
        (2, True, "index sindex nomenclature"),
        (3, True, "pdfbookmark"),
        (4, True, "newacronym"),
    )
    for name in names.split()
}
DRIVER_COMMANDS: Final = {"special": Macro("special", 1, "")}  # they may hide the text after them


def find_macros(source: LatexSource) -> dict[str, Macro]:
    """Return the commands that a text without comments defines, by name; the last definition counts."""
    macros, position = dict[str, Macro](), 0
    for token in source.find_commands(_DEFINERS.__contains__):
        if token.start >= position and token.name != "long":
            macro, position = _read_definition(source, token.name, token.end)
            if macro is not None and macro.name not in _NEVER_EXPANDED:
                macros[macro.name] = macro
    return macros


def _read_definition(source: LatexSource, definer: str, position: int) -> tuple[Macro | None, int]:
    """Return the definition after a command such as `\\def` (None if it is not understood), and its end."""
    name = _NAME.match(source.text, position)
    if name is None:
        return None, position
    if definer == "let":
        return _read_let(source.text, name[1], name.end())
    if definer in _XPARSE_DEFINERS:
        return _read_xparse_definition(source.groups, name[1], name.end())
    if definer.endswith("def"):
        return _read_def(source, name[1], name.end())
    return _read_newcommand(source, name[1], name.end())


def _read_let(text: str, name: str, position: int) -> tuple[Macro | None, int]:
    target = _TARGET.match(text, position)
    if target is None:
        return None, position
    is_empty = target[1] in ("relax", "empty", "@empty", "@gobble")
    return (Macro(name, int(target[1] == "@gobble"), "") if is_empty else None), target.end()


def _read_def(source: LatexSource, name: str, position: int) -> tuple[Macro | None, int]:
    parameters = _DEF_PARAMETERS.match(source.text, position)
    body = source.groups.read_group(parameters.end()) if parameters else None
    if parameters is None or body is None:
        return None, position
    return Macro(name, len(parameters[1]) // 2, body.text), body.end


def _read_newcommand(source: LatexSource, name: str, position: int) -> tuple[Macro | None, int]:
    count = _COUNT.match(source.text, position)
    position = count.end() if count else position
    default = source.groups.read_option(position) if count else None
    body = source.groups.read_group(default.end if default else position)
    if body is None:
        return None, position
    argument_count = int(count[1]) if count else 0
    return Macro(name, argument_count, body.text, default is not None, default.text if default else ""), body.end


def _read_xparse_definition(groups: BraceGroups, name: str, position: int) -> tuple[Macro | None, int]:
    arguments = groups.read_group(position)
    body = groups.read_group(arguments.end) if arguments else None
    if arguments is None or body is None:
        return None, position
    kinds = re.findall(r"[moOs]", re.sub(r"\{[^{}]*\}", "", arguments.text))
    is_plain = all(kind == "m" for kind in kinds[1:]) and kinds[:1] != ["s"]
    return (Macro(name, len(kinds), body.text, kinds[:1] in (["o"], ["O"])) if is_plain else None), body.end


def expand_macros(source: LatexSource, macros: Mapping[str, Macro], *, max_depth: int = 2) -> LatexSource:
    """Return the source with the text of `macros` in place of their commands, and without definitions of commands.

    A command in the text of a macro is replaced too, down to `max_depth` levels.
    """
    for _ in range(max_depth if "\\" in source.text else 0):
        expanded = _expand_once(source, macros)
        if expanded == source.text or len(expanded) > len(source.text) * 4 + 10_000:
            break
        source = LatexSource(expanded)
    return source


def _expand_once(source: LatexSource, macros: Mapping[str, Macro]) -> str:
    text, chunks, last, position = source.text, list[str](), 0, 0
    for token in source.find_commands(lambda name: name in macros or name in _DEFINERS):
        if token.start < position:
            continue
        if token.name in _DEFINERS:
            macro, position = _read_definition(source, token.name, token.end)
            if macro is not None and "title" not in macro.name:
                chunks.append(text[last : token.start])
                last = position
            continue
        macro = macros[token.name]
        arguments, end = source.groups.read_arguments(
            token.end, macro.argument_count, optional=macro.has_optional_argument
        )
        if len(arguments) == macro.argument_count:
            replacement, position = _expand_one_call(text, macro, arguments, end)
            chunks += (text[last : token.start], replacement)
            last = position
    return "".join((*chunks, text[last:]))


def _expand_one_call(text: str, macro: Macro, arguments: list[str | None], end: int) -> tuple[str, int]:
    """Return the text that replaces a command, and the command's end; `{}` after the name belongs to the command."""
    if macro.is_empty:
        return "", end
    if macro.argument_count:
        return macro.expand_call(arguments), end
    name = macro.body.strip().removesuffix("\\xspace")
    if text.startswith("{}", end):
        return name, end + 2
    has_xspace = macro.body.strip().endswith("\\xspace")
    return name + " " * bool(has_xspace and re.match(r"[A-Za-z0-9(]", text[end : end + 1])), end


def find_defined_float_kinds(source: LatexSource) -> dict[str, BlockKind]:
    """Return the kinds of the figure and table environments that a source defines, by name."""
    kinds = dict[str, BlockKind]()
    groups = source.groups
    for token in source.find_commands(_FLOAT_DEFINERS.__contains__):
        name = groups.read_group(groups.find_option_end(token.end))
        if name is None:
            continue
        if token.name in ("newfloat", "DeclareFloatingEnvironment"):
            kinds[name.text.strip()] = BlockKind.TABLE
            continue
        position = groups.find_options_end(name.end)
        values, _ = groups.read_arguments(position, 1 + (token.name == "NewDocumentEnvironment"))
        inner = _INNER_FLOAT.search(values[-1] or "") if values else None
        inner_name = (inner[1] or inner[2]) if inner else ""
        if kind := kinds.get(inner_name) or FLOAT_KINDS.get(inner_name):
            kinds[name.text.strip()] = kind
    return kinds
