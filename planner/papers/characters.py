"""Bytes to text, and text without characters that a reader cannot see or would mistake for others."""

import re
import unicodedata
from typing import Final

from planner.errors import PaperError

MAX_TEXT: Final = 20_000_000  # bytes of one text file; the longest theses have a tenth of that
_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_DECLARED: Final = re.compile(
    rb"\\usepackage\[(\w+)\]\{inputenc\}|charset=[\"']?([\w-]+)|^.{0,20}coding[:=]\s*([\w-]+)", re.M
)
_TEX_NAMES: Final = {"latin1": "cp1252", "latin9": "iso8859-15", "ansinew": "cp1252", "applemac": "mac-roman"}

# Not seen when printed: zero-width, joiners outside emoji and Indic scripts, bidi controls, tags, variation selectors.
_INVISIBLE: Final = re.compile("[\u00ad\u200b\u2060-\u2064\ufeff\u180e\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]")
_JOINERS: Final = re.compile(r"(?<=[\x00-\u024f])[\u200c\u200d]+|[\u200c\u200d]+(?=[\x00-\u024f])")
_TAGS: Final = re.compile("[\U000e0000-\U000e007f]+")
_SELECTORS: Final = re.compile("[\U000e0100-\U000e01ef]+|(?<=[\x00-\u024f])[\ufe00-\ufe0f]+")
_BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_ASCII: Final = bytes(range(128))
_ASCII_CONTROLS: Final = tuple(chr(code) for code in range(128) if _CONTROL.match(chr(code)))
_BREAKS: Final = "\r\x0b\x0c\x85\u2028\u2029"
_LEFT_OUT: Final = (
    (_TAGS, ""),
    (_INVISIBLE, "zero-width characters"),
    (_JOINERS, "joiners between Latin letters"),
    (_SELECTORS, "variation selectors on letters"),
    (_BIDI, "bidirectional controls"),
    (_CONTROL, "control characters"),
)
_CONCERNED: Final = re.compile(  # every character that one of these looks at
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2069\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e01ef]"
)
_PILE: Final = 30  # marks on one letter; the Unicode stream-safe limit
_WORD: Final = re.compile(r"[^\W\d_]+")
_ASCII_LETTER: Final = re.compile("[A-Za-z]")
_LOOK_ALIKE: Final = re.compile("[\u0370-\u052f]")

# Letters of other scripts that print as Latin ones (Unicode TS 39, the part that matters inside Latin words).
_LATIN: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеіјорсѕухһԁԛԝԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧοѵѴϹϲ",
    "ABESIJKMHOPCTXYaeijopcsyxhdqwGQWABEZHIKMNOPTYXovVCc",
)


def decode(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The text of a file in whatever encoding it has, and a warning where the encoding is a guess.

    Raises:
        PaperError: the file is larger than 20 MB, or is no text.
    """
    if len(data) > MAX_TEXT:
        raise PaperError(
            f"{name!r} has {len(data):,} bytes; a paper's text has at most {MAX_TEXT:,}: give the paper alone"
        )
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace"), ()
    if looks_binary(data):
        raise PaperError(f"{name!r} is no text: it holds bytes that no text file has; give a PDF, a source or its text")
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        return _decode_other(data, name)


def looks_binary(data: bytes) -> bool:
    """Whether these are bytes that no text has: NULs, or more than a few control characters."""
    head = data[:65_536]
    controls = len(head) - len(head.translate(None, bytes(range(9)) + bytes(range(14, 32))))
    return b"\x00" in data[:1_000_000] or controls * 50 > len(head)


def _decode_other(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    declared = next((g.decode().lower() for m in _DECLARED.finditer(data[:100_000]) for g in m.groups() if g), "")
    encoding = _TEX_NAMES.get(declared, declared)
    if encoding not in ("", "utf8", "utf-8", "utf8x") and (text := _decoded(data, encoding)) is not None:
        return text, ()
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken * 20 < len(data) - len(data.translate(None, bytes(range(128, 256)))):
        return text, (f"{name!r} holds {broken} bytes that are not UTF-8; they are shown as \ufffd",)
    latin = _decoded(data, "cp1252")
    return latin if latin is not None else data.decode("latin-1"), (f"{name!r} is not UTF-8; it was read as Latin-1",)


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def clean(text: str) -> tuple[str, tuple[str, ...]]:
    """The text in NFC, without characters that print as nothing, and with look-alike letters in Latin words made Latin.

    Returns the text and one warning for each kind of change. Time is linear in the text.
    """
    text = text.replace("\r\n", "\n")
    # Looking for one character after the other takes a hundredth of the time of a pattern.
    for mark in _BREAKS:
        text = text.replace(mark, "\n")
    controls = any(control in text for control in _ASCII_CONTROLS)
    if text.isascii() and not controls:
        return text, ()
    warnings = []
    others = _not_ascii(text)
    tags = "".join(chr(ord(c) - 0xE0000) for c in others if "\U000e0020" <= c <= "\U000e007e")
    if tags:
        warnings.append(f"invisible tag characters were left out; they spell {tags[:200]!r}")
    for pattern, what in _LEFT_OUT if controls or _CONCERNED.search(others) else ():
        text, count = pattern.subn("", text)
        if count and what:
            warnings.append(f"{count} {what} were left out")
    text, piles = _unpiled(text, others)
    if piles:
        warnings.append(f"{piles} piles of more than {_PILE} combining marks were cut")
    text, changed = _latin_words(unicodedata.normalize("NFC", text))
    if changed:
        shown = ", ".join(repr(word) for word in changed[:5])
        warnings.append(f"{len(changed)} words mixed Latin with look-alike letters and were set in Latin: {shown}")
    return text, tuple(warnings)


def _not_ascii(text: str) -> str:
    """The characters that are not ASCII, in order: few, and to look at these alone takes a tenth of the time."""
    return text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")


def _unpiled(text: str, others: str) -> tuple[str, int]:
    """Without piles of combining marks, which no script has and which normalisation sorts in quadratic time."""
    marks = "".join(sorted(c for c in set(others) if unicodedata.combining(c)))
    if not marks:
        return text, 0
    return re.subn(f"([{re.escape(marks)}]{{{_PILE}}})[{re.escape(marks)}]+", r"\1", text)


def _latin_words(text: str) -> tuple[str, list[str]]:
    """Words of ASCII and look-alike letters, all in ASCII; a word with a letter that has no twin is left alone."""
    changed: list[str] = []

    def latin(match: re.Match[str]) -> str:
        word = match[0]
        plain = word.translate(_LATIN)
        if plain == word or not plain.isascii() or not _ASCII_LETTER.search(word):
            return word
        changed.append(word)
        return plain

    return (_WORD.sub(latin, text), changed) if _LOOK_ALIKE.search(_not_ascii(text)) else (text, changed)
