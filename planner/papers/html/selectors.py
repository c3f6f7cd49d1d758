"""Parse and match the CSS selectors that pages hide things with: tag, class, id, attribute, relation, position."""

import re
from dataclasses import dataclass
from typing import Final

from planner.papers.html.dom import Element

_PART: Final = re.compile(r"[.#][\w-]+|\[[^\[\]]*\]|:first-child|:nth-child\(\s*\d{1,2}\s*\)|:not\([^()\s:]+\)")
_COMPOUND: Final = re.compile(rf"(\*|[\w-]+)?((?:{_PART.pattern})*)")
_ATTRIBUTE: Final = re.compile(r"\[\s*([\w-]+)\s*(?:[~|^$*]?=\s*[\"']?(.*?)[\"']?\s*)?\]", re.DOTALL)
_RELATION: Final = re.compile(r"\s*([>+~])\s*(?![^\[]*\])")
_AROUND: Final = 25  # the most ancestors or siblings to look at


@dataclass(frozen=True, slots=True)
class Compound:
    """A compound selector: the tag ("" for any), classes, ids, attributes and position that an element must have."""

    tag: str
    parts: tuple[str, ...]

    def fits(self, element: Element) -> bool:
        """Return whether the compound matches an element."""
        return self.tag in ("", element.tag) and all(_has(element, part) for part in self.parts)


@dataclass(slots=True)
class Patience:
    """The number of elements that may still be visited, since a page may have any number of rules."""

    steps: int


@dataclass(frozen=True, slots=True)
class Selector:
    """A compound for the element itself, and compounds for elements around it, nearest first, each with its relation.

    The relations are those of CSS: "" for any ancestor, ">" for the parent, "+" for the element just before, "~" for
    any element before.
    """

    last: Compound
    around: tuple[tuple[str, Compound], ...]

    def fits(self, element: Element, patience: Patience) -> bool:
        """Return whether the selector matches the element; False if too few steps are left to find out."""
        if (self.around and patience.steps <= 0) or not self.last.fits(element):
            return False
        found: Element | None = element
        for relation, compound in self.around:
            found = _related(found, relation, compound, patience) if found else None
        return found is not None


def selector(text: str) -> Selector | None:
    """Return the selector in a lower-case text; None if it uses states or anything else that is not supported."""
    words = _RELATION.sub(r" \1", text.strip()).split()
    found: list[tuple[str, Compound]] = []
    for word in words:
        relation = word[0] if word[0] in ">+~" else ""
        compound = _compound(word.removeprefix(relation))
        if compound is None:
            return None
        found.append((relation, compound))
    if not found:
        return None
    # CSS writes the relation before the later compound; here it is kept with the earlier one.
    around = tuple((found[at + 1][0], found[at][1]) for at in reversed(range(len(found) - 1)))
    return Selector(found[-1][1], around)


def _compound(text: str) -> Compound | None:
    match = _COMPOUND.fullmatch(text)
    if match is None or not text:
        return None
    return Compound((match[1] or "").replace("*", ""), tuple(_PART.findall(match[2])))


def _related(element: Element, relation: str, compound: Compound, patience: Patience) -> Element | None:
    """Return the nearest element that has the relation to another and fits the compound; None if there is none."""
    other: Element | None = element
    for _ in range(min(1 if relation in (">", "+") else _AROUND, patience.steps)):
        patience.steps -= 1
        other = other and (other.before if relation in ("+", "~") else other.parent)
        if other is None or compound.fits(other):
            return other
    return None


def _place(element: Element) -> int:
    """Return the element's position among its sibling elements from 1; counting stops after a limit."""
    place, before = 1, element.before
    while before is not None and place <= _AROUND:
        place, before = place + 1, before.before
    return place


def _has(element: Element, part: str) -> bool:
    if part.startswith("."):
        return part[1:] in element.folded_classes
    if part.startswith("#"):
        return element.attributes.get("id", "").lower() == part[1:]
    if part.startswith(":not"):
        excluded = _compound(part.removeprefix(":not(").removesuffix(")"))
        return excluded is not None and not excluded.fits(element)
    if part.startswith(":"):
        return _place(element) == int("".join(c for c in part if c.isdigit()) or 1)
    found = _ATTRIBUTE.fullmatch(part)
    if found is None or found[1].lower() not in element.attributes:
        return False
    return found[2] is None or found[2] in element.attributes[found[1].lower()].lower()
