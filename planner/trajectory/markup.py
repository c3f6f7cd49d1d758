"""Make a model's text inert, so that nothing in it leaves its box or acts when the file is rendered.

Paragraphs, lists, quotes, emphasis, rules, tables, code, plain `[text](https://…)` links and balanced inert tags stay.
The reader undoes two escapes: a `<` that would open a tag is written `&lt;`, and a literal `&lt;` gets one more `amp;`.
Headings, images, other links and open fences get a permanent backslash, with a warning.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from planner.trajectory.dialect import Edit, survey
from planner.trajectory.inline_rules import LESS_THAN

_ROUNDS: Final = 12
_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]")
# Without one of these characters a line cannot hold anything but emphasis, lists, quotes and rules.
_SUSPICIOUS_LINE: Final = re.compile(r"[<&\[`~#]")
_SUSPICIOUS_TEXT: Final = re.compile(r"[<&\[`~#]|^[\s>]*(?:[-*+]\s+|\d+[.)]\s+)*[=-][=\s-]*$| {4}|\t|>", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Settled:
    """A text in normal form, and the kinds of markup that were escaped permanently ("a heading", "an image" …)."""

    text: str
    changed: tuple[str, ...] = ()


def settle(text: str, *, lead: str = "") -> Settled:
    """Escape markup permanently where no reversible escape exists; `lead` is the text before it on its first line."""
    changed: dict[str, None] = {}
    for _ in range(_ROUNDS):
        if not _is_suspicious(text):
            return Settled(text, tuple(changed))
        found = survey(lead + text)
        edits = [edit for edit in found.edits.values() if edit.start >= len(lead)]
        if found.too_deep:
            break
        if not edits:
            return Settled(text, tuple(changed))
        changed.update(dict.fromkeys(edit.what for edit in edits))
        text = _apply(lead + text, edits)[len(lead) :]
    return Settled(_flatten(text), (*changed, "markup that could not be judged"))


def escape(text: str, *, lead: str = "") -> str:
    """Escape a text in normal form so that no `<` opens a tag; `unescape` reverses it."""
    if "<" not in text and not LESS_THAN.search(text):
        return text
    found = survey(lead + text)
    angles = (Edit(at, at + 1, "&lt;", "") for at in found.angles)
    literals = (Edit(at + 1, at + 1, "amp;", "") for at, _ in found.entities)
    return _apply(lead + text, (*angles, *literals))[len(lead) :]


def unescape(text: str, *, lead: str = "") -> str:
    """Undo `escape`."""
    if not LESS_THAN.search(text):
        return text
    whole = lead + text
    edits = (
        Edit(start, end, "<" if whole[start:end] == "&lt;" else f"&{whole[start + 5 : end]}", "")
        for start, end in survey(whole).entities
    )
    return _apply(whole, edits)[len(lead) :]


def _is_suspicious(text: str) -> bool:
    return bool((_SUSPICIOUS_TEXT if "\n" in text else _SUSPICIOUS_LINE).search(text))


def _apply(text: str, edits: Iterable[Edit]) -> str:
    parts: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += text[at : edit.start], edit.instead
        at = edit.end
    return "".join((*parts, text[at:]))


def _flatten(text: str) -> str:
    """Turn every line into a line of a plain paragraph: remove its indent and escape all punctuation."""
    lines = (line.lstrip() for line in text.split("\n"))
    return "\n".join(_PUNCTUATION.sub(r"\\\g<0>", line) for line in lines)
