"""Recognise sentences, captions and headings that report an ablation."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from planner.schema import Action

_MAIN_CLAUSE: Final = re.compile(r",\s(?:the|our|we|it|this|that|there|an?)\s.*")
_WORDS: Final = r"[^.;:()\n]{2,90}(?!\w)"
_REMOVING: Final = re.compile(
    r"(?<![\w-])(?:without|w/o|remov(?:e|es|ed|ing|al of)|discard(?:s|ed|ing)?|drop(?:s|ped|ping)?|"
    r"disabl(?:e|es|ed|ing)|eliminat(?:e|es|ed|ing)|omit(?:s|ted|ting)?|ablat(?:e|es|ed|ing)|skip(?:s|ped|ping)?|mask(?:ed|ing)?|"
    r"ignor(?:e|es|ed|ing)|exclud(?:e|es|ed|ing)|turn(?:ing)? off|absence of)\s+(?!out\b|[a-z]+ly\b|them\b)"
    rf"({_WORDS})",
    re.I,
)
_REMOVED: Final = re.compile(
    r"\b[Tt]he ([^.;:(),]{3,60}?) (?:is|are|was|were) (?:removed|discarded|dropped|disabled|omitted|ablated|excluded)\b"
)
_REMOVED_ITEM: Final = re.compile(
    r"[:(]\**\s*([A-Z][^.;:(),&]{3,60}?) (?:is )?(?:removed|dropped|disabled|omitted|excluded)\b"
)
_ADDING: Final = re.compile(
    r"\b(?:[Aa]dding|[Ii]ncluding|[Ii]ncorporating) ([^.;:(),]{3,60}?) "
    r"(?:(?:further|also|only|greatly|significantly|consistently|slightly) )?"
    r"(?:helps?|improves?|increases?|boosts?|raises?|lowers?|reduces?|hurts?|degrades?|yields?|brings?)\b"
)
_ONLY: Final = re.compile(
    r"\bonly\b[^.;:]{1,80}?\bbut not (?:to |the )?([^.;:(),]{3,60}?)(?=\s+(?:and|or)\b|[.;:(),]|$)"
)
_WHOLE_METHODS: Final = r"\b(?:methods|models|baselines|approaches|algorithms|systems|work)\b"
_COMPARED: Final = re.compile(rf"^Compar(?:ing|isons? of) (?!.*{_WHOLE_METHODS})([^.;:]{{3,60}})$", re.I)
_KINDS: Final = re.compile(
    r"(?:\b(?:table|figure|fig\.) \w+[.:]\s*|\\caption\{\s*(?:\\textbf\{)?|^)([A-Z][^.:]{3,60}?)[ -]"
    r"(?:strategies|variants|choices|options|schemes|alternatives)\s*(?:[.:}]|$)",
    re.I,
)
_REPLACING: Final = re.compile(
    r"\b(?:replac|substitut)(?:e|es|ed|ing)\s+([^.;:(),]{3,80}?)\s+(?:with|by)\s+([^.;:(),]{3,80})", re.I
)
_REPLACED: Final = re.compile(
    r"\b[Tt]he ([^.;:(),]{3,60}?) (?:is|are|was|were) (?:replaced|substituted) (?:with|by) ([^.;:(),]{3,80})"
)
_INSTEAD: Final = re.compile(
    r"\b(?:us(?:e|es|ed|ing)|with)\s+([^.;:(),]{3,60}?)\s+instead of\s+([^.;:(),]{3,60})", re.I
)
_DATA_SET: Final = r"\s(?-i:[A-Z]\S*[A-Z0-9][\w-]*\W*(?:[.:}]|$))"  # "ablation study on AlpineOwls12."
_STUDIED: Final = re.compile(
    r"\b(?:(?:effect(?:s|iveness)?|impacts?|influences?|contributions?|roles?|importance|necessity|benefits?|choices?|"
    r"validity) (?:of|for|from)|sensitivity (?:of(?! [^.;:()]{1,40} to )|(?:of [^.;:()]{1,40} )?to)|"
    rf"(?:ablat\w*|stud(?:y|ies)) (?:of|to|for|from|on(?!{_DATA_SET})))\s+"
    rf"({_WORDS})",
    re.I,
)
_VARIED: Final = re.compile(
    r"\b(?:var(?:y|ies|ied|ying)|different(?= [\w-]+ [\w-])|tun(?:e|ed|ing)|sweep(?:ing)?|sensitive to|"
    r"robust (?:to|against)|values? of|settings? of|analysis of)\s+"
    rf"({_WORDS})",
    re.I,
)
_SYMBOL_SET: Final = re.compile(r"\b[Ss]et(?:ting)?\s+(?:the\s+)?([^.;:(),=]{1,40}?)\s*(?:=|to)\s*\{?[\d.]")


@dataclass(frozen=True, slots=True)
class AblationPhrase:
    """An ablation in the words of a text; `part` starts `start` characters into it, and `replacement` may be ""."""

    part: str
    action: Action
    replacement: str
    start: int


# Words of which one must occur where a pattern fits; to look for them takes a fraction of the pattern's time.
_REMOVAL_CUES: Final = (
    *("without", "w/o", "remov", "discard", "drop", "disabl", "eliminat", "omit", "ablat", "skip", "mask", "ignor"),
    *("exclud", "turn", "absence"),
)
_STUDY_CUES: Final = (
    *("effect", "impact", "influence", "contribution", "role", "importance", "necessity", "benefit", "choice"),
    *("validity", "sensitivity", "ablat", "study", "studies"),
)
_VARIATION_CUES: Final = (
    *("vary", "varies", "varied", "different", "tun", "sweep", "sensitive to", "robust ", "value", "setting"),
    *("analysis of", "set "),
)


def contains_any(text: str, words: Iterable[str]) -> bool:
    """Return whether a text, in any case, contains one of the words, which are in lower case."""
    lowered = text.lower()
    for word in words:  # noqa: SIM110 - a generator would take twice the time, and this runs for every sentence
        if word in lowered:
            return True
    return False


def find_removals_and_replacements(text: str) -> Iterator[AblationPhrase]:
    """Yield parts that sentences report as removed or replaced."""
    for pattern in (_REMOVING, _REMOVED, _REMOVED_ITEM) if contains_any(text, _REMOVAL_CUES) else ():
        yield from (AblationPhrase(_cut_main_clause(m), Action.REMOVE, "", m.start(1)) for m in pattern.finditer(text))
    for pattern in (_REPLACING, _REPLACED) if contains_any(text, ("replac", "substitut")) else ():
        yield from (AblationPhrase(m[1], Action.REPLACE, m[2], m.start(1)) for m in pattern.finditer(text))
    if contains_any(text, ("instead of",)):
        yield from (AblationPhrase(m[2], Action.REPLACE, m[1], m.start(2)) for m in _INSTEAD.finditer(text))


def find_useful_parts(text: str) -> Iterator[AblationPhrase]:
    """Yield parts whose addition helps or hurts, or that a variant lacks ("sees only A, but not B")."""
    for pattern in (
        (_ADDING, _ONLY) if contains_any(text, ("adding ", "including ", "incorporating ", "but not")) else ()
    ):
        yield from (AblationPhrase(m[1], Action.REMOVE, "", m.start(1)) for m in pattern.finditer(text))


def find_compared_parts(title: str) -> Iterator[AblationPhrase]:
    """Yield parts whose kinds a heading or caption compares: "Comparing input features", "Router strategies"."""
    for pattern in (_COMPARED, _KINDS):
        yield from (AblationPhrase(m[1], Action.REPLACE, "", m.start(1)) for m in pattern.finditer(title))


def find_studied_parts(text: str) -> Iterator[AblationPhrase]:
    """Return the parts whose effect sentences, captions or headings report as studied."""
    matches = _STUDIED.finditer(text) if contains_any(text, _STUDY_CUES) else ()
    return (AblationPhrase(m[1], Action.REMOVE, "", m.start(1)) for m in matches)


def find_varied_parts(text: str) -> Iterator[AblationPhrase]:
    """Yield choices and values that sentences report as varied."""
    for pattern in (_VARIED, _SYMBOL_SET) if contains_any(text, _VARIATION_CUES) else ():
        yield from (AblationPhrase(m[1], Action.REPLACE, "", m.start(1)) for m in pattern.finditer(text))


def _cut_main_clause(match: re.Match[str]) -> str:
    """Return the part in a match: "the gate" of "Without the gate, the model fails", whose main clause is cut off."""
    return _MAIN_CLAUSE.sub("", match[1]) if match[0].startswith("Without") else match[1]
