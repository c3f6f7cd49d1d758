"""Find the abstract of a paper among its sections, under its heading or without one."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from planner.papers.headings import strip_number_and_punctuation
from planner.papers.paper import BlockKind, Section, SectionKind

_ABSTRACT_NAMES: Final = frozenset({"abstract", "summary"})
_NOT_ABSTRACT: Final = re.compile(r"availability|contact|supplement|keywords|code|contents", re.I)
_AFTER_ABSTRACT: Final = re.compile(
    r"(?:^|\n)[*_\s]*(?:Key ?words|Index Terms|CCS Concepts|Contents)\b|(?:^|\n)\s*©", re.I
)
_UNMARKED_ABSTRACT: Final = re.compile(
    r"\s*(?:<\w[^<>]{0,200}>|\\[a-z]+\b|[\s{*_#])*abstract(?=\W)"
    r"(?:\s*(?:[.:*_}—–-]|</\w+>|\\\\)+(?:\s+[.:—–-]+(?=\s))?\s*|\s+(?=(?-i:[A-Z])))",
    re.I,
)
_MAX_OPENING_WORDS: Final = 2_000  # words before an abstract without a heading


def find_abstract_text(sections: Sequence[Section]) -> str:
    """Return the text of the section "Abstract" with its subsections, without heading lines; "" if there is none.

    If no heading marks it, return the paragraph near the start of the paper that begins with "Abstract".
    """
    abstract_sections: list[Section] = []
    for section in sections:
        if abstract_sections and (
            section.level <= abstract_sections[0].level
            or _NOT_ABSTRACT.match(strip_number_and_punctuation(section.heading))
        ):
            break
        if abstract_sections or (
            section.kind is SectionKind.ABSTRACT
            and strip_number_and_punctuation(section.heading).casefold() in _ABSTRACT_NAMES
        ):
            abstract_sections.append(section)
    if not abstract_sections:
        return _find_unmarked_abstract(sections)
    texts = [_label_text(section, first=section is abstract_sections[0]) for section in abstract_sections]
    return _AFTER_ABSTRACT.split("\n\n".join(text for text in texts if text))[0].strip()


def _find_unmarked_abstract(sections: Iterable[Section]) -> str:
    words = 0
    for section in sections:
        if section.kind not in (SectionKind.OTHER, SectionKind.ABSTRACT):
            break
        for block in section.blocks:
            if block.kind is BlockKind.PROSE and (match := _UNMARKED_ABSTRACT.match(block.text)):
                return block.text[match.end() :].strip()
            words += len(block.text.split())
        if words > _MAX_OPENING_WORDS:
            break
    return ""


def _label_text(section: Section, *, first: bool) -> str:
    """Return the running text of a section of an abstract, after its heading unless it is the first."""
    body = "\n\n".join(b.text for b in section.blocks if b.kind is BlockKind.PROSE)
    return body if first or not body else f"{strip_number_and_punctuation(section.heading)}: {body}"
