"""Scan LaTeX text for commands, escapes, comments and verbatim text, and read the arguments of commands.

In verbatim text, nothing is an escape or a comment, as in TeX. Every function takes linear time.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from functools import cached_property
from operator import attrgetter
from typing import Final, NamedTuple

VERBATIM_ENVIRONMENTS: Final = (
    *("verbatim", "Verbatim", "lstlisting", "minted", "alltt", "BVerbatim", "LVerbatim", "SaveVerbatim"),
    *("filecontents", "tcblisting", "spverbatim", "pyglist", "code"),
)
_VERBATIM_NAMES: Final = "|".join(VERBATIM_ENVIRONMENTS)
_COMMENT_TO_LINE_END: Final = re.compile(r"%(?P<comment>[^\n]*)")
COMMENT_PATTERN: Final = re.compile(r"%(?<!\\%).*")  # a comment up to its line's end; also finds % in verbatim text
_MAX_ADDRESS_CHARS: Final = 4_000
_MAX_OPTION_CHARS: Final = 3_000
_ENVIRONMENT: Final = re.compile(r"\s*\{([^{}\\\s]+)\}")
_DEPTH_CHANGES: Final = {"{": 1, "}": -1}
_BRACE_OR_ESCAPE: Final = re.compile(r"\\[\\{}]|[{}]")
_BRACKET: Final = re.compile(r"\\.|[\]{]", re.DOTALL)
_SPACES: Final = re.compile(r"[ \t]*\n?[ \t]*")
_SINGLE_ARGUMENT: Final = re.compile(r"[ \t]*(\\[A-Za-z@]+|\\.|[^\s{}\\%])")


class LatexToken(NamedTuple):
    """A token of a LaTeX text; `kind` is command, escape, comment or verbatim.

    `name` is the command without its backslash (but with its star), the escaped character, the text of the comment, or
    the name of the verbatim environment or command.
    """

    kind: str
    name: str
    start: int
    end: int


def compile_pattern_with_verbatim(command_regex: str, escape_regex: str) -> re.Pattern[str]:
    """Return a pattern that finds verbatim text, and commands and escapes that match the given expressions.

    `escape_regex` must match backslashes and percent signs.
    """
    return re.compile(
        rf"""
          \\(?:
              begin\s*\{{(?P<verbatim>(?:{_VERBATIM_NAMES})\*?)\}}(?![ \t]*\}})
            | (?:verb\*?|lstinline\s*(?:\[[^\]\n]*\])?|mintinline\s*(?:\[[^\]\n]*\])?\{{\w+\}})
              (?P<delimiter>[^\w\s*{{\[])
            | (?P<address>url|path|nolinkurl|href|lstinline)\*?\s*\{{
            | (?P<command>{command_regex})
            | (?P<escape>{escape_regex})
          )
        """,
        re.VERBOSE | re.DOTALL,
    )


_TOKEN_PATTERN: Final = compile_pattern_with_verbatim(r"[A-Za-z@]+\*?", r".|\n|\Z")


class _ClosingStringFinder:
    """A finder of strings such as `\\end{figure}`; it never searches twice for a string that is missing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._absent: set[str] = set()

    def find_end(self, closing: str, position: int) -> int | None:
        """Return the end of the next string `closing` after a position; None if there is none."""
        start = -1 if closing in self._absent else self.text.find(closing, position)
        if start < 0:
            self._absent.add(closing)
            return None
        return start + len(closing)


class LatexScanner(Iterable[LatexToken]):
    """A scanner that yields the comments of a text, and the tokens that `pattern` finds, in order.

    Verbatim text is one token. Environments in `extra_environments` are verbatim too, and a caller may add names to
    them at any time. A caller may change `position`, for example to skip an argument.
    """

    def __init__(
        self,
        text: str,
        position: int = 0,
        extra_environments: Container[str] = (),
        pattern: re.Pattern[str] = _TOKEN_PATTERN,
    ) -> None:
        self.text, self.position, self._extra_environments = text, position, extra_environments
        self._pattern = pattern
        self._closings = _ClosingStringFinder(text)

    def __iter__(self) -> Iterator[LatexToken]:
        for match in self._find_matches():
            token = self._make_token(match)
            self.position = token.end
            yield token

    def collect_command_spans(self) -> dict[str, list[tuple[int, int]]]:
        """Return the start and end of every command, by the name of the command; faster than making tokens."""
        spans = defaultdict(list)
        for match in self._find_matches():
            kind = match.lastgroup
            if kind == "command":
                spans[match["command"]].append(match.span())
            elif kind not in ("escape", "comment"):
                token = self._make_token(match)
                self.position = token.end
                if token.kind == "command":
                    spans[token.name].append((token.start, token.end))
        return spans

    def _find_matches(self) -> Iterator[re.Match[str]]:
        """Yield the matches of the pattern, and the comments.

        After a match that begins verbatim text, the caller must set `position` to the end of that text.
        """
        percent, has_moved = self._find_percent_sign(), True
        while has_moved:
            has_moved = False
            for match in self._pattern.finditer(self.text, self.position):
                start, end = match.span()
                if percent < start:
                    yield from self._find_comments(start)
                if start >= self.position:  # otherwise the match is in a comment
                    self.position = end
                    yield match
                if percent < self.position:
                    percent = self._find_percent_sign()
                if has_moved := self.position != end:
                    break
        yield from self._find_comments(len(self.text))

    def _find_comments(self, end: int) -> Iterator[re.Match[str]]:
        while (percent := self._find_percent_sign()) < end:
            comment = _COMMENT_TO_LINE_END.match(self.text, percent)
            assert comment is not None
            self.position = comment.end()
            yield comment

    def _find_percent_sign(self) -> int:
        position = self.text.find("%", self.position)
        return position if position >= 0 else len(self.text)

    def _make_token(self, match: re.Match[str]) -> LatexToken:
        start, end = match.span()
        match match.lastgroup:
            case "command":
                name = match["command"]
                is_extra = self._extra_environments and name == "begin"
                verbatim = self._make_extra_verbatim(start, end) if is_extra else None
                return verbatim or LatexToken("command", name, start, end)
            case "escape" | "comment":
                return LatexToken(match.lastgroup, match[match.lastgroup], start, end)
            case "verbatim":
                closing = self._closings.find_end(f"\\end{{{match['verbatim']}}}", end)
                kind = ("verbatim", match["verbatim"]) if closing else ("command", "begin")
                return LatexToken(*kind, start, closing or start + len("\\begin"))
            case "delimiter":
                line_end = self.text.find("\n", end)
                close = self.text.find(match["delimiter"], end, line_end if line_end >= 0 else len(self.text))
                return LatexToken("verbatim", "verb", start, close + 1 if close >= 0 else end)
        close = self.text.find("}", end, end + _MAX_ADDRESS_CHARS)
        return LatexToken("verbatim", match["address"], start, close + 1 if close >= 0 else end)

    def _make_extra_verbatim(self, start: int, end: int) -> LatexToken | None:
        """Return the token of an extra verbatim environment; None if another environment begins at `start`."""
        name = _ENVIRONMENT.match(self.text, end)
        if name is None or name[1] not in self._extra_environments:
            return None
        closing = self._closings.find_end(f"\\end{{{name[1]}}}", name.end())
        return LatexToken("verbatim", name[1], start, closing) if closing else None


def blank_comments(text: str) -> str:
    """Return the text with comments replaced by spaces, so that braces in comments do not count."""
    chunks, last = list[str](), 0
    for token in LatexScanner(text):
        if token.kind == "comment":
            chunks += (text[last : token.start], " " * (token.end - token.start))
            last = token.end
    return "".join((*chunks, text[last:]))


class GroupContent(NamedTuple):
    """The text in a group, an option or an environment, and the position after it."""

    text: str
    end: int


class BraceGroups:
    """The groups in braces of a text; if many are read, the braces of the whole text are matched at once."""

    def __init__(self, text: str) -> None:
        self.text, self._closings = text, _ClosingStringFinder(text)
        self._characters_left = len(text)  # characters that may be read to match groups one by one

    @cached_property
    def _closing_positions(self) -> dict[int, int]:
        """The positions of closing braces; the keys are the positions of their opening braces."""
        closing_positions: dict[int, int] = {}
        open_positions: list[int] = []
        for match in _BRACE_OR_ESCAPE.finditer(self.text):
            if match[0] == "{":
                open_positions.append(match.start())
            elif match[0] == "}" and open_positions:
                closing_positions[open_positions.pop()] = match.start()
        return closing_positions

    @cached_property
    def _nesting(self) -> tuple[list[int], list[int]]:
        """The positions of matched braces, and for each brace the start of the innermost group open after it, or -1."""
        closing_positions = set(self._closing_positions.values())
        positions = sorted((*self._closing_positions, *closing_positions))
        innermost, open_positions = [], [-1]
        for position in positions:
            if position in closing_positions:
                open_positions.pop()
            else:
                open_positions.append(position)
            innermost.append(open_positions[-1])
        return positions, innermost

    def read_group(self, position: int) -> GroupContent | None:
        """Return the content and the end of the group in braces at a position; None if there is no group."""
        position = _SPACES.match(self.text, position).end()  # type: ignore[union-attr]
        close = self._find_closing_brace(position)
        return None if close is None else GroupContent(self.text[position + 1 : close], close + 1)

    def _find_closing_brace(self, position: int) -> int | None:
        """Return the position of the brace that closes the brace at `position`; None if there is none."""
        if not self.text.startswith("{", position):
            return None
        is_after_backslash = self.text.endswith("\\", 0, position)  # only a full scan knows what is escaped
        if self._characters_left <= 0 or is_after_backslash:
            return self._closing_positions.get(position)
        close = self._search_closing_brace(position)
        self._characters_left -= len(self.text) if close is None else close - position
        return close

    def _search_closing_brace(self, position: int) -> int | None:
        depth = 0
        for match in _BRACE_OR_ESCAPE.finditer(self.text, position):
            depth += _DEPTH_CHANGES.get(match[0], 0)
            if not depth:
                return match.start()
        return None

    def find_enclosing_end(self, position: int) -> int:
        """Return the position of the closing brace of the group around a position, or the end of the text."""
        positions, innermost = self._nesting
        index = bisect_left(positions, position) - 1
        return self._closing_positions.get(innermost[index], len(self.text)) if index >= 0 else len(self.text)

    def read_environment(self, name: str, position: int) -> GroupContent | None:
        """Return the text from a position to the end of an environment, and where that ends; None if it never ends."""
        closing = f"\\end{{{name}}}"
        end = self._closings.find_end(closing, position)
        return GroupContent(self.text[position : end - len(closing)], end) if end else None

    def read_option(self, position: int) -> GroupContent | None:
        """Return the content and the end of the option `[…]` at a position; None if there is no option."""
        position = _SPACES.match(self.text, position).end()  # type: ignore[union-attr]
        if not self.text.startswith("[", position) or self.text.find("]", position, position + _MAX_OPTION_CHARS) < 0:
            return None
        next_start = position + 1
        for match in _BRACKET.finditer(self.text, next_start, next_start + _MAX_OPTION_CHARS):
            if match.start() < next_start:
                continue
            if match[0] == "]":
                return GroupContent(self.text[position + 1 : match.start()], match.end())
            if match[0] == "{":
                next_start = (self._find_closing_brace(match.start()) or match.start()) + 1
        return None

    def find_option_end(self, position: int) -> int:
        """Return the end of the option `[…]` at a position; return the position if there is no option."""
        option = self.read_option(position)
        return option.end if option else position

    def find_options_end(self, position: int) -> int:
        """Return the end of the last of the options at a position; return the position if there is no option."""
        while option := self.read_option(position):
            position = option.end
        return position

    def read_arguments(self, position: int, count: int, *, optional: bool = False) -> tuple[list[str | None], int]:
        """Return up to `count` arguments after a position, and the end of the last one.

        If `optional` is true, the first argument is an option `[…]`, or None if it is missing. An argument without
        braces is one character or one command, as in TeX.
        """
        values: list[str | None] = []
        if optional and count:
            option = self.read_option(position)
            values.append(option.text if option else None)
            position = option.end if option else position
        while len(values) < count and (argument := self.read_group(position) or self._read_single(position)):
            values.append(argument.text)
            position = argument.end
        return values, position

    def _read_single(self, position: int) -> GroupContent | None:
        match = _SINGLE_ARGUMENT.match(self.text, position)
        return GroupContent(match[1], match.end()) if match else None


class LatexSource:
    """A LaTeX text with its commands and its groups in braces. The text is searched for both only once.

    Commands in the arguments of other commands are found too; a caller may have to skip them.
    """

    def __init__(self, text: str) -> None:
        self.text, self.groups = text, BraceGroups(text)

    def find_commands(self, is_wanted: Callable[[str], object]) -> list[LatexToken]:
        """Return the commands whose names are wanted, in order; commands in verbatim text are left out."""
        wanted = ((name, spans) for name, spans in self._command_spans.items() if is_wanted(name))
        tokens = [LatexToken("command", name, *span) for name, spans in wanted for span in spans]
        return sorted(tokens, key=attrgetter("start"))

    @cached_property
    def _command_spans(self) -> dict[str, list[tuple[int, int]]]:
        return LatexScanner(self.text).collect_command_spans()


def find_document_start(text: str) -> int | None:
    """Return the position of the first `\\begin{document}` outside verbatim text; None if there is none."""
    if "\\begin{document}" not in text:
        return None
    tokens = LatexSource(text).find_commands("begin".__eq__)
    return next((token.start for token in tokens if text.startswith("{document}", token.end)), None)
