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
_IF_DIGITS: Final = re.compile(r"\s*(\d)\s*(\d?)")
_COUNTER_VALUE: Final = re.compile(r"\s*\{(\w+)\}\s*(?:\{\s*(\d{1,9})\s*\})?")
_NUMBER: Final = r"\s*(\d{1,9}|\\value\{\w+\}|\\[A-Za-z@]+)\s*"
_COMPARISON: Final = re.compile(rf"{_NUMBER}([<=>]){_NUMBER}")
_TWO_COMMANDS: Final = re.compile(r"\s*\\([A-Za-z@]+)\s*\\([A-Za-z@]+)")
_COMMAND: Final = re.compile(r"\s*\{?\s*\\?([A-Za-z@]+)\s*\}?")
_RELATIONS: Final = {"<": lt, "=": eq, ">": gt}
_NEVER_DEFINED: Final = frozenset({"undefined", "@undefined"})
_LOGIC: Final = re.compile(
    r"\s*(?:\\(?P<word>not|and|or)\b|(?P<plain>not|and|or)\b|(?P<bracket>\\?[()])"
    r"|\\boolean\s*\{(?P<boolean>[^{}]+)\}|(?P<kind>bool|toggle)\s*\{(?P<flag>[^{}]+)\}"
    r"|\\equal\s*\{(?P<left>[^{}]*)\}\s*\{(?P<right>[^{}]*)\}"
    rf"|(?P<comparison>{_NUMBER}[<=>]{_NUMBER}))\s*",
    re.I,
)
_MAX_CONDITION_CHARS: Final = 300


@dataclass(slots=True)
class Conditions:
    """The flags, counters and definitions without arguments that a source has set so far.

    A counter is kept as a definition called `value{counter}`. The value "#" stands for an unknown definition.
    """

    flags: dict[str, bool] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)

    def set_flag(self, text: str, name: str, position: int) -> None:
        """Record the flag that a command such as `\\newtoggle`, `\\toggletrue` or `\\setboolean` sets."""
        if match := _FLAG_VALUE.match(text, position):
            value = name.endswith("true") or (name.startswith("set") and "true" in (match[2], match[3]))
            if name.startswith(("new", "provide")):
                self.flags.setdefault(match[1], match[2] == "true")
            elif not name.startswith("set") or match[3]:
                self.flags[match[1]] = value

    def set_counter(self, text: str, name: str, position: int) -> None:
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
            return name == "iftrue", position
        if name == "if" and (digits := _IF_DIGITS.match(text, position)):
            return digits[1] == digits[2], digits.end()
        if name == "ifnum" and (numbers := _COMPARISON.match(text, position)):
            holds = self._compare(*numbers.groups())
            return holds, numbers.end() if holds is not None else position
        if name == "ifdefined" and (command := _COMMAND.match(text, position)):
            is_defined = self._is_defined(command[1])
            return is_defined, command.end() if is_defined is not None else position
        if name == "ifx" and (commands := _TWO_COMMANDS.match(text, position)):
            holds = self._is_same(commands[1], commands[2])
            return holds, commands.end() if holds is not None else position
        return self.flags.get(name[2:]), position

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
        if len(condition) > _MAX_CONDITION_CHARS:
            return None
        words, position = list[str](), 0
        while position < len(condition):
            match = _LOGIC.match(condition, position)
            word = self._read_logic_word(match) if match else None
            if match is None or word is None:
                return None
            words.append(word)
            position = match.end()
        return _LogicParser(words).parse()

    def _read_logic_word(self, match: re.Match[str]) -> str | None:
        if word := match["word"] or match["plain"]:
            return word.lower()
        if bracket := match["bracket"]:
            return bracket[-1]
        value: bool | None
        if flag := match["boolean"] or match["flag"]:
            value = self.flags.get(flag.strip())
        elif match["comparison"]:
            numbers = _COMPARISON.fullmatch(match["comparison"])
            value = self._compare(*numbers.groups()) if numbers else None
        else:
            left, right = self._expand(match["left"]), self._expand(match["right"])
            value = left == right if left is not None and right is not None else None
        return None if value is None else str(value)

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
        if not self._branches:
            return False
        innermost = self._branches[-1]
        return innermost.is_outer_dead or innermost.branches_before not in (None, 0)

    def open_conditional(self, branches_before: int | None, *, is_case: bool) -> None:
        """Open a conditional; `branches_before` branches are skipped first (None if the condition is unknown)."""
        self._branches.append(_Branch(branches_before, self.is_in_skipped_branch, is_case))

    def follow(self, name: str) -> bool | None:
        """Go to the next branch at `\\else` or `\\or`, or close the conditional at `\\fi`.

        Return True if the command must stay in the text because the condition is unknown, else False. Return None if
        `name` is another command, or if no conditional is open.
        """
        branch = self._branches[-1] if self._branches else None
        if branch is None or not (name in ("else", "fi") or (name == "or" and branch.is_case)):
            return None
        if name == "fi":
            self._branches.pop()
        elif branch.branches_before is not None:
            branch.branches_before = (
                branch.branches_before - 1 if name == "or" else 0 if branch.branches_before > 0 else -1
            )
        return branch.branches_before is None


@dataclass(slots=True)
class _LogicParser:
    """A parser of logical expressions; it evaluates "or" and "and" from left to right, as `ifthen` does."""

    words: list[str]

    def parse(self) -> bool | None:
        value = self._parse_expression()
        return value if not self.words else None

    def _parse_expression(self) -> bool | None:
        value = self._parse_operand()
        while self.words and self.words[0] in ("and", "or"):
            operator, other = self.words.pop(0), self._parse_operand()
            if value is None or other is None:
                return None
            value = value and other if operator == "and" else value or other
        return value

    def _parse_operand(self) -> bool | None:
        word = self.words.pop(0) if self.words else ""
        if word == "not":
            value = self._parse_operand()
            return None if value is None else not value
        if word == "(":
            value = self._parse_expression()
            return value if self.words and self.words.pop(0) == ")" else None
        return {"True": True, "False": False}.get(word)
