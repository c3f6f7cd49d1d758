"""Selectors of style sheets, as far as pages use them to hide things: names, classes, ids, attributes, ancestors."""

import re
from dataclasses import dataclass
from typing import Final

from planner.papers.html.dom import Element

_COMPOUND: Final = re.compile(r"(\*|[\w-]+)?((?:[.#][\w-]+|\[[^\[\]]*\])*)")
_PART: Final = re.compile(r"[.#][\w-]+|\[[^\[\]]*\]")
_ATTRIBUTE: Final = re.compile(r"\[\s*([\w-]+)\s*(?:[~|^$*]?=\s*[\"']?(.*?)[\"']?\s*)?\]", re.DOTALL)
_AROUND: Final = 25  # ancestors that are looked at


@dataclass(frozen=True, slots=True)
class Compound:
    """What one element must have: a tag ("" for any), and classes, ids and attributes."""

    tag: str
    parts: tuple[str, ...]

    def fits(self, element: Element) -> bool:
        """Whether an element has all of it."""
        return self.tag in ("", element.tag) and all(_has(element, part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Selector:
    """A compound, and those that must stand around it, from the inside out; True with each that is the very parent."""

    last: Compound
    around: tuple[tuple[bool, Compound], ...]

    def fits(self, element: Element) -> bool:
        """Whether the selector selects the element."""
        if not self.last.fits(element):
            return False
        outer = element.parent
        for directly, compound in self.around:
            for _ in range(_AROUND):
                if outer is None or directly or compound.fits(outer):
                    break
                outer = outer.parent
            if outer is None or not compound.fits(outer):
                return False
            outer = outer.parent
        return True


def selector(text: str) -> Selector | None:
    """The selector that a text in small letters writes; None where it asks for siblings or for states."""
    words = re.sub(r"\s*>\s*", " >", text.strip()).split(" ")
    found: list[tuple[bool, Compound]] = []
    for word in filter(None, words):
        directly, written = word.startswith(">"), word.removeprefix(">")
        match = _COMPOUND.fullmatch(written)
        if match is None or not written:
            return None
        tag = (match[1] or "").lower().replace("*", "")
        found.append((directly, Compound(tag, tuple(_PART.findall(match[2])))))
    if not found:
        return None
    # That a compound stands directly in the one before it is written before it, but asked of the one before.
    around = tuple((found[at + 1][0], found[at][1]) for at in reversed(range(len(found) - 1)))
    return Selector(found[-1][1], around)


def _has(element: Element, part: str) -> bool:
    if part.startswith("."):
        return part[1:] in {name.lower() for name in element.classes}
    if part.startswith("#"):
        return element.attributes.get("id", "").lower() == part[1:]
    found = _ATTRIBUTE.fullmatch(part)
    if found is None or found[1].lower() not in element.attributes:
        return False
    return found[2] is None or found[2] in element.attributes[found[1].lower()].lower()
