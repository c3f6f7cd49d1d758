"""Make a model's text inert, so that nothing in it leaves its box or acts when the file is rendered.

Paragraphs, lists, quotes, emphasis, rules, tables, code, plain `[text](https://…)` links and balanced inert tags stay.
The characters that would make headings, images, other links, bare addresses, open fences and tags act are written as
character references (`&#35;`, `&lt;`), which the reader undoes; a literal `&lt;` gets one more `amp;`.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from typing import Final

from planner.trajectory.dialect import ADDRESS, EscapeScan, scan_markup
from planner.trajectory.markdown_rules import ESCAPE, ESCAPES

_MARKS_BY_ESCAPE: Final = {reference: mark for mark, reference in ESCAPES.items()}
_MAX_ROUNDS: Final = 12
# A parser needs some 10 µs for such a character; of all published trajectories none has 300 of them.
_MARKS: Final = "\n!#$%&*+-:<=>@[\\]^_`{}~"
_MAX_MARKS: Final = 10_000  # characters of markup; a text with more is never parsed, and is made plain text
_PUNCTUATION: Final = {ord(mark): f"\\{mark}" for mark in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}
_ESCAPED_MARK: Final = re.compile(r"(\\[!-/:-@\[-`{-~])")
# Without one of these characters a line cannot hold anything but emphasis, lists, quotes and rules.
_SUSPICIOUS_LINE: Final = re.compile(r"[<&\[`~#]")
_SUSPICIOUS_TEXT: Final = re.compile(
    r"[<&\[`~#>\t]| {4}|^[^\S\n]*+(?:(?:[-*+]|\d++[.)])[^\S\n]++)*[=-]++[^\S\n]*+$", re.MULTILINE
)


def neutralize_markup(text: str, *, prefix: str = "") -> tuple[str, bool]:
    """Return the text in a form that can be escaped and read back, and whether it is unchanged.

    A text whose markup cannot be judged becomes plain text, and reading does not undo that. `prefix` is the text
    before it on its first line.
    """
    written = None if has_much_markup(text) else _write_escapes(text, prefix)
    if written == text:
        return text, True
    if written is not None and not has_much_markup(written) and unescape_markup(written, prefix=prefix) == text:
        return text, True
    plain = _escape_punctuation(text)
    return plain, plain == text


def has_much_markup(text: str) -> bool:
    """Return whether a text has too much markup to be parsed; its normal form escapes all of it by backslashes."""
    return sum(map(text.count, _MARKS)) > _MAX_MARKS


def escape_markup(text: str, *, prefix: str = "") -> str:
    """Escape a text in normal form so that nothing in it acts; `unescape_markup` reverses it."""
    written = text if has_much_markup(text) else _write_escapes(text, prefix)
    assert written is not None, "a text in normal form can be escaped"
    return written


def unescape_markup(text: str, *, prefix: str = "") -> str:
    """Undo `escape_markup`."""
    if not ESCAPE.search(text) or has_much_markup(text):
        return text
    whole = prefix + text
    spans = scan_markup(whole).escapes
    return _replace_spans(whole, ((start, end, _undo_escape(whole[start:end])) for start, end in spans))[len(prefix) :]


def _undo_escape(escape: str) -> str:
    return _MARKS_BY_ESCAPE.get(escape) or f"&{escape[5:]}"


@lru_cache(maxsize=64)  # the fields of a trajectory are judged once, then written
def _write_escapes(text: str, prefix: str) -> str | None:
    """Return the text with its escapes, or None if they cannot be found or one of them would stand in code."""
    if not (_SUSPICIOUS_TEXT if "\n" in text else _SUSPICIOUS_LINE).search(text) and not ADDRESS.search(text):
        return text
    whole = prefix + text
    marks: list[int] = []
    for _ in range(_MAX_ROUNDS):
        references = [ESCAPES.get(whole[mark], "") for mark in marks]
        growth = list(accumulate((len(reference) - 1 for reference in references), initial=0))
        starts = [mark + grown for mark, grown in zip(marks, growth, strict=False)]
        written = _replace_spans(whole, zip(marks, (mark + 1 for mark in marks), references, strict=True))
        scan = scan_markup(written)
        if scan.too_deep or not all(references):
            return None
        found = {offset - growth[bisect_left(starts, offset)] for offset in scan.marks if offset >= len(prefix)}
        if not found:
            own = set(starts)
            is_reversible = own <= dict(scan.escapes).keys()
            return _write_tag_escapes(written, scan, own)[len(prefix) :] if is_reversible else None
        marks = sorted({*marks, *found})
    return None


def _write_tag_escapes(text: str, scan: EscapeScan, own_starts: set[int]) -> str:
    """Escape the tags of a text, and what looks like an escape but does not start at one of `own_starts`."""
    tags = ((start, start + 1, ESCAPES["<"]) for start in scan.tag_starts)
    literals = ((start + 1, start + 1, "amp;") for start, _ in scan.escapes if start not in own_starts)
    return _replace_spans(text, (*tags, *literals))


def _replace_spans(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Replace the spans of a text, each given by its start, its end and the new text."""
    parts: list[str] = []
    end = 0
    for start, next_end, replacement in sorted(spans):
        parts += text[end:start], replacement
        end = next_end
    return "".join((*parts, text[end:]))


def _escape_punctuation(text: str) -> str:
    """Turn every line into a line of a plain paragraph: remove its indent and escape all punctuation, once."""
    parts = _ESCAPED_MARK.split("\n".join(line.lstrip() for line in text.split("\n")))
    parts[::2] = (part.translate(_PUNCTUATION) for part in parts[::2])
    return "".join(parts)
