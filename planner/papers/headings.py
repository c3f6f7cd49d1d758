"""Find the kinds of sections from their headings, and find the abstract."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from planner.papers.paper import BlockKind, Section, SectionKind

_NUMBER: Final = re.compile(
    r"^\s*(?:(?:section|appendix|chapter)\s+)?(?:(?:\d+|[A-Z]|[IVX]+)(?:\.\d+)*[.):]?|[A-Z]?\d+(?:\.\d+)*[.)]?)"
    r"(?:\s*[|]\s*|\s+)|^\s*[一二三四五六七八九十]+[、.]\s*"
    # "1.Introduction"
    r"|^\s*(?:\d+(?:\.\d+)*[.):]?|(?:[A-Z](?:\.\d+)*|[IVX]+)\.)(?=(?-i:[A-Z](?:[a-z]{2}|[A-Z]{3})))",
    re.I,
)

_ROMAN_NUMBER: Final = re.compile(r"([IVX]{1,5})\.(?:\s+\S|[A-Z][A-Za-z]{2})")
_LETTER_NUMBER: Final = re.compile(r"[A-HJ-UWYZ][.)](?:\s+\S|[A-Z][A-Za-z]{2})")
_APPENDIX: Final = re.compile(r"\s*(?:appendix|appendices)\b", re.I)

# Technical terms with words that would misclassify a heading; they are removed before classification.
_MISLEADING_TERMS: Final = re.compile(
    r"\b(?:policy|counterfactual|self)[- ]?evaluations?\b|\bfunction evaluations?\b|\bthought experiments?\b"
    r"|\bevaluation (?:functions?|networks?|models?|modules?|maps?|operators?|metric learning)\b"
    r"|\b(?:bayesian|optimal|sequential|adaptive) experiment(?:al)? designs?\b"
    r"|(?<!and )(?<!& )\b(?:theoretical|technical|auxiliary|background|convergence|consistency|impossibility|hardness"
    r"|complexity|approximation|existence|identifiability|asymptotic|structural|optimality|stability) results?\b",
    re.I,
)
# Words of headings about the way in which something is measured, rather than about the results.
_MEASUREMENT: Final = re.compile(
    r"\b(?:set-?ups?|settings?|designs?|protocols?|details|metrics?|measures?|criteri(?:on|a)|procedures?|plans?"
    r"|assessments?|methods?|methodology|models?|data|data ?sets?|corpora|platforms?|environments?|frameworks?|systems?"
    r"|pipelines?|simulators?|tools?|construction)\b",
    re.I,
)
_RESULTS: Final = re.compile(r"\bexperiments\b|\bresults?\b|\bcompar|\bperformance (?:of|on)\b", re.I)
# Means of measurement that the paper itself builds: "Evaluation Metrics We Propose", "Experimental Platform Design".
_MEANS_OF_MEASUREMENT: Final = re.compile(
    r"\b(?:evaluation|experiment(?:al|ation)?|benchmark(?:ing)?|simulation|validation|test(?:ing)?)s?"
    r" (?:metric|measure|criterion|criteria|protocol|platform|framework|system|environment|suite|tool(?:kit)?|pipeline"
    r"|procedure|methodology|score|data ?set|apparatus)s?\b",
    re.I,
)
_MAKING: Final = re.compile(
    r"\bpropos(?:e|ed|al)\b|\bour\b|\bnew\b|\bnovel\b|\bdesign(?:ing)?\b|\bconstruct(?:ion|ing)\b|\bbuilding\b"
    r"|\bdevelop(?:ment|ing)\b|\bdefin(?:ition|ing)\b|\barchitecture\b",
    re.I,
)
_FINDINGS: Final = (
    r"(?:stud(?:y|ies)|examples?|illustrations?|tests?|evaluations?|assessments?|results?|analys[ie]s|simulations?"
    r"|experiments?|validations?|verification|comparisons?|demonstrations?|performance|evidence|findings"
    r"|investigations?|applications?|observations?|set-?up|settings?)\b"
)

# "References" in other languages.
_FOREIGN_REFERENCES: Final = (
    r"literatur(?:verzeichnis|angaben)?|quellen(?:verzeichnis)?|referenzen|références?(?: bibliographiques?)?"
    r"|bibliograph?[ií]?[aei]|bibliografía|r[ei]fer[eê]nci[ae]s?(?: bibliográficas)?|riferimenti(?: bibliografici)?"
    r"|literatuur(?:lijst)?|referenties|refer(?:enser|anser|encer)|litteratur(?:liste|förteckning)?|källor|lähteet"
    r"|literatura|piśmiennictwo|použitá literatura|kaynak(?:ça|lar)|irodalom(?:jegyzék)?|daftar pustaka"
    r"|tài liệu tham khảo|список (?:использованной )?литературы|список використаних джерел|литература|література"
    r"|библиография|βιβλιογραφία|αναφορές|المراجع|منابع|ביבליוגרפיה|参\s*考\s*(?:文\s*献|资\s*料)|參\s*考\s*文\s*獻"
    r"|引用文献|文\s*献|참고\s*문헌"
)

_METHOD_WORD: Final = (
    r"(?:method(?:s|ology)?|approach|models?|architecture|algorithms?|framework|propos(?:e|ed|al)|setup|setting|training"
    r"|system|design)"
)

# The first match decides, so specific patterns come before general ones.
_KIND_PATTERNS: Final = tuple(
    (kind, re.compile(pattern, re.I))
    for kind, pattern in (
        (SectionKind.ABSTRACT, r"^(?:abstract|author summary|summary)$"),
        (
            SectionKind.REFERENCES,
            rf"^(?:(?:list of |notes (?:and|&) |cited |selected |bibliographic(?:al)? |literature )?references?"
            r"(?: cited| list)?|(?:selected |annotated )?bibliography|(?:literature|works|sources) (?:cited|consulted)"
            rf"|cited (?:works|literature)|{_FOREIGN_REFERENCES})"
            r"(?: (?:and|&) (?:notes|links|bibliography|(?:further|recommended) reading))?$",
        ),
        (SectionKind.ACKNOWLEDGEMENTS, r"^acknowledge?ments?\b|^funding\b|^author contributions?\b"),
        (SectionKind.CHECKLIST, r"\bchecklist\b"),
        (
            SectionKind.APPENDIX,
            r"^(?:appendix|appendices|supplement(?:ary|al)?\b|supporting information|extended data)",
        ),
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
            r"|^comparisons?(?:$| (?:with|to|against)\b)|\b(?:quantitative|qualitative) (?:analys[ie]s|comparisons?)\b"
            r"|^performance(?:$| (?:of|on|in)\b)|performance (?:analys[ie]s|comparisons?|assessment|study)"
            r"|\bparameter (?:sensitivity|analysis|study)\b",
        ),
        (
            SectionKind.CONCLUSION,
            r"^(?:conclusions?|concluding|discussions?|summary|limitations?|future work|outlook)\b",
        ),
        # Analyses of a trained method: "Model Analysis", "Analysis of the Learned Representation".
        (
            SectionKind.OTHER,
            rf"\b{_METHOD_WORD}(?: \w+)? analys[ie]s$|^analy(?:s[ie]s of|[sz]ing) .*\b(?:trained|learned|learnt)\b",
        ),
        (SectionKind.METHOD, rf"\b{_METHOD_WORD}\b|formulation|preliminar|background|notation"),
    )
)

_SPACED_LETTERS: Final = re.compile(r"(?:[^\W\d_] ){4,}[^\W\d_]")
_KINDS_AROUND_REFERENCES: Final = frozenset({SectionKind.CONCLUSION, SectionKind.APPENDIX, SectionKind.CHECKLIST})
_INHERITED_KINDS: Final = frozenset(SectionKind) - {SectionKind.ABSTRACT, SectionKind.INTRODUCTION, SectionKind.OTHER}
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


def strip_number_and_punctuation(heading: str) -> str:
    """Return the heading without its number and final punctuation: "3.2. Training:" gives "Training"."""
    return _NUMBER.sub("", heading.strip()).strip(" .:：\t") or heading.strip()


def has_roman_numbers(headings: Iterable[str]) -> bool:
    """Return whether headings have the Roman section numbers I and II."""
    numbers = {match[1] for heading in headings if (match := _ROMAN_NUMBER.match(heading))}
    return {"I", "II"} <= numbers


def has_letter_number(heading: str) -> bool:
    """Return whether a heading has a letter as its number, as in "B. Training"; the letters I, V and X do not count."""
    return bool(_LETTER_NUMBER.match(heading))


def classify_heading(heading: str, parent: SectionKind | None = None) -> SectionKind:
    """Return the kind of a section; `parent` is the kind of the section around it, None at the top level.

    A subsection usually has the kind of its parent. In four cases its own heading decides:

    - The heading names ablations or acknowledgements.
    - The heading names results, and the parent is a method.
    - The heading names references, and the parent is a conclusion, an appendix or a checklist, or the other way round.
    - The parent is an abstract, an introduction or OTHER. However, "Our Results" in an introduction is introduction.
    """
    kind = _classify_without_parent(heading)
    if kind in (SectionKind.ABLATION, SectionKind.ACKNOWLEDGEMENTS) or parent is None:
        return kind
    if SectionKind.REFERENCES in (kind, parent) and _KINDS_AROUND_REFERENCES & {kind, parent}:
        return kind
    is_experiments = kind is SectionKind.EXPERIMENTS
    if is_experiments and parent is SectionKind.METHOD and not is_measurement_setup_heading(heading):
        return kind
    if is_experiments and parent is SectionKind.INTRODUCTION:
        return parent  # "Our Results" among the contributions
    return parent if parent in _INHERITED_KINDS else kind


def is_measurement_setup_heading(heading: str) -> bool:
    """Return whether a heading, such as "Evaluation Metrics", is about measurement and not about results."""
    text = _remove_misleading_terms(heading)
    return bool(_MEASUREMENT.search(text)) and not _RESULTS.search(text)


@lru_cache(maxsize=4096)  # each heading is classified several times, and papers share many
def _classify_without_parent(heading: str) -> SectionKind:
    text = _remove_misleading_terms(heading)
    kind = next((kind for kind, pattern in _KIND_PATTERNS if pattern.search(text)), SectionKind.OTHER)
    keeps_kind = kind in (SectionKind.ABLATION, SectionKind.REFERENCES, SectionKind.CHECKLIST)
    return SectionKind.APPENDIX if _APPENDIX.match(heading) and not keeps_kind else kind


def _remove_misleading_terms(heading: str) -> str:
    text = strip_number_and_punctuation(heading)
    text = _MISLEADING_TERMS.sub(" ", text.replace(" ", "") if _SPACED_LETTERS.fullmatch(text) else text)
    return (_MEANS_OF_MEASUREMENT.sub(" ", text) if _MAKING.search(text) else text).strip()


def find_abstract_text(sections: Sequence[Section]) -> str:
    """Return the text of the abstract without its heading, or "" if there is no abstract.

    The abstract is the section "Abstract" with its subsections. If there is none, it is an early paragraph that begins
    with the word "Abstract".
    """
    names = [strip_number_and_punctuation(section.heading) for section in sections]
    marked = (
        index
        for index, (section, name) in enumerate(zip(sections, names, strict=True))
        if section.kind is SectionKind.ABSTRACT and name.casefold() in ("abstract", "summary")
    )
    first = next(marked, None)
    if first is None:
        return _find_unmarked_abstract(sections)
    texts = [_join_prose(sections[first])]
    for section, name in zip(sections[first + 1 :], names[first + 1 :], strict=True):
        if section.level <= sections[first].level or _NOT_ABSTRACT.match(name):
            break
        if text := _join_prose(section):
            texts.append(f"{name}: {text}")
    return _AFTER_ABSTRACT.split("\n\n".join(filter(None, texts)))[0].strip()


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


def _join_prose(section: Section) -> str:
    return "\n\n".join(block.text for block in section.blocks if block.kind is BlockKind.PROSE)
