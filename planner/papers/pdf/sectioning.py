"""Cut the lines of a paper at its headings into sections, and find the kind of each."""

import re
from collections.abc import Sequence
from typing import Final

from planner.papers.headings import section_kind
from planner.papers.paper import Block, BlockKind, Section, SectionKind
from planner.papers.pdf.captions import Part
from planner.papers.pdf.headline import Headline, spans
from planner.papers.pdf.hyphens import Vocabulary
from planner.papers.pdf.lines import Line
from planner.papers.pdf.paragraphs import blocks_of
from planner.papers.pdf.setting import Setting

_LETTERED: Final = re.compile(r"^(?:appendix\s+)?[A-Z](?:\.\d+)*[.:]?\s+\S", re.I)
_NUMBERED: Final = re.compile(r"^\d")
_BACK_MATTER: Final = frozenset(
    {SectionKind.REFERENCES, SectionKind.ACKNOWLEDGEMENTS, SectionKind.CHECKLIST, SectionKind.ABLATION}
)
_LAST_OF_BODY: Final = frozenset(
    {SectionKind.CONCLUSION, SectionKind.REFERENCES, SectionKind.ACKNOWLEDGEMENTS, SectionKind.APPENDIX}
)


def sections_of(
    lines: Sequence[Line],
    headlines: Sequence[Headline],
    parts: Sequence[Part],
    setting: Setting,
    words: Vocabulary,
) -> tuple[Section, ...]:
    """Return the sections of a paper in reading order, with the text before the first heading as the first section."""
    kinds = _kinds(headlines)
    first = headlines[0].at if headlines else len(lines)
    sections: list[Section] = []
    front = blocks_of(lines[:first], parts[:first], setting, words)
    if front:
        sections.append(Section("", 0, SectionKind.OTHER, front, lines[0].page))
    for (headline, start, end), kind in zip(spans(headlines, len(lines)), kinds, strict=True):
        hanging = kind is SectionKind.REFERENCES
        blocks = blocks_of(lines[start:end], parts[start:end], setting, words, hanging)
        heading = Block(BlockKind.HEADING, headline.text)
        page = lines[headline.at].page
        sections.append(Section(headline.text, headline.level, kind, (heading, *blocks), page))
    return tuple(sections)


def _kinds(headlines: Sequence[Headline]) -> list[SectionKind]:
    """Return the kind of each section; lettered sections after the body and all after the references are appendices."""
    kinds: list[SectionKind] = []
    parents: dict[int, SectionKind] = {}
    past_body = past_references = False
    for headline in headlines:
        above = [parents[level] for level in sorted(parents) if level < headline.level]
        above = [kind for kind in above if kind is not SectionKind.REFERENCES]  # references have no subsections
        kind = section_kind(headline.text, above[-1] if above else None)
        lettered = past_body and bool(_LETTERED.match(headline.text)) and not _NUMBERED.match(headline.text)
        if (past_references or lettered) and kind not in _BACK_MATTER:
            kind = SectionKind.APPENDIX
        past_references = past_references or kind is SectionKind.REFERENCES
        past_body = past_body or kind in _LAST_OF_BODY
        parents = {level: held for level, held in parents.items() if level < headline.level}
        parents[headline.level] = kind
        kinds.append(kind)
    return kinds
