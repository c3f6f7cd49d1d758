"""Decide conditionals of a LaTeX source, such as `\\ifdraft`, by the flags and definitions before them.

A decision is None if it depends on anything that is not known.
"""

import re
from dataclasses import dataclass, field
from operator import eq, gt, lt
from typing import Final

_FLAG_PACKAGES: Final = ("toggle", "bool", "boolean")
FLAG_SETTERS: Final = frozenset(
    f"{verb}{noun}" for verb in ("new", "provide", "set") for noun in _FLAG_PACKAGES
) | frozenset(f"{noun}{value}" for noun in _FLAG_PACKAGES for value in ("true", "false"))
GROUP_CONDITIONALS: Final = {  # how many arguments are the condition; the branches are the two arguments after it
    "iftoggle": 1, "nottoggle": 1, "ifbool": 1, "notbool": 1, "ifthenelse": 1, "ifdef": 1, "ifundef": 1,
    "ifcsdef": 1, "ifcsundef": 1, "ifdefempty": 1, "ifstrequal": 2, "ifdefstring": 2, "ifnumcomp": 3, "ifnumequal": 2,
    "ifboolexpr": 1, "ifblank": 1, "notblank": 1,
}  # fmt: skip
COUNTER_SETTERS: Final = frozenset({"newcounter", "setcounter", "addtocounter", "stepcounter", "refstepcounter"})
_NOT_CONDITIONAL_WORDS: Final = """
    iff ifthenelse ifblank ifstrempty ifstrequal ifdef ifcsdef ifundef ifcsundef ifbool ifboolexpr ifboolexpe
    iftoggle ifdefempty ifdefvoid ifdefstring ifdefequal ifnumcomp ifnumequal ifnumgreater ifnumless ifdimcomp
    ifinlist ifpackageloaded ifcsstring ifdefmacro ifnotblank ifempty
"""
NOT_CONDITIONALS: Final = frozenset(_NOT_CONDITIONAL_WORDS.split())  # commands that no `\\fi` ends
_FLAG_VALUE: Final = re.compile(r"\s*\{([^{}\\]+)\}\s*(?:\[(true|false)\]|\{(true|false)\})?")
_COUNTER_VALUE: Final = re.compile(r"\s*\{(\w+)\}\s*(?:\{\s*(\d{1,9})\s*\})?")
_NUMBER: Final = r"\s*(\d{1,9}|\\value\{\w+\}|\\[A-Za-z@]+)\s*"
_COMMAND: Final = re.compile(r"\s*\{?\s*\\?([A-Za-z@]+)\s*\}?")
_OPERANDS: Final = {
    "if": re.compile(r"\s*(\d)\s*(\d?)"),
    "ifnum": re.compile(rf"{_NUMBER}([<=>]){_NUMBER}"),
    "ifdefined": _COMMAND,
    "ifx": re.compile(r"\s*\\([A-Za-z@]+)\s*\\([A-Za-z@]+)"),
}
_RELATIONS: Final = {"<": lt, "=": eq, ">": gt}
_NEVER_DEFINED: Final = frozenset({"undefined", "@undefined"})
_LOGIC: Final = re.compile(
    r"\s*(?:\\?(?P<word>(?:not|and|or)\b|[()])|(?:\\boolean|bool|toggle)\s*\{(?P<flag>[^{}]+)\}"
    r"|\\equal\s*\{(?P<left>[^{}]*)\}\s*\{(?P<right>[^{}]*)\}"
    rf"|(?P<comparison>{_NUMBER}[<=>]{_NUMBER}))\s*",
    re.I,
)
_LOGIC_STEP: Final = re.compile(r"not (?:True|False)|\( (?:True|False) \)|(?:True|False) (?:and|or) (?:True|False)")
_MAX_CONDITION_CHARS: Final = 300


