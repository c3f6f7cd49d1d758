"""Repair JSON objects of a reply with `json_repair`, within a bound for the whole reply."""

import re
from typing import Any, Final

_NAME_KEY: Final = re.compile(r"""["']name["']\s*:""", re.IGNORECASE)
_MAX_BRACKETS: Final = 300
# Repair may take the square of an object's length: a quarter of a second for an object of this many characters.
_MAX_REPAIRED_CHARS: Final = 10_000


class JsonRepairer:
    """A repairer of the objects of one reply: at most 10,000 characters of all of them together."""

    def __init__(self) -> None:
        self._chars = 0

    def repair(self, text: str) -> dict[str, Any] | None:
        """Return the object in a text that ends with it.

        Return None if it cannot be repaired, if two ablations would become one, or over the bound of the reply.
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
