"""Read JSON objects from the text of a predictions block, in whatever layout a model wrote them.

A strict decoder reads every object that it can. An object that it cannot read is repaired by `json_repair`, but only
once its end is known: the repair would silently complete a cut object, and keep only the last of several objects.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import json_repair

from planner.parsing.remarks import Remarks, shown

_TAG: Final = re.compile(r"<\s?(/?)\s?predictions\b[^<>]*>", re.IGNORECASE)
_FENCE: Final = re.compile(r"```[^\n`{\[]*")
_LIST_MARK: Final = re.compile(r"(?:\(?\d{1,3}[.):]|[-*•])[^\S\n]+(?=\{)")
_NAME_KEY: Final = re.compile(r"""["']name["']\s*:""", re.IGNORECASE)
_BLANK: Final = re.compile(r"[\s,;]+")
_END_OF_PROSE: Final = re.compile(
    r"""(?=\n|\{\s*(?:["'“}]|[A-Za-z_]+["']?\s*:)|<\s?/?\s?predictions\b)""", re.IGNORECASE
)
_A_FIELD: Final = re.compile(r"\W*(?:ablated[_ ]part|action|replacements?|metrics?)\W*:", re.IGNORECASE)
_STRING_OR_BRACE: Final = re.compile(r"""["'{}]""")
_LITERAL: Final = {'"': re.compile(r'(?:[^"\\\n]|\\.)*"'), "'": re.compile(r"(?:[^'\\\n]|\\.)*'")}

_REASONING_KEYS: Final = ("discussion", "reasoning")

_MOST_CHARS: Final = 50_000
_MOST_BRACKETS: Final = 300
_MOST_FINDINGS: Final = 20


class _RepeatedKeyError(ValueError):
    """An error for an object that has a key twice, as two objects have that were run together."""


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _RepeatedKeyError
    return value


_DECODER: Final = json.JSONDecoder(strict=False, object_pairs_hook=_object_of)


@dataclass(frozen=True, slots=True)
class Record:
    """A JSON object, and the line of the block on which it begins, counted from 1."""

    line: int
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Block:
    """A block of predictions, which runs from offset `start` to `end` of a text, its tags included.

    `closed` is true if there is a closing tag, `cut` if the text ends inside an object or an array, `broken` if
    an object could not be read. `reasoning` is the discussion in an object that wraps the list of records, or "".
    """

    start: int
    end: int
    records: tuple[Record, ...]
    closed: bool
    cut: bool
    broken: bool
    reasoning: str
    notes: tuple[str, ...]
    findings: tuple[str, ...]

    @property
    def holds_something(self) -> bool:
        """True if the block holds a record, or an object that could not be read."""
        return bool(self.records) or self.cut or self.broken


def read_block(text: str, start: int, first: int) -> Block:
    """Read the block that begins at `start`: its objects from offset `first` to the next tag of predictions."""
    return _Scanner(text, start, first).read()


class _Scanner:
    """A reader that moves through the text of one block and collects its records, notes and findings."""

    def __init__(self, text: str, start: int, first: int) -> None:
        self.text, self.start, self.at = text, start, first
        self.line, self.counted = 1, _first_line(text, first)
        self.records: list[Record] = []
        self.said = Remarks()
        self.open_arrays = 0
        self.cut = self.broken = False
        self.reasoning = ""

    def read(self) -> Block:
        tag = None
        while self.at < len(self.text) and not self.cut and len(self.said.findings) < _MOST_FINDINGS:
            if tag := _TAG.match(self.text, self.at):
                break
            self._step()
        closed = tag is not None and tag[1] == "/"
        return Block(
            start=self.start,
            end=tag.end() if tag and closed else self.at,
            records=tuple(self.records),
            closed=closed,
            cut=self.cut or (self.open_arrays > 0 and tag is None),
            broken=self.broken,
            reasoning=self.reasoning,
            notes=self.said.notes,
            findings=self.said.findings,
        )

    def _step(self) -> None:
        if skipped := _BLANK.match(self.text, self.at):
            self._skip(skipped, "commas stood between the objects" if "," in skipped[0] and self.records else "")
        elif skipped := _FENCE.match(self.text, self.at):
            self._skip(skipped, "the predictions stood in a code fence")
        elif skipped := _LIST_MARK.match(self.text, self.at):
            self._skip(skipped, "the predictions were a numbered or bulleted list")
        elif self.text[self.at] in "[]":
            self._bracket()
        elif self.text[self.at] == "{":
            self._object()
        else:
            self._prose()

    def _skip(self, skipped: re.Match[str], note: str) -> None:
        self.at = skipped.end()
        if note:
            self.said.note(note)

    def _bracket(self) -> None:
        self.open_arrays = max(0, self.open_arrays + (1 if self.text[self.at] == "[" else -1))
        self.said.note("the predictions were a JSON array, not a line each")
        self.at += 1

    def _prose(self) -> None:
        """Skip text that is not JSON, up to the end of its line or to an object or a tag in it."""
        stop = _END_OF_PROSE.search(self.text, self.at + 1)
        words = self.text[self.at : stop.start() if stop else len(self.text)]
        if _A_FIELD.match(words):
            self.said.find(f"line {self._line()}: is not a JSON object: {shown(words)}")
        elif any(map(str.isalnum, words)):
            self.said.note(f"line {self._line()} was left out, no JSON: {shown(words)}")
        self.at += len(words)

    def _object(self) -> None:
        line = self._line()
        try:
            value, end = _DECODER.raw_decode(self.text, self.at)
        except (ValueError, RecursionError):
            self._broken_object(line)
            return
        if "\n" in self.text[self.at : end].strip():
            self.said.note("objects ran over several lines")
        self._keep(line, value)
        self.at = end

    def _broken_object(self, line: int) -> None:
        end = _end_of_object(self.text, self.at) or _end_of_line_object(self.text, self.at)
        value = _repaired(self.text[self.at : end]) if end else None
        if value is not None:
            self.said.note(f"line {line}: broken JSON was repaired")
            self._keep(line, value)
        else:
            self._unreadable(line, closed=end is not None)
        self.at = end or self._next_line()

    def _unreadable(self, line: int, closed: bool) -> None:
        self.broken = True
        self.cut = not closed and not _TAG.search(self.text, self.at)
        what = "is not valid JSON" if closed else "a JSON object begins here and is not closed"
        self.said.find(f"line {line}: {what}: {shown(self.text[self.at : self.at + 200])}")

    def _next_line(self) -> int:
        newline = self.text.find("\n", self.at)
        return newline if newline >= 0 else len(self.text)

    def _keep(self, line: int, value: dict[str, Any]) -> None:
        inner = _unwrapped(value)
        if inner is None:
            self.records.append(Record(line, value))
        else:
            self.said.note("the predictions were one JSON object with a list, not a line each")
            self.records.extend(Record(line, item) for item in inner)
            told = [v for key, v in value.items() if key.lower() in _REASONING_KEYS and isinstance(v, str)]
            self.reasoning = self.reasoning or "".join(told[:1]).strip()

    def _line(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = max(self.counted, self.at)
        return self.line


def _first_line(text: str, start: int) -> int:
    """Return the offset of line 1: after the line break that ends the tag's line, if that line holds nothing else."""
    newline = text.find("\n", start)
    return newline + 1 if newline >= 0 and not text[start:newline].strip() else start


def _unwrapped(value: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the list of objects that an object wraps, or None if it wraps none or may itself be an ablation."""
    if "name" in value or "ablated_part" in value:
        return None
    lists = [v for v in value.values() if isinstance(v, list) and v and all(isinstance(item, dict) for item in v)]
    return lists[0] if len(lists) == 1 else None


def _end_of_object(text: str, start: int) -> int | None:
    """Return the offset after the brace that matches the one at `start`, or None. Braces in strings do not count."""
    depth, at = 0, start
    while found := _STRING_OR_BRACE.search(text, at, start + _MOST_CHARS):
        at = found.end()
        if found[0] in _LITERAL:
            literal = _LITERAL[found[0]].match(text, at, start + _MOST_CHARS)
            if literal is None:
                return None
            at = literal.end()
            continue
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return at
    return None


def _end_of_line_object(text: str, start: int) -> int | None:
    """Return the end of an object that fills its line, even with unpaired quotes, or None; the last line may be cut."""
    newline = text.find("\n", start)
    line = text[start:newline].rstrip().rstrip(",") if newline >= 0 else ""
    whole = line.endswith("}") and line.count("{") == line.count("}")
    return start + len(line) if whole and text[newline:].strip() else None


def _repaired(written: str) -> dict[str, Any] | None:
    """Repair an object with `json_repair`. Return None if that fails or would merge two ablations into one."""
    if written.count("{") + written.count("[") > _MOST_BRACKETS:
        return None
    try:
        value = json_repair.loads(written, skip_json_loads=True)
        lost = len(_NAME_KEY.findall(written)) > len(_NAME_KEY.findall(repr(value)))
    except (ValueError, RecursionError, AssertionError):  # odd text can fail an assertion inside json_repair
        return None
    return value if isinstance(value, dict) and value and not lost else None
