"""What a section is for, told from its heading and from the section that it stands in."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from planner.papers.paper import SectionKind

_NUMBER: Final = re.compile(
    r"^\s*(?:(?:section|appendix|chapter)\s+)?(?:(?:\d+|[A-Z]|[IVX]+)(?:\.\d+)*[.):]?|[A-Z]?\d+(?:\.\d+)*[.)]?)\s+",
    re.I,
)

_ROMAN: Final = re.compile(r"([IVX]{1,5})\.\s+\S")
_LETTER: Final = re.compile(r"[A-HJ-UWYZ][.)]\s+\S")
_APPENDIX: Final = re.compile(r"\s*(?:appendix|appendices)\b", re.I)

# Terms of art that hold the word of another kind of section; what is left of a heading without them decides.
_FALSE_FRIENDS: Final = re.compile(
    r"\b(?:policy|counterfactual|self)[- ]?evaluations?\b|\bfunction evaluations?\b|\bthought experiments?\b"
    r"|\bevaluation (?:functions?|networks?|models?|modules?|maps?|operators?|metric learning)\b"
    r"|\b(?:bayesian|optimal|sequential|adaptive) experiment(?:al)? designs?\b"
    r"|(?<!and )(?<!& )\b(?:theoretical|technical|auxiliary|background|convergence|consistency|impossibility|hardness"
    r"|complexity|approximation|existence|identifiability|asymptotic|structural|optimality|stability) results?\b",
    re.I,
)
# Experiments wherever they stand, even among the parts of the method.
_REPORTS: Final = re.compile(
    r"\bexperiments?\b(?! (?:set-?ups?|settings?|designs?|protocols?|details))|\bresults?\b"
    r"|\bexperimental (?:evaluation|analysis|validation|stud(?:y|ies)|comparisons?|findings)\b",
    re.I,
)
_FINDINGS: Final = (
    r"(?:stud(?:y|ies)|examples?|illustrations?|tests?|evaluations?|assessments?|results?|analys[ie]s|simulations?"
    r"|experiments?|validations?|verification|comparisons?|demonstrations?|performance|evidence|findings"
    r"|investigations?|applications?|observations?|set-?up|settings?)\b"
)

# The first pattern that is found decides, so the particular stand before the general.
_PATTERNS: Final = tuple(
    (kind, re.compile(pattern, re.I))
    for kind, pattern in (
        (SectionKind.ABSTRACT, r"^(?:abstract|author summary|summary)$"),
        (
            SectionKind.REFERENCES,
            r"^(?:(?:list of )?references?|bibliography|literature cited|works cited)"
            r"(?: (?:and|&) (?:notes|links|bibliography|(?:further|recommended) reading))?$",
        ),
        (SectionKind.ACKNOWLEDGEMENTS, r"^acknowledge?ments?\b|^funding\b|^author contributions?\b"),
        (SectionKind.CHECKLIST, r"\bchecklist\b"),
        (SectionKind.APPENDIX, r"^(?:appendix|appendices|supplement(?:ary|al)?\b)"),
        (
            SectionKind.ABLATION,
            r"\bablat(?:ion|ions|ed|ing|ive)\b|\bcomponent(?:[- ]?wise)? analys[ie]s\b|\beffect(?:iveness)? of each\b"
            r"|\b(?:effect(?:iveness)?|impact|contribution|importance|role|influence|necessity|analysis)s? of"
            r" (?:each|every|individual|(?:the )?(?:different|various|key|main|proposed|individual)"
            r" (?:components?|modules?|parts?|blocks?|losses|design))\b",
        ),
        (SectionKind.INTRODUCTION, r"^(?:introduction|motivation|overview and motivation)\b"),
        (
            SectionKind.RELATED_WORK,
            r"\b(?:related|prior|previous) works?\b|^related\b|literature review|^state[- ]of[- ]the[- ]art$",
        ),
        (
            SectionKind.EXPERIMENTS,
            r"\bexperiment(?:s|al|ations?)?\b|\bevaluations?\b|^evaluating\b|\b(?:results?|findings)\b|^empirics$"
            rf"|\b(?:empirical(?:ly)?|numerical|computational|simulation)s?(?: (?:and|&) \w+)? {_FINDINGS}"
            r"|^(?:(?:numerical|computer|monte[- ]carlo|synthetic) )?simulations?$|^simulations\b|^simulation (?:and|&)"
            r"|\breal(?:[- ](?:world|life))?[- ](?:data\b|datasets?\b|applications?\b|examples?\b)"
            r"|case stud|\b(?:user|pilot) stud(?:y|ies)\b|\bA/B[- ]test|^(?:online )?test(?:s|ing)?$"
            r"|^(?:model )?validation$|benchmark(?:s|ing)\b|^applications?$"
            r"|\bcomparisons? (?:with|to|against|of) (?:the )?(?:state[- ]of|sota|baselines?"
            r"|(?:other|existing|competing) (?:methods|approaches|models|algorithms))"
            r"|^performance$|performance (?:analys[ie]s|comparisons?|assessment|study)"
            r"|\bparameter (?:sensitivity|analysis|study)\b",
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


def counts_in_roman(headings: Iterable[str]) -> bool:
    """Whether sections are counted I, II, III; their subsections are then lettered, and no appendices."""
    counts = {found[1] for heading in headings if (found := _ROMAN.match(heading))}
    return {"I", "II"} <= counts


def is_lettered(heading: str) -> bool:
    """Whether a heading is counted by a letter that is no Roman number: "B. Training"."""
    return bool(_LETTER.match(heading))


def section_kind(heading: str, parent: SectionKind | None = None) -> SectionKind:
    """The kind of a section, given the kind of the section that it stands in (None at the top level).

    Ablations and thanks are such wherever they stand, and so are results within a method; other subsections are what
    their parent is, where the parent has a say.
    """
    found = _own_kind(heading)
    if found in (SectionKind.ABLATION, SectionKind.ACKNOWLEDGEMENTS) or parent is None:
        return found
    if parent is SectionKind.METHOD and found is SectionKind.EXPERIMENTS and _REPORTS.search(_telling(heading)):
        return found
    if parent is SectionKind.INTRODUCTION and found is SectionKind.EXPERIMENTS:
        return parent  # "Our Results" among the contributions
    return parent if parent in _INHERITED else found


@lru_cache(maxsize=4096)  # it is asked several times of a heading, and papers share many
def _own_kind(heading: str) -> SectionKind:
    telling = _telling(heading)
    found = next((kind for kind, pattern in _PATTERNS if pattern.search(telling)), SectionKind.OTHER)
    own_word = found in (SectionKind.ABLATION, SectionKind.REFERENCES, SectionKind.CHECKLIST)
    return SectionKind.APPENDIX if _APPENDIX.match(heading) and not own_word else found


def _telling(heading: str) -> str:
    return _FALSE_FRIENDS.sub(" ", bare(heading)).strip()
