"""Scan LaTeX text: find commands, escapes, comments and verbatim places, and read the arguments of commands.

As in TeX, neither escapes nor comments count in a verbatim place. Every function takes linear time in the text.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from functools import cached_property
from operator import attrgetter
from typing import Final, NamedTuple

VERBATIM: Final = (
    *("verbatim", "Verbatim", "lstlisting", "minted", "alltt", "BVerbatim", "LVerbatim", "SaveVerbatim"),
    *("filecontents", "tcblisting", "spverbatim", "pyglist", "code"),
)
_NAMES: Final = "|".join(VERBATIM)


def mark_pattern(command: str, escape: str) -> re.Pattern[str]:
    """Compile a pattern that finds all verbatim places, and the commands and escapes that match the given patterns.

    Escapes must include backslashes and percent signs. The pattern begins with one character, which is quick to find.
    """
    return re.compile(
        rf"""
          \\(?:
              begin\s*\{{(?P<verbatim>(?:{_NAMES})\*?)\}}(?![ \t]*\}})
            | (?:verb\*?|lstinline\s*(?:\[[^\]\n]*\])?|mintinline\s*(?:\[[^\]\n]*\])?\{{\w+\}})(?P<mark>[^\w\s*{{\[])
            | (?P<address>url|path|nolinkurl|href|lstinline)\*?\s*\{{
            | (?P<command>{command})
            | (?P<escape>{escape})
          )
        """,
        re.VERBOSE | re.DOTALL,
    )


_MARK: Final = mark_pattern(r"[A-Za-z@]+\*?", r".|\n|\Z")
_COMMENT: Final = re.compile(r"%(?P<comment>[^\n]*)")
COMMENT: Final = re.compile(r"%(?<!\\%).*")  # a comment up to its line's end, verbatim places ignored


class Mark(NamedTuple):
    """A token of a LaTeX text; `kind` is command, escape, comment or verbatim.

    `name` is the command without backslash but with its star, the escaped character, the comment's text, or the
    verbatim environment or command.
    """

    kind: str
    name: str
    start: int
    end: int


class Marks(Iterable[Mark]):
    """The tokens of a text in order, or those that a narrower pattern finds; a verbatim stretch is one token.

    A caller may move the position to skip an argument. The extra environments are verbatim too; more may be added
    during the search.
    """

    def __init__(self, text: str, place: int = 0, extra: Container[str] = (), pattern: re.Pattern[str] = _MARK) -> None:
        self.text, self.place, self._extra = text, place, extra
        self._pattern = pattern
        self._closings = Closings(text)

    def __iter__(self) -> Iterator[Mark]:
        for found in self.matches():
            mark = self.mark(found)
            self.place = mark.end
            yield mark

    def matches(self) -> Iterator[re.Match[str]]:
        """Yield the pattern's matches, for callers that need few tokens; they set the position after verbatim ones."""
        sign, jumped = self._percent_sign(), True
        while jumped:
            jumped = False
            for found in self._pattern.finditer(self.text, self.place):
                start, end = found.span()
                if sign < start:
                    yield from self._comments(start)
                if start >= self.place:  # otherwise the match is in a comment
                    self.place = end
                    yield found
                if sign < self.place:
                    sign = self._percent_sign()
                if jumped := self.place != end:
                    break
        yield from self._comments(len(self.text))

    def _comments(self, before: int) -> Iterator[re.Match[str]]:
        while (sign := self._percent_sign()) < before:
            comment = _COMMENT.match(self.text, sign)
            assert comment is not None
            self.place = comment.end()
            yield comment

    def _percent_sign(self) -> int:
        found = self.text.find("%", self.place)
        return found if found >= 0 else len(self.text)

    def mark(self, found: re.Match[str]) -> Mark:
        """Return the token that begins at a match of the pattern."""
        start, end = found.span()
        match found.lastgroup:
            case "command":
                name = found["command"]
                own = self._own(start, end) if self._extra and name == "begin" else None
                return own or Mark("command", name, start, end)
            case "escape" | "comment":
                return Mark(found.lastgroup, found[found.lastgroup], start, end)
            case "verbatim":
                closing = self._closings.after(f"\\end{{{found['verbatim']}}}", end)
                kind = ("verbatim", found["verbatim"]) if closing else ("command", "begin")
                return Mark(*kind, start, closing or start + len("\\begin"))
            case "mark":
                line_end = self.text.find("\n", end)
                close = self.text.find(found["mark"], end, line_end if line_end >= 0 else len(self.text))
                return Mark("verbatim", "verb", start, close + 1 if close >= 0 else end)
        close = self.text.find("}", end, end + _LONGEST_ADDRESS)
        return Mark("verbatim", found["address"], start, close + 1 if close >= 0 else end)

    def _own(self, start: int, end: int) -> Mark | None:
        """Return the token of an environment that the paper defines as verbatim; None for any other."""
        name = _ENVIRONMENT.match(self.text, end)
        if name is None or name[1] not in self._extra:
            return None
        closing = self._closings.after(f"\\end{{{name[1]}}}", name.end())
        return Mark("verbatim", name[1], start, closing) if closing else None


class Closings:
    """A search for closing strings in a text; a string that was not found is not searched for again."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._absent: set[str] = set()

    def after(self, closing: str, place: int) -> int:
        """Return the end of the next closing string from a position on, 0 if there is none."""
        found = -1 if closing in self._absent else self.text.find(closing, place)
        if found < 0:
            self._absent.add(closing)
        return found + len(closing) if found >= 0 else 0


_LONGEST_ADDRESS: Final = 4_000
_LONGEST_OPTION: Final = 3_000
_ENVIRONMENT: Final = re.compile(r"\s*\{([^{}\\\s]+)\}")


class Groups:
    """The brace groups of a text, matched one by one at first, and all at once if many are needed."""

    def __init__(self, text: str) -> None:
        self.text, self.closings = text, Closings(text)
        self._patience = len(text)  # characters that may be read to match groups one by one

    @cached_property
    def _close(self) -> dict[int, int]:
        """The place of each group's closing brace, by the place of its opening brace."""
        close: dict[int, int] = {}
        opened: list[int] = []
        for found in _BRACE.finditer(self.text):
            brace = found[0]
            if brace == "{":
                opened.append(found.start())
            elif brace == "}" and opened:
                close[opened.pop()] = found.start()
        return close

    @cached_property
    def _nesting(self) -> tuple[list[int], list[int]]:
        """The places of all matched braces, and the start of the innermost group open behind each, -1 if none."""
        partner = {end: start for start, end in self._close.items()}
        places = sorted((*self._close, *partner))
        innermost, opened = [], [-1]
        for place in places:
            if place in partner:
                opened.pop()
            else:
                opened.append(place)
            innermost.append(opened[-1])
        return places, innermost

    def group(self, place: int) -> tuple[str, int] | None:
        """Return the content and the end of the group at a position, after any spaces; None if there is none."""
        place = _SPACE.match(self.text, place).end()  # type: ignore[union-attr]
        close = self._closing(place)
        return None if close is None else (self.text[place + 1 : close], close + 1)

    def end_of(self, place: int) -> int:
        """Return the end of the group whose brace stands at a position; the position itself if it is never closed."""
        close = self._closing(place)
        return place if close is None else close + 1

    def _closing(self, place: int) -> int | None:
        """Return the place of the brace that closes the one at a position; None if there is none."""
        if not self.text.startswith("{", place):
            return None
        if self._patience <= 0 or self.text.endswith("\\", 0, place):  # only a full scan knows what is escaped
            return self._close.get(place)
        close = self._closing_alone(place)
        self._patience -= len(self.text) if close is None else close - place
        return close

    def _closing_alone(self, place: int) -> int | None:
        depth = 0
        for found in _BRACE.finditer(self.text, place):
            brace = found[0]
            if brace == "{":
                depth += 1
            elif brace == "}":
                depth -= 1
                if not depth:
                    return found.start()
        return None

    def enclosing_end(self, place: int) -> int:
        """Return the place of the brace that closes the innermost group around a position, else the text's end."""
        places, innermost = self._nesting
        index = bisect_left(places, place) - 1
        return self._close.get(innermost[index], len(self.text)) if index >= 0 else len(self.text)

    def option(self, place: int) -> tuple[str, int] | None:
        """Return the content and the end of the `[…]` at a position, after any spaces; None if there is none."""
        place = _SPACE.match(self.text, place).end()  # type: ignore[union-attr]
        if not self.text.startswith("[", place) or self.text.find("]", place, place + _LONGEST_OPTION) < 0:
            return None
        inner = place + 1
        for found in _BRACKET.finditer(self.text, inner, inner + _LONGEST_OPTION):
            if found.start() < inner:
                continue
            if found[0] == "]":
                return self.text[place + 1 : found.start()], found.end()
            if found[0] == "{":
                inner = self.end_of(found.start())
        return None

    def arguments(self, place: int, count: int, *, optional: bool = False) -> tuple[list[str | None], int]:
        """Return up to `count` arguments from a position, and their end; if `optional`, the first is a `[…]` or None.

        An argument without braces is one character or one command, as in TeX.
        """
        values: list[str | None] = []
        if optional and count:
            option = self.option(place)
            values.append(option[0] if option else None)
            place = option[1] if option else place
        while len(values) < count:
            found = self.group(place) or self._single(place)
            if found is None:
                break
            values.append(found[0])
            place = found[1]
        return values, place

    def _single(self, place: int) -> tuple[str, int] | None:
        found = _SINGLE.match(self.text, place)
        return (found[1], found.end()) if found else None


class Source:
    """A LaTeX text with its commands and brace groups, each found only once.

    A caller that handles a command's arguments must skip the commands within them.
    """

    def __init__(self, text: str) -> None:
        self.text, self.groups = text, Groups(text)

    def commands(self, wanted: Callable[[str], object]) -> list[Mark]:
        """Return the commands with wanted names that stand in no verbatim place, in order."""
        found = ((name, places) for name, places in self._places.items() if wanted(name))
        marks = [Mark("command", name, *place) for name, places in found for place in places]
        return sorted(marks, key=attrgetter("start"))

    @cached_property
    def _places(self) -> dict[str, list[tuple[int, int]]]:
        """The start and end of every command, by name: there are few names, so a caller checks few."""
        places, scan = defaultdict(list), Marks(self.text)
        for found in scan.matches():
            kind = found.lastgroup
            if kind == "command":
                places[found["command"]].append(found.span())
            elif kind not in ("escape", "comment"):
                mark = scan.mark(found)
                scan.place = mark.end
                if mark.kind == "command":
                    places[mark.name].append((mark.start, mark.end))
        return places


_BRACE: Final = re.compile(r"\\[\\{}]|[{}]")
_BRACKET: Final = re.compile(r"\\.|[\]{]", re.DOTALL)
_SPACE: Final = re.compile(r"[ \t]*\n?[ \t]*")
_SINGLE: Final = re.compile(r"[ \t]*(\\[A-Za-z@]+|\\.|[^\s{}\\%])")
