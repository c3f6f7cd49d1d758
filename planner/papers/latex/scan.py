"""The scanner that all of the LaTeX loader stands on: marks in a text, and where their arguments end.

It knows what TeX's own reader knows of a line: escapes, comments, and the verbatim places where neither counts.
Every function is linear in the text, whatever the text is.
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
    """What finds marks but for comments: all the verbatim, of commands and escapes those asked for.

    Escaped backslashes and percent signs must be asked for. It begins with one character, which is quick to look for.
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
COMMENT: Final = re.compile(r"%(?<!\\%).*")  # for those who take only its own line into account


class Mark(NamedTuple):
    """A place in the text where TeX would do something: `kind` is command, escape, comment or verbatim.

    `name` is the command without its backslash (a star included), the escaped character, or the comment's text.
    """

    kind: str
    name: str
    start: int
    end: int


class Marks(Iterable[Mark]):
    """Every mark of a text in order, or those that a narrower pattern finds; a verbatim stretch is one mark.

    `place` is where the search goes on: a caller sets it to jump over an argument that it has dealt with.
    The environments in `extra` are verbatim too, and may grow on the way.
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
        """What the pattern finds, for a caller that makes no mark of most; it sets `place` to a verbatim mark's end."""
        sign, jumped = self._percent_sign(), True
        while jumped:
            jumped = False
            for found in self._pattern.finditer(self.text, self.place):
                start, end = found.span()
                if sign < start:
                    yield from self._comments(start)
                if start >= self.place:  # else it stands in a comment
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
        """The mark that begins where the pattern was found."""
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
        """The mark of an environment that the paper made verbatim."""
        name = _ENVIRONMENT.match(self.text, end)
        if name is None or name[1] not in self._extra:
            return None
        closing = self._closings.after(f"\\end{{{name[1]}}}", name.end())
        return Mark("verbatim", name[1], start, closing) if closing else None


class Closings:
    """Where things end that a text may hold many beginnings of; what was found absent is not looked for again."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._absent: set[str] = set()

    def after(self, closing: str, place: int) -> int:
        """The place behind the next `closing` from `place` on, 0 if there is none."""
        found = -1 if closing in self._absent else self.text.find(closing, place)
        if found < 0:
            self._absent.add(closing)
        return found + len(closing) if found >= 0 else 0


_LONGEST_ADDRESS: Final = 4_000
_LONGEST_OPTION: Final = 3_000
_ENVIRONMENT: Final = re.compile(r"\s*\{([^{}\\\s]+)\}")


class Groups:
    """The brace groups of one text: matched one by one, and all at once where many are asked for."""

    def __init__(self, text: str) -> None:
        self.text, self.closings = text, Closings(text)
        self._patience = len(text)  # characters that may be read to match groups one by one

    @cached_property
    def _close(self) -> dict[int, int]:
        """Where each group ends, by where it begins."""
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
        """Where the braces of all groups stand, and the innermost group that is open behind each; -1 if none."""
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
        """The content of the group that begins at `place`, spaces before it aside, and where it ends."""
        place = _SPACE.match(self.text, place).end()  # type: ignore[union-attr]
        close = self._closing(place)
        return None if close is None else (self.text[place + 1 : close], close + 1)

    def end_of(self, place: int) -> int:
        """Where the group ends whose brace stands at `place`; `place` itself if it is never closed."""
        close = self._closing(place)
        return place if close is None else close + 1

    def _closing(self, place: int) -> int | None:
        """Where the brace stands that closes the one at `place`."""
        if not self.text.startswith("{", place):
            return None
        if self._patience <= 0 or self.text.endswith("\\", 0, place):  # whether it is escaped is told from the start
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
        """Where the innermost group ends that `place` stands in, its brace excluded; the text's end outside any."""
        places, innermost = self._nesting
        index = bisect_left(places, place) - 1
        return self._close.get(innermost[index], len(self.text)) if index >= 0 else len(self.text)

    def option(self, place: int) -> tuple[str, int] | None:
        """The content of the `[…]` that begins at `place`, spaces before it aside, and where it ends."""
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
        """`count` arguments from `place` on and where they end; the first may be a `[…]` and None if it is not there.

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
    """A text with its commands and its groups, each found once for all who ask.

    A reader that deals with a command's arguments passes over the commands within them.
    """

    def __init__(self, text: str) -> None:
        self.text, self.groups = text, Groups(text)

    def commands(self, wanted: Callable[[str], object]) -> list[Mark]:
        """The commands whose names are wanted and that stand in no verbatim place, in order."""
        found = ((name, places) for name, places in self._places.items() if wanted(name))
        marks = [Mark("command", name, *place) for name, places in found for place in places]
        return sorted(marks, key=attrgetter("start"))

    @cached_property
    def _places(self) -> dict[str, list[tuple[int, int]]]:
        """Where all commands begin and end, by their names: these are few, so that few are looked at by who asks."""
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
