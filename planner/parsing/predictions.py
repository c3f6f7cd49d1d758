"""Read the JSON objects in the predictions block of a reply, in any layout that models use.

A strict decoder reads valid objects, and `json_repair` repairs broken ones. An object is repaired only if its end is
known, because the repair would silently complete a truncated object. A log collects the format errors that were
repaired, and the errors that make the reply invalid.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from planner.parsing.json_objects import (
    LimitedJsonRepairer,
    find_ablation_objects,
    find_object_end,
    find_reasoning,
    is_prompt_example,
    normalize_key,
)
from planner.schema import PLAN_FIELDS

_TAG: Final = re.compile(r"<\s?(?:(?P<closes>/?)\s?predictions\b[^<>]*|/\s?discussion\s?)>", re.IGNORECASE)
_FENCE: Final = re.compile(r"```[^\n`{\[<]*")
_LIST_MARK: Final = re.compile(r"(?:\(?\d{1,3}[.):]|[-*•])[^\S\n]+(?=\{)")
_REST_OF_LINE: Final = re.compile(r"[^\S\n]*+\n")
_BLANK: Final = re.compile(r"[\s,;]+")
_END_OF_PROSE: Final = re.compile(
    r"""(?=\n|\{\s*(?:["'“}]|[A-Za-z_]+["']?\s*:)|<\s?/?\s?predictions\b|<\s?/\s?discussion\b)""",
    re.IGNORECASE,
)
_KEYS: Final = "|".join(key.replace("_", "[_ ]") for field in PLAN_FIELDS[1:] for key in field.accepted_keys)
_FIELD_KEY: Final = re.compile(rf"\W*(?:{_KEYS})\W*:", re.IGNORECASE)
DISCUSSION_START: Final = re.compile(r"<\s?discussion\b[^<>]*>", re.IGNORECASE)

_LINE_OF_BLOCK: Final = re.compile(r"line (\d+)([:, ].*)", re.S)

_MAX_QUOTE_CHARS: Final = 80
_MAX_FINDINGS: Final = 20
_MAX_NOTES: Final = 50
_MAX_PIECES: Final = 20_000  # objects, brackets, blanks and lines of prose in a block; a plan has about ten


class ParseLog:
    """A log of repairs (faults that were repaired, at most 50) and of faults that make the reply invalid.

    `lines_before` is the number of lines in the reply before the block with the plan; None if it is unknown.
    """

    def __init__(self, *, reads_details: bool = False) -> None:
        self.reads_details = reads_details  # if so, the keys of details are not unknown keys
        self.lines_before: int | None = None
        self._repairs: dict[str, None] = {}
        self._invalidating_faults: dict[str, None] = {}

    def add_repair(self, *sentences: str) -> None:
        """Add sentences about format errors that were repaired."""
        for sentence in sentences:
            if len(self._repairs) < _MAX_NOTES:
                self._repairs[sentence] = None

    def add_invalidating_fault(self, *sentences: str) -> None:
        """Add sentences about errors that make the reply invalid."""
        self._invalidating_faults.update(dict.fromkeys(sentences))

    @property
    def repairs(self) -> tuple[str, ...]:
        """The sentences about format errors that were repaired; they count lines from the start of the reply."""
        return tuple(map(self._count_lines_in_reply, self._repairs))

    @property
    def invalidating_faults(self) -> tuple[str, ...]:
        """The sentences about errors that make the reply invalid; they count lines from the start of the block."""
        return tuple(self._invalidating_faults)

    @property
    def invalidating_faults_with_reply_lines(self) -> tuple[str, ...]:
        """The same sentences as in `invalidating_faults`, but they count lines from the start of the reply."""
        return tuple(map(self._count_lines_in_reply, self._invalidating_faults))

    def _count_lines_in_reply(self, sentence: str) -> str:
        before, match = self.lines_before, _LINE_OF_BLOCK.match(sentence)
        return sentence if before is None or match is None else f"line {before + int(match[1])} of the reply{match[2]}"


def quote_value(value: object) -> str:
    """Quote a value for a message, shortened to 80 characters."""
    text = repr(value if not isinstance(value, str) else value[: _MAX_QUOTE_CHARS + 1].strip())
    return text if len(text) <= _MAX_QUOTE_CHARS else f"{text[: _MAX_QUOTE_CHARS - 1]}…"


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key is repeated, since the model may have joined two objects by mistake")
    return value


_DECODER: Final = json.JSONDecoder(strict=False, object_pairs_hook=_build_object)


@dataclass(frozen=True, slots=True)
class LocatedObject:
    """A JSON object and the line of the block on which it begins; 1 is the first line."""

    line_in_block: int
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlanBlock:
    """The block of a reply that holds the plan, between <predictions> tags; positions are offsets into the text.

    The block with its tags lies between `start` and `end`, and the plan lies between `plan_start` and `plan_end`. Error
    messages count lines from `first_line_start`. `draft_end` is the end of a draft before the plan, or 0. `has_content`
    is true if there is an object, even an unreadable one. `is_unfinished` is true if the text ends inside an object or
    an array. `reasoning` is the discussion if it stands in the JSON, otherwise "". `log` has the errors in the block.
    """

    start: int
    end: int
    first_line_start: int
    plan_start: int
    plan_end: int
    draft_end: int
    ablation_objects: tuple[LocatedObject, ...]
    has_closing_tag: bool
    has_content: bool
    is_unfinished: bool
    reasoning: str
    log: ParseLog

    @property
    def is_mention(self) -> bool:
        """True if the block holds no plan, because a sentence only mentions the tag."""
        is_plan = any("ablated_part" in map(normalize_key, json_object.value) for json_object in self.ablation_objects)
        return not (is_plan or self.is_unfinished or self.has_closing_tag)


def read_plan_block(text: str, start: int, objects_start: int, repairer: LimitedJsonRepairer) -> PlanBlock:
    """Read the block that begins at offset `start`; its objects begin at `objects_start`.

    All blocks of a reply share one `repairer`.
    """
    return _BlockReader(text, start, objects_start, repairer).read_block()


@dataclass(slots=True)
class _ObjectGroup:
    """Objects with no words between them, from offset `start` to `end`; `is_list` is true if they form a JSON list."""

    start: int
    end: int
    is_list: bool = False
    objects: list[LocatedObject] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """The names of the group's ablations, in lower case."""
        return {str(json_object.value.get("name")).strip().lower() for json_object in self.objects}


class _BlockReader:
    """A reader that moves through the text of one block and collects its objects, notes and findings."""

    def __init__(self, text: str, start: int, objects_start: int, repairer: LimitedJsonRepairer) -> None:
        self.repairer = repairer
        self.text, self.start, self.position = text, start, objects_start
        blank_rest = _REST_OF_LINE.match(text, objects_start)
        self.first_line_start = blank_rest.end() if blank_rest else objects_start
        self.line, self.counted_to = 1, self.first_line_start
        self.groups = [_ObjectGroup(objects_start, objects_start)]
        self.draft_end = 0
        self.log = ParseLog()
        self.open_arrays = 0
        self.is_unfinished = self.has_discussion = False
        self.invalid_count = 0
        self.reasoning = ""

    def read_block(self) -> PlanBlock:
        tag = None
        for _ in range(_MAX_PIECES):
            if self._is_done() or (tag := self._match_end()):
                break
            self._read_next()
        else:
            self.log.add_invalidating_fault(f"the predictions have over {_MAX_PIECES:,} pieces")
            self.position = len(self.text)  # nothing after these pieces is read
        closed = tag is not None and tag["closes"] == "/"
        self._drop_draft()
        objects = tuple(json_object for group in self.groups for json_object in group.objects)
        if self.draft_end and not objects:
            self.log.add_invalidating_fault("the predictions only repeat the examples of the prompt")
        is_unfinished = self.is_unfinished or (self.open_arrays > 0 and tag is None)
        return PlanBlock(
            start=self.start,
            end=tag.end() if tag and closed else self.position,
            first_line_start=self.first_line_start,
            plan_start=self.groups[0].start,
            plan_end=self.groups[-1].end,
            draft_end=self.draft_end,
            ablation_objects=objects,
            has_closing_tag=closed,
            has_content=bool(objects) or is_unfinished or self.invalid_count > 0,
            is_unfinished=is_unfinished,
            reasoning=self.reasoning,
            log=self.log,
        )

    def _match_end(self) -> re.Match[str] | None:
        """Return the tag at `position` if it ends the block, otherwise None."""
        tag = _TAG.match(self.text, self.position)
        if tag is None or tag["closes"] is not None:
            return tag
        self.has_discussion = self.has_discussion or bool(DISCUSSION_START.search(self.text, self.start, self.position))
        return None if self.has_discussion else tag

    def _drop_draft(self) -> None:
        """Drop the earlier groups of objects if they look like drafts of the last group."""
        self.groups = [group for group in self.groups if group.objects] or self.groups[-1:]
        *earlier, last = self.groups
        is_again = any(last.names & group.names for group in earlier) or all(group.is_list for group in self.groups)
        if earlier and is_again and len(last.objects) >= sum(len(group.objects) for group in earlier):
            self.log.add_repair("an earlier version of the predictions was left out")
            self.groups, self.draft_end = [last], max(self.draft_end, earlier[-1].end)

    def _is_done(self) -> bool:
        errors = max(self.invalid_count, len(self.log.invalidating_faults))
        return self.position >= len(self.text) or self.is_unfinished or errors >= _MAX_FINDINGS

    def _read_next(self) -> None:
        if skipped := _BLANK.match(self.text, self.position):
            self._skip_match(
                skipped, "commas were between the objects" if "," in skipped[0] and self.groups[-1].objects else ""
            )
        elif skipped := _FENCE.match(self.text, self.position):
            self._skip_match(skipped, "the predictions were in a code fence")
            if 0 < self.draft_end == self.groups[-1].start:  # the fence of the examples
                self.draft_end = self.groups[-1].start = self.position
            self.groups[-1].end = self.position
        elif skipped := _LIST_MARK.match(self.text, self.position):
            self._skip_match(skipped, "the predictions were a numbered or bulleted list")
        elif self.text[self.position] in "[]":
            self._read_bracket()
        elif self.text[self.position] == "{":
            self._read_object()
        else:
            self._skip_prose()

    def _skip_match(self, skipped: re.Match[str], note: str) -> None:
        self.position = skipped.end()
        if note:
            self.log.add_repair(note)

    def _read_bracket(self) -> None:
        self.open_arrays = max(0, self.open_arrays + (1 if self.text[self.position] == "[" else -1))
        self.groups[-1].is_list |= self.text[self.position] == "["
        self.log.add_repair("the predictions were a JSON array instead of one object per line")
        self.position += 1
        self.groups[-1].end = self.position

    def _skip_prose(self) -> None:
        """Skip text that is not JSON, up to the next object, the next tag or the end of the line."""
        stop = _END_OF_PROSE.search(self.text, self.position + 1)
        words = self.text[self.position : stop.start() if stop else len(self.text)]
        if _FIELD_KEY.match(words):
            self.log.add_invalidating_fault(
                f"line {self._find_line_number()}: is not a JSON object: {quote_value(words)}"
            )
        elif any(map(str.isalnum, words)):
            self.log.add_repair(f"line {self._find_line_number()} was left out, as it is no JSON: {quote_value(words)}")
        self.position += len(words)
        if any(map(str.isalnum, words)):
            self._begin_group()

    def _begin_group(self) -> None:
        if self.groups[-1].objects:
            self.groups.append(_ObjectGroup(self.position, self.position))
        self.groups[-1].start = self.position
        self.groups[-1].is_list = False

    def _read_object(self) -> None:
        line = self._find_line_number()
        try:
            value, end = _DECODER.raw_decode(self.text, self.position)
        except (ValueError, RecursionError):
            self._repair_object(line)
            return
        if "\n" in self.text[self.position : end].strip():
            self.log.add_repair("some objects took more than one line")
        self._add_object(line, value, end)

    def _repair_object(self, line: int) -> None:
        end = find_object_end(self.text, self.position)
        value = self.repairer.repair_object(self.text[self.position : end]) if end else None
        if value is not None and end:
            self.log.add_repair(f"line {line}: broken JSON was repaired")
            self._add_object(line, value, end)
            return
        self.invalid_count += 1
        self.is_unfinished = not end and not _TAG.search(self.text, self.position)
        fault = "is not valid JSON" if end else "a JSON object begins here and is not closed"
        self.log.add_invalidating_fault(
            f"line {line}: {fault}: {quote_value(self.text[self.position : self.position + 200])}"
        )
        newline = self.text.find("\n", self.position)
        self.position = end or (newline if newline >= 0 else len(self.text))

    def _add_object(self, line: int, value: dict[str, Any], end: int) -> None:
        self.position = end
        objects = find_ablation_objects(value) or _list_objects_of_only_list(value)
        if objects != [value]:
            self.reasoning = self.reasoning or find_reasoning(value)
        if objects and objects != [value]:
            self.log.add_repair("the predictions were a list in a JSON object instead of one object per line")
            self.groups[-1].is_list = True
        kept = [each for each in objects or [value] if not is_prompt_example(each)]
        if len(kept) < len(objects):
            self.log.add_repair("the examples of the prompt were left out")
            self.draft_end = end
            self._begin_group()
        self.groups[-1].objects.extend(LocatedObject(line, each) for each in kept)
        self.groups[-1].end = end

    def _find_line_number(self) -> int:
        self.line += self.text.count("\n", self.counted_to, self.position)
        self.counted_to = max(self.counted_to, self.position)
        return self.line


def _list_objects_of_only_list(value: Any) -> list[dict[str, Any]]:
    """Return the only value of a JSON object that is a list of objects; [] if there is none or more than one."""
    children = value.values() if isinstance(value, dict) else ()
    lists = [v for v in children if isinstance(v, list) and v and all(isinstance(item, dict) for item in v)]
    return lists[0] if len(lists) == 1 else []
