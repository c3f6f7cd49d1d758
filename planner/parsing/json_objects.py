"""Find the JSON objects that are ablations, at any depth, and repair broken objects."""

import json
import re
from typing import Any, Final

from planner.schema import PLAN_FIELDS

FIELDS_BY_KEY: Final = {key: field for field in PLAN_FIELDS for key in field.keys}
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


def find_ablations_and_reasoning(value: Any, *, search_strings: bool = True) -> tuple[list[dict[str, Any]], str]:
    """Return (objects that are ablations, text of the reasoning) from a JSON value.

    Drafts of the plan are left out. If `search_strings` is true, strings that contain JSON are searched too.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    reasoning = ""
    waiting: list[tuple[str, Any]] = [("", value)]  # a stack, since recursion would end at deep values
    while waiting:
        key, item = waiting.pop()
        if isinstance(item, dict) and _is_ablation_object(item):
            groups.setdefault(key, []).append(item)
        elif isinstance(item, dict):
            waiting.extend((_name_group(name) or key, child) for name, child in reversed(item.items()))
        elif isinstance(item, list):
            waiting.extend((key, child) for child in reversed(item))
        elif isinstance(item, str) and key in _REASONING_KEYS:
            reasoning = reasoning or item.strip()
        elif search_strings and isinstance(item, str) and "ablated" in item:
            waiting.append((key, _decode_values(item)))
    return _choose_group(groups), reasoning


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


def list_objects_of_only_list(value: Any) -> list[dict[str, Any]]:
    """Return the only value of a JSON object that is a list of objects; [] if there is none or more than one."""
    children = value.values() if isinstance(value, dict) else ()
    lists = [v for v in children if isinstance(v, list) and v and all(isinstance(item, dict) for item in v)]
    return lists[0] if len(lists) == 1 else []


def find_object_end(text: str, start: int) -> int | None:
    """Return the offset after the JSON object that begins at `start`, None if the object is not closed."""
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
