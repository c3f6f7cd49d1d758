"""Mask keys and passwords in every text that is stored or shown."""

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
"""The shortest length of a secret that is masked on its own; masking shorter ones would damage ordinary text."""

_WORD: Final = 16  # letters; a run of so many letters is not an ordinary word


class Mask:
    """A mask that replaces known secrets in texts, in every form in which an endpoint may repeat them.

    The forms are the secret itself, percent-encoded, as a JSON string and in base64. `basic` takes `user:password`
    pairs; the password (or the user, if there is no password) is then a secret too. The mask's repr shows no secret.
    """

    def __init__(self, secrets: Iterable[str] = (), *, basic: Iterable[str] = ()) -> None:
        pairs = tuple(basic)
        alone = (password or user for user, _, password in (pair.partition(":") for pair in pairs))
        self._secrets = frozenset((*secrets, *pairs, *alone))

    def __repr__(self) -> str:
        return "Mask()"

    def text(self, text: str) -> str:
        """Return the text with each secret replaced by `MASKED`."""
        return self._everything.sub(MASKED, text) if self._everything else text

    def json(self, value: JsonValue) -> JsonValue:
        """Return the value with each secret replaced in all strings and keys, at any depth."""
        return _masked(value, self._everything)

    def content(self, value: JsonValue) -> JsonValue:
        """Return a model's output masked like `json`, but without replacing a password that is an ordinary word."""
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
    """Return the pattern of all secrets in all forms, the longest first, or None if there are none."""
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    longest_first = sorted((s for s in spellings if len(s) >= SHORTEST), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _spellings(secret: str) -> set[str]:
    """Return the forms of a secret in which an endpoint may repeat it."""
    if not secret:
        return set()
    raw = secret.encode("utf-8", "surrogatepass")
    quoted = {quote(secret, safe=safe, errors="replace") for safe in ("", "/")}
    plain = {secret, quote_plus(secret, errors="replace")} | quoted
    lower = {re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), spelling) for spelling in plain}
    encoded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return plain | lower | escaped | {text.rstrip("=") for text in encoded} | encoded
