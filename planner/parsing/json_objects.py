"""Find the JSON objects that are ablations, at any depth, and repair broken objects."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from planner.schema import PLAN_FIELDS

FIELDS_BY_KEY: Final = {key: field for field in PLAN_FIELDS for key in field.accepted_keys}
_REASONING_KEYS: Final = frozenset({"discussion", "reasoning", "rationale", "explanation"})
_DRAFT_WORDS: Final = re.compile(
    r"draft|reject|discard|drop|candidate|consider|alternativ|initial|reported|existing|example|thought"
)
_PLAN_WORDS: Final = re.compile(r"ablation|prediction|plan|stud|final|answer|result")
_VALUE_START: Final = re.compile(r"[\[{]")
_DECODER: Final = json.JSONDecoder(strict=False)
_STRING_OR_BRACE: Final = re.compile(r"""["'{}]""")
_LITERAL: Final = {'"': re.compile(r'(?:[^"\\\n]|\\.)*"'), "'": re.compile(r"(?:[^'\\\n]|\\.)*'")}
_MAX_OBJECT_CHARS: Final = 50_000
_MIN_FIELDS: Final = 2
_NAME_KEY: Final = re.compile(r"""["']name["']\s*:""", re.IGNORECASE)
_MAX_BRACKETS: Final = 300
# The time of a repair may grow with the square of its length: to a quarter of a second for this many characters.
_MAX_REPAIRED_CHARS: Final = 10_000
# The prompt shows these parts of an invented paper (prompts/contract.jinja), which belong in no plan.
_EXAMPLE_PARTS: Final = frozenset({"phoneme memory bank in the decoder", "learned frame grouping before the encoder"})


def normalize_key(key: str) -> str:
    """Return a key in the form of a field name: "Ablated Part" gives "ablated_part"."""
    return key.strip().lower().replace(" ", "_").replace("-", "_")


def is_prompt_example(ablation_object: dict[str, Any]) -> bool:
    """Return whether an ablation is copied from the examples in the prompt."""
    part = ablation_object.get("ablated_part")
    return isinstance(part, str) and part.strip().lower() in _EXAMPLE_PARTS


def find_ablation_objects(value: Any, *, search_strings: bool = True) -> list[dict[str, Any]]:
    """Return the ablations in a JSON value, except drafts; `search_strings` also searches the JSON in strings."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for key, item in _walk_values(value, search_strings):
        if isinstance(item, dict):
            groups.setdefault(key, []).append(item)
    return _choose_group(groups)


def find_reasoning(value: Any) -> str:
    """Return the text under a key such as "reasoning" in a JSON value, "" if there is none."""
    texts = (item.strip() for _, item in _walk_values(value, search_strings=True) if isinstance(item, str))
    return next(filter(None, texts), "")


def _walk_values(value: Any, search_strings: bool) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Yield the ablations and the texts of the reasoning in a JSON value, each with its key."""
    waiting: list[tuple[str, Any]] = [("", value)]  # a stack, since recursion would end at deep values
    while waiting:
        key, item = waiting.pop()
        if isinstance(item, dict) and not _is_ablation_object(item):
            waiting.extend((_name_group(name) or key, child) for name, child in reversed(item.items()))
        elif isinstance(item, list):
            waiting.extend((key, child) for child in reversed(item))
        elif isinstance(item, dict) or (isinstance(item, str) and key in _REASONING_KEYS):
            yield key, item
        elif search_strings and isinstance(item, str) and "ablated" in item:
            waiting.append((key, _decode_values(item)))


def _is_ablation_object(value: dict[str, Any]) -> bool:
    return len(FIELDS_BY_KEY.keys() & map(normalize_key, value)) >= _MIN_FIELDS


def _name_group(key: str) -> str:
    """Return the key without its number; "ablation_1" and "ablation 2" name the same group of ablations."""
    return normalize_key(key).rstrip("0123456789_#.")


def _decode_values(text: str) -> list[Any]:
    """Return the JSON values in a text; stop at the first value that cannot be read."""
    values: list[Any] = []
    end = 0
    while start := _VALUE_START.search(text, end):
        try:
            value, end = _DECODER.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            break
        values.append(value)
    return values


def _choose_group(groups: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the objects of the plan; a name in `groups` is the key under which its objects stand in the reply.

    The last key that sounds like a plan is chosen, such as "final_ablations". Without such a key, all objects are
    returned except those under a key such as "draft".
    """
    kept = {name: objects for name, objects in groups.items() if not _DRAFT_WORDS.search(name)} or groups
    plans = [objects for name, objects in kept.items() if _PLAN_WORDS.search(name)]
    return plans[-1] if plans else [each for objects in kept.values() for each in objects]


def find_object_end(text: str, start: int) -> int | None:
    """Return the offset after the JSON object that begins at `start`, None if the object is not closed.

    If its quotation marks or braces do not match, an object that fills the rest of its line ends there.
    """
    return _find_closing_brace(text, start) or _find_line_object_end(text, start)


def _find_closing_brace(text: str, start: int) -> int | None:
    depth, at = 0, start
    while found := _STRING_OR_BRACE.search(text, at, start + _MAX_OBJECT_CHARS):
        at = found.end()
        if found[0] in _LITERAL:
            literal = _LITERAL[found[0]].match(text, at, start + _MAX_OBJECT_CHARS)
            if literal is None:
                return None
            at = literal.end()
            continue
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return at
    return None


def _find_line_object_end(text: str, start: int) -> int | None:
    """Return the end of an object that fills the rest of its line; None if it does not, or if the text ends there."""
    newline = text.find("\n", start)
    line = text[start:newline].rstrip().rstrip(",") if newline >= 0 else ""
    whole = line.endswith("}") and line.count("{") == line.count("}")
    return start + len(line) if whole and text[newline:].strip() else None


class LimitedJsonRepairer:
    """A repairer of the broken JSON objects in one reply; it repairs at most 10,000 characters in all."""

    def __init__(self) -> None:
        self._chars = 0

    def repair_object(self, text: str) -> dict[str, Any] | None:
        """Return the repaired JSON object in `text`, which must end with the object.

        Return None if the repair fails or would merge two ablations, or if the limit is exceeded.
        """
        self._chars += len(text)
        if self._chars > _MAX_REPAIRED_CHARS or text.count("{") + text.count("[") > _MAX_BRACKETS:
            return None
        import json_repair  # takes longer to load than to read the usual reply

        try:
            value = json_repair.loads(text, skip_json_loads=True)
            lost = len(_NAME_KEY.findall(text)) > len(_NAME_KEY.findall(repr(value)))
        except (ValueError, RecursionError, AssertionError):  # odd text can fail an assertion inside json_repair
            return None
        return value if isinstance(value, dict) and value and not lost else None
