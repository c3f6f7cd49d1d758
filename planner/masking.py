"""Mask keys and passwords in every text that is stored or shown."""

import base64
import json
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final
from urllib.parse import quote, quote_plus

from pydantic import JsonValue

MASK_TEXT: Final = "***"
MIN_SECRET_LENGTH: Final = 4  # characters; masking a shorter secret would damage ordinary text
_MAX_WORD_LENGTH: Final = 16  # letters; a run of so many letters is not an ordinary word


class SecretMask:
    """A mask that replaces known secrets in texts, in every form in which an endpoint may repeat them.

    The forms are the secret itself, percent-encoded, as a JSON string and in base64. `basic_credentials` takes
    `user:password` pairs; the password (or the user, if there is no password) is then a secret too. The mask's repr
    shows no secret.
    """

    def __init__(self, secrets: Iterable[str] = (), *, basic_credentials: Iterable[str] = ()) -> None:
        pairs = tuple(basic_credentials)
        passwords = (password or user for user, _, password in (pair.partition(":") for pair in pairs))
        self._secrets = frozenset((*secrets, *pairs, *passwords))

    def __repr__(self) -> str:
        return "SecretMask()"

    def mask_text(self, text: str) -> str:
        """Return the text with each secret replaced by `MASK_TEXT`."""
        return self._all_secrets_pattern.sub(MASK_TEXT, text) if self._all_secrets_pattern else text

    def mask_json(self, value: JsonValue) -> JsonValue:
        """Return the value with each secret replaced in all strings and keys, at any depth."""
        return _mask_value(value, self._all_secrets_pattern)

    def mask_reply(self, value: JsonValue) -> JsonValue:
        """Return a model's output masked as by `mask_json`, but leave a password that is an ordinary word."""
        return _mask_value(value, self._reply_pattern)

    @cached_property
    def _all_secrets_pattern(self) -> re.Pattern[str] | None:
        return _compile_pattern(self._secrets)

    @cached_property
    def _reply_pattern(self) -> re.Pattern[str] | None:
        return _compile_pattern(
            secret for secret in self._secrets if not (secret.isalpha() and len(secret) < _MAX_WORD_LENGTH)
        )


def _mask_value(value: JsonValue, pattern: re.Pattern[str] | None) -> JsonValue:
    if pattern is None:
        return value
    if isinstance(value, str):
        return pattern.sub(MASK_TEXT, value)
    if isinstance(value, list):
        return [_mask_value(item, pattern) for item in value]
    if isinstance(value, dict):
        return {pattern.sub(MASK_TEXT, key): _mask_value(item, pattern) for key, item in value.items()}
    return value


def _compile_pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """Return the pattern of all secrets in all forms, the longest first, or None if there are none."""
    spellings = {spelling for secret in secrets for spelling in _list_spellings(secret)}
    longest_first = sorted((s for s in spellings if len(s) >= MIN_SECRET_LENGTH), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _list_spellings(secret: str) -> set[str]:
    """Return the forms of a secret in which an endpoint may repeat it."""
    if not secret:
        return set()
    raw = secret.encode("utf-8", "surrogatepass")
    percent = {secret, quote_plus(secret, errors="replace")}
    percent |= {quote(secret, safe=safe, errors="replace") for safe in ("", "/")}
    lowercase = {re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), spelling) for spelling in percent}
    base_64 = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    json_strings = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return percent | lowercase | json_strings | base_64 | {text.rstrip("=") for text in base_64}
