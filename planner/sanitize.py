"""Remove or escape control characters. They could control a terminal, or make a text look different from what it is.

Escape sequences are defined by ECMA-48, directional overrides and isolates by Unicode Annex 9.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic import JsonValue

# A string ends where another begins, so that finding all takes linear time.
_SEQUENCE: Final = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, screen
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\n\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"  # strings, as OSC
    r"|\x1b[ -/]*[0-~]"  # two-character escapes
)
_BIDI: Final = "\u202a-\u202e\u2066-\u2069"
_CONTROL: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_SURROGATE: Final = "\ud800-\udfff"

_UNSAFE_CHARACTER: Final = re.compile(f"[{_CONTROL}{_BIDI}{_SURROGATE}]")
_UNSAFE: Final = re.compile(
    f"(?P<escape>{_SEQUENCE})|(?P<bidi>[{_BIDI}])|(?P<control>[{_CONTROL}])|(?P<surrogate>[{_SURROGATE}])"
)
_KIND_NAMES: Final = {
    "escape": "terminal escape sequences",
    "bidi": "directional overrides",
    "control": "control characters",
    "surrogate": "halves of characters",
}
# Allowed in files but not on a terminal: separators that some programs take for line ends, and invisible marks.
_MARKS: Final = "\u2028\u2029\ufeff\u200e\u200f\u061c"
_UNPRINTABLE: Final = re.compile(f"[{_MARKS}]")
# JSON escapes the characters below U+0020 itself, but not these.
_UNSAFE_IN_JSON: Final = re.compile(f"[\x7f-\x9f{_BIDI}{_SURROGATE}{_MARKS}]")
# A spreadsheet runs a cell that begins with one of these as a formula.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\n")
_SIGNED_NUMBER: Final = re.compile(r"[-+]\d[\d.,]*(?:e[-+]?\d+)?%?")


MAX_NAME_CHARS: Final = 500  # characters of a name from outside that is shown or stored: a title, a heading, a file


def truncate_long_name(name: str) -> str:
    """Shorten a name from a paper or a file to `MAX_NAME_CHARS` characters. A shortened name ends in an ellipsis."""
    return name if len(name) <= MAX_NAME_CHARS else f"{name[: MAX_NAME_CHARS - 1]}…"


def remove_unsafe_characters(text: str) -> str:
    """Remove escape sequences, directional overrides and isolates, and control characters except tab and newline.

    Line ends become "\\n". A lone surrogate, which cannot be encoded, becomes U+FFFD. A clean text stays as it is.
    """
    if not _UNSAFE_CHARACTER.search(text):
        return text
    return _UNSAFE.sub(lambda found: "\ufffd" if found["surrogate"] else "", normalize_newlines(text))


def describe_unsafe_characters(text: str) -> tuple[str, ...]:
    """Return one item for each kind of unsafe characters in a text, such as "2 control characters"."""
    counts = Counter(found.lastgroup for found in _UNSAFE.finditer(normalize_newlines(text)))
    return tuple(f"{counts[kind]} {name}" for kind, name in _KIND_NAMES.items() if counts[kind])


def normalize_newlines(text: str) -> str:
    """Replace CR LF and CR with LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def repair_surrogates(text: str) -> str:
    """Join the halves of surrogate pairs. A lone surrogate, which cannot be encoded, becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def repair_json_surrogates(value: "JsonValue") -> "JsonValue":
    """Return a JSON value in which `repair_surrogates` has repaired each string and each key, at any depth."""
    return replace_json_strings_and_keys(value, repair_surrogates)


def replace_json_strings_and_keys(value: "JsonValue", replace: Callable[[str], str]) -> "JsonValue":
    """Return a JSON value in which `replace` has changed each string and each key, at any depth."""
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, list):
        return [replace_json_strings_and_keys(item, replace) for item in value]
    if isinstance(value, dict):
        return {replace(key): replace_json_strings_and_keys(item, replace) for key, item in value.items()}
    return value


def make_printable(text: str) -> str:
    """Return a text that is safe to print on a terminal. It cannot move the cursor, set a colour or reverse a line."""
    return _UNPRINTABLE.sub(_escape_character, remove_unsafe_characters(text))


def make_json_printable(text: str) -> str:
    """Return JSON text that has the same values and is safe to print on a terminal."""
    return _UNSAFE_IN_JSON.sub(_escape_character, text)


def make_csv_safe(text: str, *, keep_signed_numbers: bool = False) -> str:
    """Return a text for a CSV cell. If a spreadsheet would run the text as a formula, an apostrophe is put before it.

    If `keep_signed_numbers` is true, a number with a sign, such as "-0.5", gets no apostrophe.
    """
    cleaned = remove_unsafe_characters(text)
    is_formula = cleaned.startswith(_FORMULA_STARTS) and not (keep_signed_numbers and _SIGNED_NUMBER.fullmatch(cleaned))
    return f"'{cleaned}" if is_formula else cleaned


def render_csv(rows: Iterable[Iterable[str]], *, keep_signed_numbers: bool = False) -> str:
    """Return rows as CSV. Each cell is made safe by `make_csv_safe`."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerows([make_csv_safe(cell, keep_signed_numbers=keep_signed_numbers) for cell in row] for row in rows)
    return table.getvalue()


def _escape_character(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
