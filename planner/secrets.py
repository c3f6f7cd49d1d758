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

_WORD: Final = 16  # letters; a longer run of nothing but letters is no ordinary word


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
        return self._everything.sub(MASKED, text) if self._everything else text

    def json(self, value: JsonValue) -> JsonValue:
        """The value with each secret replaced in all strings and keys, at any depth."""
        return _masked(value, self._everything)

    def content(self, value: JsonValue) -> JsonValue:
        """The same for what a model wrote: a password that is an ordinary word is left where it stands alone."""
        return _masked(value, self._unmistakable)

    @cached_property
    def _everything(self) -> re.Pattern[str] | None:
        return _pattern(self._secrets)

    @cached_property
    def _unmistakable(self) -> re.Pattern[str] | None:
        return _pattern(secret for secret in self._secrets if not (secret.isalpha() and len(secret) < _WORD))


def _masked(value: JsonValue, pattern: re.Pattern[str] | None) -> JsonValue:
    if pattern is None:
        return value
    if isinstance(value, str):
        return pattern.sub(MASKED, value)
    if isinstance(value, list):
        return [_masked(item, pattern) for item in value]
    if isinstance(value, dict):
        return {pattern.sub(MASKED, key): _masked(item, pattern) for key, item in value.items()}
    return value


def _pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
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
