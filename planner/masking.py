"""Mask keys and passwords in every text that is stored or shown."""

import base64
import json
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Final
from urllib.parse import quote, unquote

from pydantic import JsonValue

from planner.sanitize import remove_unsafe_characters, replace_json_strings_and_keys

MASK_TEXT: Final = "***"
MIN_SECRET_LENGTH: Final = 4  # characters; masking a shorter secret would damage ordinary text
_MAX_WORD_LENGTH: Final = 16  # letters; a run of so many letters is not an ordinary word
_MIN_KEY_LENGTH: Final = 16  # characters; so many in a row are found in any case and across spaces and line ends
_MIN_HALVED_LENGTH: Final = 24  # characters; half of such a secret is masked too, since a message may end inside it
_NO_LETTERS: Final = re.compile(r"[\W_\u115f\u1160\u3164\uffa0]+")
_ESCAPES: Final = re.compile(r"[\x1b\x80-\x9f]|%[0-9a-fA-F]{2}|\\[ux]|&#?\w")  # may encode letters, or contain some
_UNRESERVED: Final = frozenset(string.ascii_letters + string.digits + "-._~")  # percent-encoding keeps them

# Escape sequences for colours and the like, and invisible characters (with some signs that no key has). Python counts
# the fillers of Hangul as letters.
_UNSEEN: Final = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|[^\w\s!-~]|[\u115f\u1160\u3164\uffa0]"
_UNSEEN_OR_SPACE: Final = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|[^\w!-~]|[\u115f\u1160\u3164\uffa0]|\\{1,8}[nrtvf]|%(?:25){0,4}20|&nbsp;|<wbr>"
)
_ESCAPED_UNSEEN: Final = (
    r"\\{1,8}(?:u001[bB]|x1[bB])\[[0-9;]*[@-~]"
    r"|\\{1,8}(?:u(?:00[0189]|20[0-6]|[fF][eE][fF])[0-9a-fA-F]|x[0189][0-9a-fA-F])"
    r"|%(?:25){0,4}(?:[01][0-9a-fA-F]|[eE][2fF](?:%(?:25){0,4}[89abAB][0-9a-fA-F]){2})"
    r"|&(?:amp;){0,4}(?:#0{0,6}(?:[12]?[0-9]|3[01]|12[789]|82[0-9][0-9]|65279)|#[xX]0{0,6}(?:1?[0-9a-fA-F]|20[0-6].|feff)|zwn?j);"
)

_PatternBuilder = Callable[[str], str]


class SecretMask:
    """A mask that replaces secrets in texts, also in the encoded forms in which an endpoint may repeat them.

    A secret is found as it is, percent-encoded, as a JSON string, with HTML entities, in hexadecimal and in base64. It
    is also found with invisible characters inside. `basic_credentials` are `user:password` pairs. Each pair and each
    password is a secret; if a password is empty, the user is a secret instead. `repr()` shows no secret.
    """

    def __init__(self, secrets: Iterable[str] = (), *, basic_credentials: Iterable[str] = ()) -> None:
        pairs = tuple(basic_credentials)
        passwords = (password or user for user, _, password in (pair.partition(":") for pair in pairs))
        self._secrets = frozenset(s for s in (*secrets, *pairs, *passwords) if len(s) >= MIN_SECRET_LENGTH)
        words = {secret for secret in self._secrets if secret.isalpha() and len(secret) < _MAX_WORD_LENGTH}
        self._secrets_in_replies = self._secrets - words

    def mask_text(self, text: str) -> str:
        """Return the text with each secret replaced by `MASK_TEXT`."""
        return _mask_text(text, self._secrets)

    def mask_json(self, value: JsonValue) -> JsonValue:
        """Return the value with each secret replaced in all strings and keys, at any depth."""
        return _mask_json(value, self._secrets)

    def mask_reply_text(self, text: str) -> str:
        """Return a model's text with secrets masked, except short passwords that could be ordinary words."""
        return _mask_text(text, self._secrets_in_replies)

    def mask_reply_json(self, value: JsonValue) -> JsonValue:
        """Mask secrets in all strings and keys of a model's output, except short passwords that could be words."""
        return _mask_json(value, self._secrets_in_replies)


def find_credentials(urls: Iterable[str]) -> tuple[str, ...]:
    """Return the `user:password` pairs in URLs, as written and also percent-decoded. The URLs may be invalid."""
    pairs = (url.rpartition("@")[0].rpartition("//")[2] for url in urls)
    return tuple(spelling for pair in pairs if pair for spelling in dict.fromkeys((pair, unquote(pair))))


def _mask_json(value: JsonValue, secrets: frozenset[str]) -> JsonValue:
    if not _may_hold_secret(" ".join(_list_strings(value)), secrets):
        return value
    return replace_json_strings_and_keys(value, lambda text: _mask_text(text, secrets))