@dataclass(slots=True)
class Conditions:
    """The flags, counters and definitions without arguments that a source has set so far.

    A counter is kept as a definition called `value{counter}`. The value "#" stands for an unknown definition.
    """

    flags: dict[str, bool] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)

    def apply_flag_command(self, text: str, name: str, position: int) -> None:
        """Record the flag that a command such as `\\newtoggle`, `\\toggletrue` or `\\setboolean` sets."""
        if match := _FLAG_VALUE.match(text, position):
            value = name.endswith("true") or (name.startswith("set") and "true" in (match[2], match[3]))
            if name.startswith(("new", "provide")):
                self.flags.setdefault(match[1], match[2] == "true")
            elif not name.startswith("set") or match[3]:
                self.flags[match[1]] = value

    def apply_counter_command(self, text: str, name: str, position: int) -> None:
        """Record the new value of a counter that a command sets; after `\\addtocounter`, the value is unknown."""
        if match := _COUNTER_VALUE.match(text, position):
            counter = f"value{{{match[1]}}}"
            if name == "newcounter":
                self.definitions[counter] = "0"
            elif counter in self.definitions:
                self.definitions[counter] = (match[2] if name == "setcounter" else None) or "#"

    def copy_definition(self, name: str, target: str) -> None:
        """Give `name` the definition of `target`, as `\\let` does; the definition is "#" if it is unknown."""
        self.definitions[name] = self.definitions.get(target, "" if target.endswith("empty") else "#")
        if target in _NEVER_DEFINED:
            del self.definitions[name]

    def decide_if_command(self, text: str, name: str, position: int) -> tuple[bool | None, int]:
        """Return whether the condition of `\\if…` holds, and its end; (None, `position`) if this is unknown."""
        if name in ("iftrue", "iffalse"):
            return name == "iftrue", position  # a flag called "true" does not change these
        pattern = _OPERANDS.get(name)
        operands = pattern.match(text, position) if pattern else None
        if operands is None:
            return self.flags.get(name[2:]), position
        holds: bool | None
        match name:
            case "if":
                holds = operands[1] == operands[2]
            case "ifnum":
                holds = self._compare(*operands.groups())
            case "ifdefined":
                holds = self._is_defined(operands[1])
            case _:
                holds = self._is_same(operands[1], operands[2])
        return holds, position if holds is None else operands.end()

    def decide_braced_conditional(self, name: str, arguments: list[str]) -> bool | None:
        """Return whether the condition holds in a command such as `\\iftoggle{a}{yes}{no}`; None if this is unknown."""
        first, *others = (argument.strip() for argument in arguments)
        match name:
            case "iftoggle" | "ifbool":
                return self.flags.get(first)
            case "nottoggle" | "notbool":
                return None if first not in self.flags else not self.flags[first]
            case "ifnumcomp":
                return self._compare(first, others[0], others[1])
            case "ifnumequal":
                return self._compare(first, "=", others[0])
            case "ifthenelse" | "ifboolexpr":
                return self._decide_logic(first)
            case "ifstrequal" | "ifblank" | "notblank" if "#" not in "".join(arguments):
                return (first == "".join(others)) == (name != "notblank")
        return self._decide_definition(name, first, "".join(others))

    def _decide_definition(self, name: str, argument: str, value: str) -> bool | None:
        command = _COMMAND.fullmatch(argument)
        if command is None:
            return None
        if name in ("ifdefempty", "ifdefstring"):
            definition = self.definitions.get(command[1], "#")
            return None if definition == "#" else definition == value
        is_defined = self._is_defined(command[1])
        return None if is_defined is None else is_defined == (name in ("ifdef", "ifcsdef"))

    def _decide_logic(self, condition: str) -> bool | None:
        """Return the value of a logical expression of the packages `ifthen` and `etoolbox`; None if it is unknown."""
        matches = list(_LOGIC.finditer(condition[:_MAX_CONDITION_CHARS]))
        is_understood = "".join(match[0] for match in matches) == condition
        return _evaluate_logic(" ".join(map(self._read_logic_word, matches))) if is_understood else None

    def _read_logic_word(self, match: re.Match[str]) -> str:
        """Return a bracket, "and", "or", "not", or the value of a condition: "True", "False" or "None" (unknown)."""
        if word := match["word"]:
            return word.lower()
        if flag := match["flag"]:
            return str(self.flags.get(flag.strip()))
        if comparison := match["comparison"]:
            return str(self._compare(*re.split("([<=>])", comparison)))
        left, right = self._expand(match["left"]), self._expand(match["right"])
        return str(None if left is None or right is None else left == right)

    def _compare(self, left: str, relation: str, right: str) -> bool | None:
        values = self._expand(left), self._expand(right)
        if relation not in _RELATIONS or not all(value and value.isdecimal() and len(value) < 10 for value in values):
            return None
        return bool(_RELATIONS[relation](*(int(value) for value in values if value)))

    def _expand(self, text: str) -> str | None:
        """Return the text, or its definition if it is a command; None if that is unknown or contains a command."""
        text = text.strip()
        value = self.definitions.get(text[1:]) if text.startswith("\\") else text
        return value if value is not None and "\\" not in value and "#" not in value else None

    def _is_defined(self, command: str) -> bool | None:
        """Return True for a command that the paper defines, False for `\\undefined`, and None for any other command."""
        return False if command in _NEVER_DEFINED else True if command in self.definitions else None

    def _is_same(self, left: str, right: str) -> bool | None:
        if right in _NEVER_DEFINED or left in _NEVER_DEFINED:
            other = left if right in _NEVER_DEFINED else right
            return False if other in self.definitions else None
        values = [self.definitions.get(name, "" if name in ("empty", "@empty") else None) for name in (left, right)]
        return None if None in values or "#" in values else values[0] == values[1]


