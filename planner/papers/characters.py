"""Decode the bytes of a text, remove invisible characters, and replace letters that only look Latin."""

import re
import unicodedata
from typing import Final

from planner.errors import PaperError

MAX_TEXT_BYTES: Final = 20_000_000  # ten times the longest theses
_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_DECLARED_ENCODING: Final = re.compile(
    rb"\\usepackage\[(\w+)\]\{inputenc\}|charset=[\"']?([\w-]+)|^.{0,20}coding[:=]\s*([\w-]+)", re.M
)
# Encodings of East Asian languages: the bytes of their punctuation and frequent characters, and the least share of all
# bytes above ASCII that these make up. The first that fits is taken, so narrow ones come first. Where the second byte
# may be ASCII, two characters must stand together, since a Latin text has "°C".
_EAST_ASIAN_ENCODINGS: Final = (
    ("cp949", "Korean in EUC-KR", re.compile(rb"[\xa1\xa3\xb0-\xc8][\xa1-\xfe]"), 0.95),
    ("gb18030", "Chinese in GB 18030", re.compile(rb"[\xa1\xa3\xb0-\xd7][\xa1-\xfe]"), 0.8),
    ("euc_jp", "Japanese in EUC-JP", re.compile(rb"[\xa1\xa3-\xa5\xb0-\xcf][\xa1-\xfe]"), 0.9),
    ("cp932", "Japanese in Shift-JIS", re.compile(rb"(?:[\x81-\x83\x88-\x97][\x40-\x7e\x80-\xfc]){2,}"), 0.8),
    ("cp950", "Chinese in Big5", re.compile(rb"(?:[\xa1\xa4-\xc6][\x40-\x7e\xa1-\xfe]){2,}"), 0.8),
)
_MIN_EAST_ASIAN: Final = 0.01  # share of bytes above ASCII in a text in such a language
_ABOVE_ASCII: Final = bytes(range(128, 256))
_TEX_ENCODINGS: Final = {"latin1": "cp1252", "latin9": "iso8859-15", "ansinew": "cp1252", "applemac": "mac-roman"}

# Not seen when printed: zero-width characters, joiners outside emoji and Indic scripts, bidirectional controls, tags,
# variation selectors.
_INVISIBLE: Final = re.compile("[\u00ad\u200b\u2060-\u2064\ufeff\u180e\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]")
_JOINER: Final = re.compile("[\u200c\u200d]")
_JOINERS: Final = re.compile(  # matching only from the first joiner of a run keeps the time linear
    r"[\u200c\u200d](?:(?<=[\x00-\u024f].)[\u200c\u200d]*|(?<![\u200c\u200d].)[\u200c\u200d]*(?=[\x00-\u024f]))"
)
_TAGS: Final = re.compile("[\U000e0000-\U000e007f]+")
_SELECTORS: Final = re.compile("[\U000e0100-\U000e01ef]+|(?<=[\x00-\u024f])[\ufe00-\ufe0f]+")
_BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_ASCII: Final = bytes(range(128))
_ASCII_CONTROLS: Final = tuple(chr(code) for code in range(128) if _CONTROL.match(chr(code)))
_LINE_BREAKS: Final = "\r\x0b\x0c\x85\u2028\u2029"
# The pattern to remove, a pattern for the characters that it needs, and their name in the warning ("" for no warning).
_REMOVALS: Final = (
    (_TAGS, _TAGS, ""),
    (_INVISIBLE, _INVISIBLE, "zero-width characters"),
    (_JOINERS, _JOINER, "joiners between Latin letters"),
    (_SELECTORS, re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]"), "variation selectors on letters"),
    (_BIDI, _BIDI, "bidirectional controls"),
    (_CONTROL, _CONTROL, "control characters"),
)
_MAX_MARKS: Final = 30  # on one letter, as in the Unicode Stream-Safe Text Format
_LETTER: Final = re.compile(r"[^\W\d_]")
_LOOK_ALIKE: Final = re.compile("[\u0370-\u052f]")
_LOOK_ALIKE_BY_LATIN: Final = re.compile("[\u0370-\u052f](?:(?<=[A-Za-z].)|(?=[A-Za-z]))")

