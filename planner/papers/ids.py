"""Paper ids: one name a paper, safe as a file name on every system."""

import hashlib
import re
import unicodedata
from pathlib import PurePath
from typing import Final

_MADE: Final = 120  # bytes of an id made from a title: leaves room for a suffix in every file system
_GIVEN: Final = 200  # bytes of an id that the user gave; published ids go to 133
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]')
_RESERVED: Final = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?=\.|$)")
_ENDINGS: Final = re.compile(
    r"(?:\.(?:tar|gz|tgz|bz2|tbz2?|xz|txz|zip|tex|ltx|md|markdown|txt|html?|xhtml|pdf))+$", re.IGNORECASE
)


def paper_id(title: str, *, given: str = "", name: str = "") -> str:
    """The id of a paper: the one given, else made from the title, else from the source's name.

    An id from a title has every character that is not a letter, a digit or an underscore replaced by `_`, one for
    one, after NFC, as the published trajectories have it. Over 120 bytes it is cut and gets a short hash.
    """
    if given.strip():
        return _cut(_safe(unicodedata.normalize("NFC", given)), _GIVEN)
    made = re.sub(r"\W", "_", unicodedata.normalize("NFC", title.strip()))
    if not made.strip("_"):
        made = re.sub(r"\W", "_", unicodedata.normalize("NFC", stem(name)))
    return _cut(_safe(made or "paper"), _MADE)


def stem(name: str) -> str:
    """The name of a source without its folders and endings: `x/2507.08038v2.tar.gz` gives `2507.08038v2`."""
    last = PurePath(name.replace("\\", "/")).name
    return _ENDINGS.sub("", last) or last


def _safe(text: str) -> str:
    """The text with everything replaced that a file system would refuse, or understand as something else."""
    text = _UNSAFE.sub("_", text.strip())
    text = re.sub(r"^\.+|\.{2,}|[. ]+$", lambda match: "_" * len(match[0]), text)
    return _RESERVED.sub(lambda match: match[0] + "_", text, count=1) if _RESERVED.match(text) else text


def _cut(text: str, limit: int) -> str:
    raw = text.encode("utf-8")
    if len(raw) <= limit:
        return text
    digest = hashlib.sha256(raw).hexdigest()[:8]
    return raw[: limit - 9].decode("utf-8", "ignore").rstrip("_. ") + "_" + digest
