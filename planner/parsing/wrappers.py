"""Find the answer in a reply that also holds the model's thoughts, or that is a completion object in JSON.

Thoughts lie between two marks, such as `<think>` and `</think>`, or in an analysis channel of the harmony format. The
special tokens of a model and the marks around the answer (`<answer>`, a final channel) are both called tokens here;
they are skipped. A reply has the form `token* (thoughts token*)* answer token*`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from planner.chat import Completion
from planner.parsing.json_objects import find_ablation_objects

_MARK: Final = re.compile(
    r"(?=[<\[◁aA])(?:"  # where no mark begins, no other part of the pattern is tried
    r"(?:<\|start\|>\s?\w*\s?)?<\|channel\|?>\s?(?P<channel>\w+)[^<>\n]{0,80}(?:<\|constrain\|>\s?\w+\s?)?"
    r"(?:<\|message\|>|(?<=\w)\n)"
    r"|(?P<spoken>(?<=[^\w\s])assistant ?final(?=[A-Z<{\[`\s]))"
    r"|[<\[◁]\|?\s?(?P<end>/|end[_ ](?:of[_ ])?)?\s?(?:(?:begin|start)[_ ](?:of[_ ])?|\w{1,12}:)?"
    r"(?:(?P<thought>(?:ant)?think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|analysis)"
    r"|(?P<answer>solution|(?:final_?)?answer|final|response|output))\s?\|?[>\]▷]"
    r"|(?P<token><\|(?:[\w ]{1,30})\|>(?:assistant\b)?|<channel\|>|</s>))",
    re.IGNORECASE,
)
_SPOKEN_THOUGHTS: Final = re.compile(r"analysis(?=[A-Z])")
_THOUGHT_CHANNELS: Final = frozenset({"analysis", "thought", "thinking", "reasoning"})
_OPENING_TAG: Final = re.compile(r"<\s?(discussion|predictions)\b", re.IGNORECASE)
_ANSWER_START: Final = re.compile(r"\{|<\s?(?:discussion|predictions)\b", re.IGNORECASE)
_MAX_MARK_CHARS: Final = 100

_FENCED: Final = re.compile(r"```\w*\s*\n(.*)\n\s*```", re.DOTALL)
_COMPLETION_KEYS: Final = frozenset({"choices", "candidates"})
_TEXT_KEYS: Final = (
    *("choices", "candidates", "response", "body", "output", "message", "messages", "content", "parts", "text"),
    *("generated_text", "tool_calls", "function", "functionCall"),
)
_ARGUMENT_KEYS: Final = ("arguments", "args", "input")
_FINISH_KEYS: Final = ("finish_reason", "stop_reason", "finishReason", "done_reason", "reason")
_REASONING_KEYS: Final = ("reasoning_content", "reasoning", "thinking")
_OTHER_ROLES: Final = ("system", "developer", "user", "tool")  # no set: a role may be of any type
_MAX_DEPTH: Final = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a reply, and the thoughts before it.

    `is_in_thoughts` is true if the reply ends with thoughts; then `text` is the text of these thoughts.
    `has_open_thoughts` is true if, in addition, their closing mark is missing.
    """

    text: str
    thoughts: str = ""
    is_in_thoughts: bool = False
    has_open_thoughts: bool = False


def split_thoughts(text: str) -> Answer:
    """Split a reply into its thoughts and its answer."""
    thoughts: list[str] = []
    last_tags = {match[1].lower(): match.start() for match in _OPENING_TAG.finditer(text)}
    last_tags["{"] = text.rfind("{")
    start = 0
    while True:
        start = _skip_tokens(text, start)
        opening = _match_thoughts(text, start)
        after = opening.end() if opening else start
        end = _find_end(text, opening, after)
        if opening and end is None:
            return Answer(text[after:], "\n".join(thoughts), is_in_thoughts=True, has_open_thoughts=True)
        if end is None or not (opening or _is_answer_after(text, start, end, last_tags)):
            break
        following = _skip_tokens(text, end.start() if end["channel"] else end.end())
        if following == len(text):
            return Answer(text[after : end.start()], "\n".join(thoughts), is_in_thoughts=True)
        thoughts += [thought] if (thought := text[after : end.start()].strip()) else []
        start = following
    if cut := _find_cut_thoughts(text, start):
        return Answer(text[cut.end() :], "\n".join(thoughts), is_in_thoughts=True, has_open_thoughts=True)
    return Answer(text[start : _find_tokens_at_end(text)], "\n".join(thoughts))


def _is_thought_mark(mark: re.Match[str]) -> bool:
    return bool(mark["thought"]) or (mark["channel"] or "").lower() in _THOUGHT_CHANNELS


