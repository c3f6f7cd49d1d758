"""Find and expand the paper's own commands: those that print nothing, names, and headings."""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

from planner.papers.latex.scan import BraceGroups, LatexSource

_DEFINERS: Final = frozenset(
    {
        *("newcommand", "renewcommand", "providecommand", "DeclareRobustCommand", "newcommand*", "renewcommand*"),
        *("providecommand*", "DeclareRobustCommand*", "def", "gdef", "edef", "xdef", "long", "NewDocumentCommand"),
        *("RenewDocumentCommand", "ProvideDocumentCommand", "DeclareDocumentCommand", "newrobustcmd", "let"),
    }
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
_LETTERS: Final = re.compile(r"[^\W\d_]")


# Commands that other parts of the loader look for by name; they are never expanded.
_KEPT_WORDS: Final = """
    title author abstract section subsection subsubsection paragraph begin end caption label ref cite citep citet
    appendix bibliography item maketitle thanks footnote input include textbf emph textcolor color includegraphics
    keywords date email affiliation and par small tiny large hline toprule midrule bottomrule
"""
_KEPT: Final = frozenset(_KEPT_WORDS.split())


@dataclass(frozen=True, slots=True)
class Macro:
    """A command definition: its number of arguments, its text, and the first argument's default if that is optional."""

    name: str
    argument_count: int
    body: str
    has_optional_argument: bool = False
    default: str = ""

    @property
    def is_empty(self) -> bool:
        """True if its calls and their arguments print nothing."""
        return _EMPTY_BODY.fullmatch(self.body) is not None

    @property
    def is_plain_text(self) -> bool:
        """True if it stands for a few plain words, such as the method's name."""
        return (
            not self.argument_count
            and len(self.body) < 200
            and bool(_PLAIN_BODY.fullmatch(self.body) and _LETTERS.search(self.body))
        )

    @property
    def is_heading(self) -> bool:
        """True if its calls are section headings."""
        return self.argument_count > 0 and len(self.body) < 2_000 and bool(_HEADING.search(self.body))

    def expand_call(self, arguments: list[str | None]) -> str:
        """Return the text that a call with these arguments stands for; None takes the default."""
        known = [self.default if value is None else value for value in arguments]
        return re.sub(r"#(\d)", lambda m: known[int(m[1]) - 1] if 0 < int(m[1]) <= len(known) else "", self.body)


def find_macros(source: LatexSource) -> dict[str, Macro]:
    """Return every definition in a text without comments, by name; the last of a name counts."""
    found, place = dict[str, Macro](), 0
    for mark in source.find_commands(_DEFINERS.__contains__):
        if mark.start >= place and mark.name != "long":
            macro, place = _read_definition(source, mark.name, mark.end)
            if macro is not None and macro.name not in _KEPT:
                found[macro.name] = macro
    return found


def _read_definition(source: LatexSource, definer: str, position: int) -> tuple[Macro | None, int]:
    text, groups = source.text, source.groups
    name = _NAME.match(text, position)
    if name is None:
        return None, position
    if definer == "let":
        target = _TARGET.match(text, name.end())
        nothing = target is not None and target[1] in ("relax", "empty", "@empty", "@gobble")
        eaten = 1 if target is not None and target[1] == "@gobble" else 0
        return (Macro(name[1], eaten, "") if nothing else None), target.end() if target else name.end()
    if definer in _XPARSE_DEFINERS:
        return _read_xparse_definition(groups, name[1], name.end())
    if definer.endswith("def"):
        parameters = _DEF_PARAMETERS.match(text, name.end())
        body = groups.read_group(parameters.end()) if parameters else None
        if parameters is None or body is None:
            return None, name.end()
        return Macro(name[1], len(parameters[1]) // 2, body[0]), body[1]
    count = _COUNT.match(text, name.end())
    position = count.end() if count else name.end()
    default = groups.read_option(position) if count else None
    body = groups.read_group(default[1] if default else position)
    if body is None:
        return None, position
    number = int(count[1]) if count else 0
    return Macro(name[1], number, body[0], default is not None, default[0] if default else ""), body[1]


def _read_xparse_definition(groups: BraceGroups, name: str, position: int) -> tuple[Macro | None, int]:
    wanted, body = groups.read_group(position), None
    if wanted is not None:
        body = groups.read_group(wanted[1])
    if wanted is None or body is None:
        return None, position
    kinds = re.findall(r"[moOs]", re.sub(r"\{[^{}]*\}", "", wanted[0]))
    optional = bool(kinds) and kinds[0] in "oO"
    plain = all(kind == "m" for kind in kinds[1:]) and (not kinds or kinds[0] in "moO")
    return (Macro(name, len(kinds), body[0], optional) if plain else None), body[1]


def expand_macros(
    source: LatexSource, macros: Mapping[str, Macro], *, expand_all: bool = False, extra_names: Container[str] = ()
) -> LatexSource:
    """Return the text with empty calls removed and names and headings expanded.

    Further commands are expanded if they are named, or all of them if so wished, as for titles and abstracts.
    """
    if "\\" not in source.text:
        return source
    wanted = {
        name: macro
        for name, macro in macros.items()
        if expand_all or name in extra_names or macro.is_empty or macro.is_plain_text or macro.is_heading
    }
    for _ in range(6 if expand_all else 2):
        changed = _expand_once(source, wanted)
        if changed == source.text or len(changed) > len(source.text) * 4 + 10_000:
            break
        source = LatexSource(changed)
    return source


def _expand_once(source: LatexSource, macros: Mapping[str, Macro]) -> str:
    text, out, last, place = source.text, list[str](), 0, 0
    for mark in source.find_commands(lambda name: name in macros or name in _DEFINERS):
        if mark.start < place:
            continue
        if mark.name in _DEFINERS:
            place = _read_definition(source, mark.name, mark.end)[1]
        elif (macro := macros.get(mark.name)) is not None:
            values, end = source.groups.read_arguments(
                mark.end, macro.argument_count, optional=macro.has_optional_argument
            )
            if len(values) == macro.argument_count:
                replacement, place = _expand_one_call(text, macro, values, end)
                out += (text[last : mark.start], replacement)
                last = place
    return "".join((*out, text[last:]))


def _expand_one_call(text: str, macro: Macro, arguments: list[str | None], end: int) -> tuple[str, int]:
    """Return the text that replaces a call and the call's end; a `{}` that only ends the name belongs to the call."""
    if macro.is_empty:
        return "", end
    if macro.argument_count:
        return macro.expand_call(arguments), end
    body = macro.body.strip()
    spaced = body.endswith("\\xspace")
    if text.startswith("{}", end):
        end += 2
    elif spaced and re.match(r"[A-Za-z0-9(]", text[end : end + 1]):
        return body.removesuffix("\\xspace") + " ", end
    return body.removesuffix("\\xspace"), end
