"""Keys and passwords never leave the process: every text that is kept or shown is masked first."""

import base64
import json
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final
from urllib.parse import quote, quote_plus

from pydantic import JsonValue

MASKED: Final = "***"
SHORTEST: Final = 4
"""A shorter secret is masked only inside a longer one that holds it, or it would blot out ordinary text."""


class Mask:
    """Replaces known secrets, in every spelling in which an endpoint may echo them.

    The spellings are the secret itself, percent-encoded, as a JSON string and in base64; `basic` is for
    `user:password` pairs, of which the password (or a user without one) is a secret too. Its own representation
    shows none of it.
    """

    def __init__(self, secrets: Iterable[str] = (), *, basic: Iterable[str] = ()) -> None:
        pairs = tuple(basic)
        alone = (password or user for user, _, password in (pair.partition(":") for pair in pairs))
        self._secrets = frozenset((*secrets, *pairs, *alone))

    def __repr__(self) -> str:
        return "Mask()"

    def text(self, text: str) -> str:
        """The text with each secret replaced by `MASKED`."""
        return self._pattern.sub(MASKED, text) if self._pattern else text

    def json(self, value: JsonValue) -> JsonValue:
        """The value with each secret replaced in all strings and keys, at any depth."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self._pattern.sub(MASKED, value)
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.json(item) for key, item in value.items()}
        return value

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        spellings = {spelling for secret in self._secrets for spelling in _spellings(secret)}
        longest_first = sorted((s for s in spellings if len(s) >= SHORTEST), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _spellings(secret: str) -> set[str]:
    if not secret:
        return set()
    raw = secret.encode("utf-8", "surrogatepass")
    quoted = {quote(secret, safe=safe, errors="replace") for safe in ("", "/")}
    plain = {secret, quote_plus(secret, errors="replace")} | quoted
    lower = {re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), spelling) for spelling in plain}
    encoded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return plain | lower | escaped | {text.rstrip("=") for text in encoded} | encoded
