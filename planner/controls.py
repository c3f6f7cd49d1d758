"""Characters that steer a terminal or a reader instead of saying something.

Escape sequences are those of ECMA-48, directional overrides and isolates those of Unicode Annex 9.
"""

import re
from dataclasses import dataclass
from typing import Final

_SEQUENCE: Final = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, screen
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"  # two-character escapes
)
_BIDI: Final = "[\u202a-\u202e\u2066-\u2069]"
_CONTROL: Final = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"
_SURROGATE: Final = "[\ud800-\udfff]"

_STEERING: Final = re.compile(
    f"(?P<escape>{_SEQUENCE})|(?P<bidi>{_BIDI})|(?P<control>{_CONTROL})|(?P<surrogate>{_SURROGATE})"
)
_NAMES: Final = {
    "escape": "terminal escape sequences",
    "bidi": "directional overrides",
    "control": "control characters",
    "surrogate": "halves of characters",
}
# Beyond what files may not hold, a terminal is spared the separators that some take for line ends, and invisible marks.
_MARKS: Final = "\u2028\u2029\ufeff\u200e\u200f\u061c"
_UNPRINTABLE: Final = re.compile(f"[{_MARKS}]")
# JSON itself escapes what lies below a blank, and leaves these as they are.
_BARE_IN_JSON: Final = re.compile(f"[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff{_MARKS}]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text without steering characters, and what was taken out of it, one phrase a kind ("2 control characters")."""

    text: str
    removed: tuple[str, ...] = ()


def clean(text: str) -> Cleaned:
    """Remove control characters other than tab and newline, whole escape sequences, overrides and isolates.

    Line ends become "\\n"; half a surrogate pair, which no file can hold, becomes U+FFFD. Cleaning twice changes
    nothing more.
    """
    counts = dict.fromkeys(_NAMES, 0)

    def take(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        counts[kind] += 1
        return "\ufffd" if kind == "surrogate" else ""

    cleaned = _STEERING.sub(take, newlines(text))
    return Cleaned(cleaned, tuple(f"{count} {_NAMES[kind]}" for kind, count in counts.items() if count))


def newlines(text: str) -> str:
    """The text with CR LF and CR as LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def whole_text(text: str) -> str:
    """The text with split surrogate pairs joined; a lone half, which no encoding can write, becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def printable(text: str) -> str:
    """The text as it may be shown on a terminal: nothing in it moves a cursor, sets a colour or turns the line."""
    return _UNPRINTABLE.sub(_escape, clean(text).text)


def printable_json(text: str) -> str:
    """JSON as it may be shown on a terminal: what could steer it stands as an escape, so every value stays as it is."""
    return _BARE_IN_JSON.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