def _match_thoughts(text: str, start: int) -> re.Match[str] | None:
    """Return the mark at offset `start` if it opens thoughts, otherwise None."""
    mark = _MARK.match(text, start)
    if mark and _is_thought_mark(mark) and not mark["end"]:
        return mark
    return _SPOKEN_THOUGHTS.match(text, start)


def _find_end(text: str, opening: re.Match[str] | None, start: int) -> re.Match[str] | None:
    """Return the mark after `start` that closes thoughts, or None; `opening` is None if no mark opened them."""
    word = opening.groupdict().get("thought") if opening else None
    in_channel = opening is not None and word is None
    for mark in _MARK.finditer(text, start):
        if mark["spoken"] or (in_channel and (mark["channel"] or mark["token"])):
            return mark
        if mark["thought"] and mark["end"] and (word is None or mark["thought"][:5].lower() == word[:5].lower()):
            return mark
    return None


def _find_cut_thoughts(text: str, start: int) -> re.Match[str] | None:
    """Return the mark of thoughts that begin on a new line before the answer and never end; None if there are none."""
    answer = _ANSWER_START.search(text, start)
    marks = _MARK.finditer(text, start, answer.start() if answer else len(text))
    opening = next((m for m in marks if _is_thought_mark(m) and not m["end"] and text[m.start() - 1] == "\n"), None)
    return None if opening is None or _find_end(text, opening, opening.end()) else opening


def _is_answer_after(text: str, start: int, end: re.Match[str], last_tags: dict[str, int]) -> bool:
    """Return whether the mark `end` comes before the answer: the last tags and the last object follow it."""
    before = {match[1].lower() for match in _OPENING_TAG.finditer(text, start, end.start())}
    return all(last_tags[tag] >= end.end() for tag in before | {"{"})


def _skip_tokens(text: str, start: int) -> int:
    """Return the offset after the blanks and special tokens at `start`."""
    while True:
        while start < len(text) and text[start].isspace():
            start += 1
        mark = _MARK.match(text, start)
        if mark is None or _is_thought_mark(mark):
            return start
        start = mark.end()


def _find_tokens_at_end(text: str) -> int:
    """Return the offset of the special tokens and blanks at the end of a text."""
    end = len(text.rstrip())
    while mark := next((m for m in _MARK.finditer(text, max(0, end - _MAX_MARK_CHARS), end) if m.end() == end), None):
        if not (mark["token"] or (mark["answer"] and mark["end"])):
            break
        end = mark.start()
        while end and text[end - 1].isspace():
            end -= 1
    return end


def unwrap_completion_if_json(completion: Completion) -> Completion:
    """Return `completion`; if its text is the JSON response of an API, replace the text by the reply in it."""
    text = completion.text.strip()
    fenced = _FENCED.fullmatch(text)
    try:
        value = json.loads(fenced[1] if fenced else text, strict=False) if text[:1] in {*'{["`'} else None
        texts = "".join(_list_texts(value))
    except (ValueError, RecursionError):
        return completion
    objects = list(_list_objects(value))
    if not any(_COMPLETION_KEYS & item.keys() for item in objects) and (
        not texts or find_ablation_objects(value, search_strings=False)
    ):
        return completion
    return replace(
        completion,
        text=texts,
        reasoning=_find_string(objects, _REASONING_KEYS) or completion.reasoning,
        refusal=_find_string(objects, ("refusal",)) or completion.refusal,
        finish_reason=_find_string(objects, _FINISH_KEYS) or completion.finish_reason,
    )


def _list_objects(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children if depth < _MAX_DEPTH else ():
        yield from _list_objects(child, depth + 1)


def _list_texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the assistant's texts in the first choice of a completion object, without thoughts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value if depth < _MAX_DEPTH else ():
            yield from _list_texts(item, depth + 1)
    elif isinstance(value, dict) and depth < _MAX_DEPTH and not _is_thought_or_question(value):
        for key in _TEXT_KEYS:
            found = value.get(key)
            if key in _COMPLETION_KEYS and isinstance(found, list):
                found = found[:1]
            yield from _list_texts(found, depth + 1)
        for arguments in filter(None, map(value.get, _ARGUMENT_KEYS)):
            yield arguments if isinstance(arguments, str) else json.dumps(arguments)


def _is_thought_or_question(value: dict[str, Any]) -> bool:
    return bool(
        value.get("thought") is True
        or value.get("role") in _OTHER_ROLES
        or (isinstance(kind := value.get("type"), str) and any(word in kind for word in ("thinking", "reasoning")))
    )


def _find_string(objects: list[dict[str, Any]], keys: tuple[str, ...]) -> str:
    return next((item[key] for item in objects for key in keys if isinstance(item.get(key), str) and item[key]), "")
