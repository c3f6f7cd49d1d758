"""Make a model's text inert, so that nothing in it leaves its box or acts when the file is rendered.

Paragraphs, lists, quotes, emphasis, rules, tables, code, plain `[text](https://…)` links and balanced inert tags stay.
The reader undoes two escapes: a `<` that would open a tag is written `&lt;`, and a literal `&lt;` gets one more `amp;`.
Headings, images, other links and open fences get a permanent backslash, with a warning.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from planner.trajectory.dialect import Edit, scan_markup
from planner.trajectory.markdown_rules import LESS_THAN_ENTITY

_MAX_ROUNDS: Final = 12
_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]")
# Without one of these characters a line cannot hold anything but emphasis, lists, quotes and rules.
_SUSPICIOUS_LINE: Final = re.compile(r"[<&\[`~#]")
_SUSPICIOUS_TEXT: Final = re.compile(r"[<&\[`~#]|^[\s>]*(?:[-*+]\s+|\d+[.)]\s+)*[=-][=\s-]*$| {4}|\t|>", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class InertText:
    """A text in normal form, and the kinds of markup that were escaped permanently ("a heading", "an image" …)."""

    text: str
    changes: tuple[str, ...] = ()


def neutralize_markup(text: str, *, prefix: str = "") -> InertText:
    """Escape markup permanently where no reversible escape exists; `prefix` is the text before it on its first line."""
    kinds: dict[str, None] = {}
    for _ in range(_MAX_ROUNDS):
        if not _may_hold_markup(text):
            return InertText(text, tuple(kinds))
        scan = scan_markup(prefix + text)
        edits = [edit for edit in scan.edits.values() if edit.start >= len(prefix)]
        if scan.too_deep:
            break
        if not edits:
            return InertText(text, tuple(kinds))
        kinds.update(dict.fromkeys(edit.kind for edit in edits))
        text = _apply_edits(prefix + text, edits)[len(prefix) :]
    return InertText(_escape_punctuation(text), (*kinds, "markup that could not be judged"))


def escape_tags(text: str, *, prefix: str = "") -> str:
    """Escape a text in normal form so that no `<` opens a tag; `unescape_tags` reverses it."""
    if "<" not in text and not LESS_THAN_ENTITY.search(text):
        return text
    scan = scan_markup(prefix + text)
    tags = (Edit(start, start + 1, "&lt;", "") for start in scan.tag_starts)
    entities = (Edit(start + 1, start + 1, "amp;", "") for start, _ in scan.entities)
    return _apply_edits(prefix + text, (*tags, *entities))[len(prefix) :]


def unescape_tags(text: str, *, prefix: str = "") -> str:
    """Undo `escape_tags`."""
    if not LESS_THAN_ENTITY.search(text):
        return text
    whole = prefix + text
    edits = (
        Edit(start, end, "<" if whole[start:end] == "&lt;" else f"&{whole[start + 5 : end]}", "")
        for start, end in scan_markup(whole).entities
    )
    return _apply_edits(whole, edits)[len(prefix) :]


def _may_hold_markup(text: str) -> bool:
    return bool((_SUSPICIOUS_TEXT if "\n" in text else _SUSPICIOUS_LINE).search(text))


def _apply_edits(text: str, edits: Iterable[Edit]) -> str:
    parts: list[str] = []
    end = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += text[end : edit.start], edit.replacement
        end = edit.end
    return "".join((*parts, text[end:]))


def _escape_punctuation(text: str) -> str:
    """Turn every line into a line of a plain paragraph: remove its indent and escape all punctuation."""
    lines = (line.lstrip() for line in text.split("\n"))
    return "\n".join(_PUNCTUATION.sub(r"\\\g<0>", line) for line in lines)
