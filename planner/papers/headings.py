"""What a section is for, told from its heading and from the section that it stands in."""

import re
from typing import Final

from planner.papers.paper import SectionKind

_NUMBER: Final = re.compile(
    r"^\s*(?:(?:section|appendix|chapter)\s+)?(?:(?:\d+|[A-Z]|[IVX]+)(?:\.\d+)*[.):]?|[A-Z]?\d+(?:\.\d+)*[.)]?)\s+",
    re.I,
)

# The first pattern that is found decides, so the particular stand before the general.
_PATTERNS: Final = tuple(
    (kind, re.compile(pattern, re.I))
    for kind, pattern in (
        (SectionKind.ABSTRACT, r"^(?:abstract|author summary|summary)$"),
        (SectionKind.REFERENCES, r"^(?:references?|bibliography|literature cited|works cited)\b"),
        (SectionKind.ACKNOWLEDGEMENTS, r"^acknowledge?ments?\b|^funding\b|^author contributions?\b"),
        (SectionKind.CHECKLIST, r"\bchecklist\b"),
        (SectionKind.APPENDIX, r"^(?:appendix|appendices|supplement(?:ary|al)?\b)"),
        (SectionKind.ABLATION, r"\bablat(?:ion|ions|ed|ing|ive)\b|component analysis|effect(?:iveness)? of each"),
        (
            SectionKind.RELATED_WORK,
            r"\brelated works?\b|\bprior works?\b|previous works?\b|^related\b|literature review",
        ),
        (SectionKind.INTRODUCTION, r"^(?:introduction|motivation|overview and motivation)\b"),
        (
            SectionKind.EXPERIMENTS,
            r"\bexperiment(?:s|al)?\b|\bevaluations?\b|\b(?:results?|findings)\b|empirical|simulation stud|case stud"
            r"|numerical (?:stud|example)|benchmark(?:s|ing)\b|^applications?$|performance (?:analysis|comparison)",
        ),
        (
            SectionKind.CONCLUSION,
            r"^(?:conclusions?|concluding|discussions?|summary|limitations?|future work|outlook)\b",
        ),
        (
            SectionKind.METHOD,
            r"\bmethod(?:s|ology)?\b|\bapproach\b|\bmodels?\b|\barchitecture\b|\balgorithms?\b|\bframework\b|proposed"
            r"|formulation|preliminar|background|\bsetup\b|\bsetting\b|\btraining\b|\bsystem\b|\bdesign\b|notation",
        ),
    )
)

_INHERITED: Final = frozenset(
    {
        SectionKind.REFERENCES,
        SectionKind.ACKNOWLEDGEMENTS,
        SectionKind.CHECKLIST,
        SectionKind.ABLATION,
        SectionKind.EXPERIMENTS,
        SectionKind.RELATED_WORK,
        SectionKind.METHOD,
        SectionKind.CONCLUSION,
        SectionKind.APPENDIX,
    }
)


def bare(heading: str) -> str:
    """The heading without its number and final punctuation: "3.2. Training:" gives "Training"."""
    return _NUMBER.sub("", heading.strip()).strip(" .:\t") or heading.strip()


def section_kind(heading: str, parent: SectionKind | None = None) -> SectionKind:
    """The kind of a section, given the kind of the section that it stands in (None at the top level).

    An ablation is one wherever it stands; other subsections are what their parent is, where the parent has a say.
    """
    found = next((kind for kind, pattern in _PATTERNS if pattern.search(bare(heading))), SectionKind.OTHER)
    if found is SectionKind.ABLATION or parent not in _INHERITED or parent is None:
        return found
    return parent