def _list_strings(value: JsonValue) -> list[str]:
    """Return all strings and keys in a value."""
    strings, waiting = list[str](), [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            strings.append(item)
        elif isinstance(item, dict):
            strings += item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return strings


def _mask_text(text: str, secrets: frozenset[str]) -> str:
    if not _may_hold_secret(text, secrets):
        return text
    masked = _replace_secrets(text, secrets)
    # A secret may be in pieces between escape sequences, and whole again without them.
    cleaned = remove_unsafe_characters(masked)
    masked_cleaned = _replace_secrets(cleaned, secrets)
    return masked if masked_cleaned == cleaned else masked_cleaned


def _may_hold_secret(text: str, secrets: frozenset[str]) -> bool:
    """Return whether a text may hold a secret. This check is fast, unlike a search with the patterns."""
    if not secrets:
        return False
    letters = _NO_LETTERS.sub("", text.casefold())
    return bool(_ESCAPES.search(text)) or any(form in letters for form in _list_letters(secrets))


def _replace_secrets(text: str, secrets: frozenset[str]) -> str:
    for pattern in _compile_patterns(secrets):
        text = pattern.sub(MASK_TEXT, text)
    return text


@lru_cache(maxsize=64)
def _list_letters(secrets: frozenset[str]) -> tuple[str, ...]:
    """Return the secrets and their encoded forms, each reduced to its letters and digits in lower case."""
    forms = [form for form, _ in _list_all_forms(secrets)]
    spellings = (*forms, *(json.dumps(form, ensure_ascii=False) for form in forms))
    return tuple({_NO_LETTERS.sub("", spelling.casefold()) for spelling in spellings})


@lru_cache(maxsize=64)
def _compile_patterns(secrets: frozenset[str]) -> tuple[re.Pattern[str], ...]:
    """Return the patterns that find the secrets in any form. Patterns of longer forms come first."""
    forms = sorted(dict.fromkeys(_list_all_forms(secrets)), key=lambda form: len(form[0]), reverse=True)
    return tuple(re.compile(build_pattern(form)) for form, build_pattern in forms)


def _list_all_forms(secrets: Iterable[str]) -> list[tuple[str, _PatternBuilder]]:
    return [form for secret in sorted(secrets) for form in _list_forms(secret)]


def _list_forms(secret: str) -> Iterator[tuple[str, _PatternBuilder]]:
    """Yield each form of a secret, such as its base64, with a function that builds a pattern to find this form."""
    is_key = len(secret) >= _MIN_KEY_LENGTH
    yield secret, _build_key_pattern if is_key else _build_pattern
    if len(secret) >= _MIN_HALVED_LENGTH:
        yield secret[: len(secret) // 2], _build_key_pattern
        yield secret[len(secret) // 2 :], _build_key_pattern
    raw = secret.encode("utf-8", "surrogatepass")
    yield raw.hex(), _build_hexadecimal_pattern
    # In the base64 of a longer text a secret begins in the middle of a character, and may end in one.
    for shift in range(3 if is_key else 1):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(shift) + raw).decode()
            yield text[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6], _build_base64_pattern


def _build_pattern(text: str, *, fold_case: bool = False, gap: str = _UNSEEN) -> str:
    """Return a pattern that finds a text, even if its characters are escaped.

    `gap` is a pattern for what may stand between two characters. If `fold_case` is true, letter case is ignored.
    """
    characters = [_spell_character(character, fold_case) for character in text]
    if re.search(_UNSEEN, text):  # the gap would match characters of the text itself
        return "".join(characters)
    if re.search(r"[\s%\\&<]", text):
        return f"(?:{_UNSEEN})*+".join(characters)
    return f"(?:{gap}|{_ESCAPED_UNSEEN})*+".join(characters)  # possessive, so that the search stays linear


# It finds a key in upper or lower case, even with spaces between its characters.
_build_key_pattern: Final = partial(_build_pattern, fold_case=True, gap=_UNSEEN_OR_SPACE)


def _build_base64_pattern(code: str) -> str:
    """Return a pattern that finds this base64 text and its padding, even with line breaks or percent-encoding.

    The pattern also finds one more character before the padding, which may hold the last bits of the secret.
    """
    characters = [re.escape(c) if c.isalnum() else f"(?:{re.escape(c)}|%(?i:{ord(c):02x}))" for c in code]
    pattern = r"(?:[^\w+/=%\\-]|\\{1,8}[nr])*+".join(characters)
    return f"(?:{pattern})" + r"(?:[\w+/-]?(?:=|%3[Dd]){1,2})?"


def _build_hexadecimal_pattern(code: str) -> str:
    """Return a pattern that finds these hexadecimal digits, even in capitals or with up to eight characters between."""
    return f"(?i:{r'[^0-9a-z]{0,8}+'.join(code)})"


def _spell_character(character: str, fold_case: bool) -> str:
    """Return a pattern that finds a character and its escapes (URL, JSON, HTML). `fold_case` ignores letter case."""
    literals = {character, *((character.lower(), character.upper()) if fold_case else ())}
    code, names = ord(character), "|".join(f"{name};" for name in _list_entity_names().get(character, ()))
    as_json = "|".join(dict.fromkeys(re.escape(json.dumps(c)[1:-1].lstrip("\\")) for c in literals))
    as_url = quote(character, safe="", errors="replace") if character not in _UNRESERVED else f"%{code:02X}"
    spellings = (
        *(re.escape(literal) for literal in sorted(literals)),
        *([r"\+"] if character == " " else []),
        rf"\\{{1,8}}(?:{as_json}|(?i:u{code:04x}|x{code:02x}))",
        as_url.replace("%", "%(?:25){0,4}").join(("(?i:", ")")),
        rf"&(?:amp;){{0,4}}(?:#0{{0,6}}{code};?|(?i:#x0{{0,6}}{code:x};?){f'|{names}' if names else ''})",
    )
    return f"(?:{'|'.join(spellings)})"


@lru_cache(maxsize=1)
def _list_entity_names() -> Mapping[str, tuple[str, ...]]:
    """Return a mapping from characters to the names of their HTML entities."""
    from html.entities import html5  # two thousand names, which only a mask needs

    names: dict[str, tuple[str, ...]] = {}
    for name, character in html5.items():
        if name.endswith(";"):
            names[character] = (*names.get(character, ()), name.rstrip(";"))
    return names