_FOREIGN_LETTER: Final = re.compile(r"[^\W\d_\x00-\u024f]")  # of another script than Latin
_ENGLISH_WORDS: Final = frozenset(
    {"the", "of", "and", "is", "we", "that", "with", "are", "this", "by", "for", "from", "which", "can", "be"}
)
_MIN_WORDS: Final = 100
_MIN_ENGLISH_SHARE: Final = 0.04  # English has 0.2, and no other language 0.02

# Letters of other scripts that look like Latin ones, from the confusables of Unicode TS 39.
_LOOK_ALIKE_LETTERS: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеіјорсѕухһԁԛԝԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧοѵѴϹϲ",
    "ABESIJKMHOPCTXYaeijopcsyxhdqwGQWABEZHIKMNOPTYXovVCc",
)


def decode_text_with_warnings(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file, and a tuple that holds a warning if the encoding had to be guessed.

    Raises:
        PaperError: if the file is larger than 20 MB, or is not text.
    """
    if len(data) > MAX_TEXT_BYTES:
        raise PaperError(
            f"{name!r} has {len(data):,} bytes; a paper's text has at most {MAX_TEXT_BYTES:,}; give only the paper"
        )
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace"), ()
    if is_binary(data):
        raise PaperError(f"{name!r} holds binary data, not text; give a PDF, the source or plain text")
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        return _decode_non_utf8(data, name)


def is_binary(data: bytes) -> bool:
    """Return whether the bytes are not text: they hold a zero byte or over 2 % control characters."""
    head = data[:65_536]
    controls = len(head) - len(head.translate(None, bytes(range(9)) + bytes(range(14, 32))))
    return b"\x00" in data[:1_000_000] or controls * 50 > len(head)


def _decode_non_utf8(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """Return the text of bytes that are not UTF-8, and a tuple that holds a warning if the encoding was guessed.

    The encodings are tried in this order: the one that the file declares, UTF-8 with a few invalid bytes, the East
    Asian encodings, Latin-1.
    """
    declarations = (group for match in _DECLARED_ENCODING.finditer(data[:100_000]) for group in match.groups() if group)
    declared = next((name.decode().lower() for name in declarations), "")
    encoding = _TEX_ENCODINGS.get(declared, declared)
    if encoding not in ("", "utf8", "utf-8", "utf8x") and (text := _try_decode(data, encoding)) is not None:
        return text, ()
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken * 20 < _count_above_ascii(data):
        return text, (f"{name!r} has {broken} bytes that are not UTF-8; each was replaced by \ufffd",)
    for encoding, description, frequent, min_share in _EAST_ASIAN_ENCODINGS:
        if _has_share(data, frequent, min_share) and (decoded := _try_decode(data, encoding)) is not None:
            return decoded, (f"{name!r} is not UTF-8; it was read as {description}",)
    latin = _try_decode(data, "cp1252")
    return latin if latin is not None else data.decode("latin-1"), (f"{name!r} is not UTF-8; it was read as Latin-1",)


def _has_share(data: bytes, frequent: re.Pattern[bytes], min_share: float) -> bool:
    """Return whether the bytes seem to be in the encoding whose frequent characters `frequent` matches.

    At least 1 % of the bytes must be above ASCII, and `frequent` must match at least the share `min_share` of these.
    """
    count = _count_above_ascii(data)
    is_frequent = _count_above_ascii(frequent.sub(b"", data)) <= (1 - min_share) * count
    return count >= _MIN_EAST_ASIAN * len(data) and is_frequent


def _count_above_ascii(data: bytes) -> int:
    return len(data) - len(data.translate(None, _ABOVE_ASCII))


def _try_decode(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def is_english(text: str) -> bool:
    """Return whether a text seems to be English; a short text in Latin letters always does."""
    if 3 * len(_FOREIGN_LETTER.findall(_extract_non_ascii(text))) > len(text):
        return False
    words = text.casefold().split()
    return len(words) < _MIN_WORDS or sum(map(_ENGLISH_WORDS.__contains__, words)) >= _MIN_ENGLISH_SHARE * len(words)


def normalize_characters_with_warnings(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text without invisible and misleading characters, and a warning for each kind of change.

    The text is in the Unicode form NFC. Letters that look Latin are replaced by Latin letters if the rest of the word
    is Latin. The time is linear in the length of the text.
    """
    text = text.replace("\r\n", "\n") if "\r" in text else text  # a search for one character is far faster
    # One `replace` per character takes a hundredth of the time of a pattern.
    for line_break in _LINE_BREAKS:
        text = text.replace(line_break, "\n")
    controls = [control for control in _ASCII_CONTROLS if control in text]
    if text.isascii() and not controls:
        return text, ()
    warnings = []
    non_ascii = _extract_non_ascii(text)
    alphabet = "".join({*non_ascii, *controls})
    tags = "".join(chr(ord(c) - 0xE0000) for c in non_ascii if "\U000e0020" <= c <= "\U000e007e")
    if tags:
        warnings.append(f"invisible tag characters were left out; they spell {tags[:200]!r}")
    for pattern, needed_characters, name in _REMOVALS:
        text, count = pattern.subn("", text) if needed_characters.search(alphabet) else (text, 0)
        if count and name:
            warnings.append(f"{count} {name} were left out")
    text, piles = _trim_mark_piles(text, alphabet)
    if piles:
        warnings.append(f"{piles} piles of combining marks were shortened to {_MAX_MARKS} marks each")
    text, words = _replace_look_alikes(unicodedata.normalize("NFC", text))
    if words:
        examples = ", ".join(map(repr, words[:5]))
        warnings.append(f"look-alike letters were replaced by Latin letters in {len(words)} words: {examples}")
    return text, tuple(warnings)


def _extract_non_ascii(text: str) -> str:
    """Return the characters of a text that are not ASCII; searching them is much faster than searching the text."""
    return text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")


def _trim_mark_piles(text: str, characters: str) -> tuple[str, int]:
    """Return the text with at most 30 combining marks on a letter, and the number of letters that had more."""
    # No script has such piles, and NFC sorts them in quadratic time.
    marks = "".join(sorted(c for c in characters if unicodedata.combining(c)))
    if not marks:
        return text, 0
    return re.subn(f"([{re.escape(marks)}]{{{_MAX_MARKS}}})[{re.escape(marks)}]+", r"\1", text)


def _replace_look_alikes(text: str) -> tuple[str, list[str]]:
    """Replace letters that look Latin in words that are otherwise Latin; return the text and the old words."""
    words, chunks, last, end = list[str](), list[str](), 0, 0
    for match in _LOOK_ALIKE_BY_LATIN.finditer(text) if _LOOK_ALIKE.search(_extract_non_ascii(text)) else ():
        if match.start() < end:
            continue
        start, end = _find_word_bounds(text, match.start(), end)
        word = text[start:end]
        latin = word.translate(_LOOK_ALIKE_LETTERS)
        if latin.isascii():
            words.append(word)
            chunks += (text[last:start], latin)
            last = end
    return "".join((*chunks, text[last:])), words


def _find_word_bounds(text: str, position: int, min_start: int) -> tuple[int, int]:
    """Return the start and end of the word around `position`; letters before `min_start` are not looked at."""
    start, end = position, position
    while start > min_start and _LETTER.match(text, start - 1):
        start -= 1
    while end < len(text) and _LETTER.match(text, end):
        end += 1
    return start, end
