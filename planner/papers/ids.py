"""Build paper ids that are safe as file names on every system."""

import hashlib
import re
import unicodedata
from pathlib import PurePath
from typing import Final

_MADE: Final = 120  # bytes of an id made from a title; leaves room for a suffix in every file system
_GIVEN: Final = 200  # bytes of an id given by the user; published ids have up to 133
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]')
_RESERVED: Final = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?=\.|$)")
_ENDINGS: Final = re.compile(
    r"(?:\.(?:tar|gz|tgz|bz2|tbz2?|xz|txz|zip|tex|ltx|md|markdown|txt|html?|xhtml|pdf))+$", re.IGNORECASE
)


def paper_id(title: str, *, given: str = "", name: str = "") -> str:
    """Return the id of a paper: the given one, else one from the title, else one from the name of the source.

    In an id from a title, every character that is not a letter, a digit or an underscore becomes `_`, after NFC, as
    in the published trajectories. An id over 120 bytes (200 if given) is cut and gets a short hash.
    """
    if given.strip():
        return _cut(_safe(unicodedata.normalize("NFC", given)), _GIVEN)
    made = re.sub(r"\W", "_", unicodedata.normalize("NFC", title.strip()))
    if not made.strip("_"):
        made = re.sub(r"\W", "_", unicodedata.normalize("NFC", stem(name)))
    return _cut(_safe(made or "paper"), _MADE)


def stem(name: str) -> str:
    """Return the name of a source without folders and endings: `x/2507.08038v2.tar.gz` gives `2507.08038v2`."""
    last = PurePath(name.replace("\\", "/")).name
    return _ENDINGS.sub("", last) or last


def _safe(text: str) -> str:
    """Replace the characters and names that a file system would refuse or misread."""
    text = _UNSAFE.sub("_", text.strip())
    text = re.sub(r"^\.+|\.{2,}|[. ]+$", lambda match: "_" * len(match[0]), text)
    return _RESERVED.sub(lambda match: match[0] + "_", text, count=1) if _RESERVED.match(text) else text


def _cut(text: str, limit: int) -> str:
    raw = text.encode("utf-8")
    if len(raw) <= limit:
        return text
    digest = hashlib.sha256(raw).hexdigest()[:8]
    return raw[: limit - 9].decode("utf-8", "ignore").rstrip("_. ") + "_" + digest