def _evaluate_logic(words: str) -> bool | None:
    """Return the value of an expression such as "not ( True and False )"; None if a part of it is unknown.

    Operators of the same level are evaluated from left to right, as in `ifthen`.
    """
    while step := _LOGIC_STEP.search(words):
        match step[0].split():
            case ["not", operand]:
                value = str(operand == "False")
            case [left, "and", right]:
                value = right if left == "True" else left
            case [left, "or", right]:
                value = left if left == "True" else right
            case [_, value, _]:  # in brackets
                pass
        words = words[: step.start()] + value + words[step.end() :]
    return {"True": True, "False": False}.get(words)


@dataclass(slots=True)
class _Branch:
    """A conditional that is open at the current position; one of its branches is read if the condition is known.

    `branches_before` is the number of branches to skip before the one that is read. The number is 0 in that branch and
    negative after it, and None if the condition is unknown.
    """

    branches_before: int | None
    is_outer_dead: bool
    is_case: bool


class OpenConditionals:
    """The conditionals that are open at the current position, the innermost last."""

    def __init__(self) -> None:
        self._branches: list[_Branch] = []

    @property
    def is_in_skipped_branch(self) -> bool:
        """True if the current position is in a branch that is not read."""
        innermost = self._branches[-1] if self._branches else None
        return innermost is not None and (innermost.is_outer_dead or innermost.branches_before not in (None, 0))

    @property
    def is_condition_unknown(self) -> bool:
        """True if a conditional is open and the condition of the innermost one is unknown."""
        return bool(self._branches) and self._branches[-1].branches_before is None

    def open_conditional(self, branches_before: int | None, *, is_case: bool) -> None:
        """Open a conditional; `branches_before` branches are skipped first (None if the condition is unknown)."""
        self._branches.append(_Branch(branches_before, self.is_in_skipped_branch, is_case))

    def is_branch_end(self, command: str) -> bool:
        """Return whether a command ends a branch of an open conditional, as `\\else`, `\\or` and `\\fi` do."""
        ends = ("else", "fi", "or") if self._branches and self._branches[-1].is_case else ("else", "fi")
        return bool(self._branches) and command in ends

    def end_branch(self, command: str) -> None:
        """Go to the next branch at `\\else` or `\\or`, or close the conditional at `\\fi`."""
        before = self._branches[-1].branches_before
        if command == "fi":
            self._branches.pop()
        elif before is not None:
            self._branches[-1].branches_before = before - 1 if command == "or" else 0 if before > 0 else -1
