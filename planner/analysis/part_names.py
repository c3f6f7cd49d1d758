"""Tell the names of parts of a method from the names of other things: data sets, metrics, tasks, the whole method."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from planner.analysis.components import Component
from planner.analysis.metrics import is_metric_name
from planner.analysis.passages import Passage
from planner.analysis.phrases import is_generic_name
from planner.matching.similarity import extract_stems

_WORD: Final = r"(?:[\w/+-]|\.\d){0,40}"
_DATA_NAME: Final = rf"(?:[A-Z]{_WORD}(?: [A-Z0-9]{_WORD}){{0,2}}|[a-z]{{1,20}}-[A-Z]\w{{1,40}})"
_DATA_SET: Final = re.compile(
    rf"\b({_DATA_NAME}) (?:data ?sets?|benchmarks?|corpus|corpora)\b"
    rf"|\b(?:[Dd]ata ?sets?|[Bb]enchmarks?|[Cc]orpora)(?: \([^()]{{0,60}}\))?(?::|,? (?:such as|including|namely))"
    rf" ({_DATA_NAME}(?:(?:, and |, | and ){_DATA_NAME}){{0,9}})"
)
_DATA_CUES: Final = ("ataset", "ata set", "enchmark", "corpus", "orpora")  # quicker to look for than the pattern
_MIN_TITLE_COVER: Final = 0.4  # least share of a title's words in the name of the whole method
_ENUMERATION: Final = re.compile(r", and |, | and ")
_VERSION: Final = re.compile(r" \d+[kK]?$")
_NO_NAME: Final = re.compile(
    r"learning rates?|batch size|weight decay|(?:number of )?epochs|random seeds?|initial learning rate|"
    r"first|second|third|fourth|last|former|latter|rows?|columns?|R?Q\d+|[a-z] \\.*"
    r"|(?i:.*\b(?:data ?sets?|benchmarks?|baselines|algorithms|methods|approaches|combinations|experiments|results)\??)"
)


def find_other_names(title: str, passages: Iterable[Passage], components: Iterable[Component]) -> frozenset[str]:
    """Return the names, in lower case, that the text gives to data sets and to the whole method."""
    opening, colon, _ = title.partition(":")
    names = {word for word in opening.split() if colon and sum(map(str.isupper, word)) > 1}
    for component in components:
        if component.acronym and component.is_subject_of(title) and _covers(component.name, title):
            names |= {component.name, component.acronym}
    for passage in passages:
        names.update(find_data_sets(passage.one_line_text))
    return frozenset(name.lower() for name in (*names, *(_VERSION.sub("", name) for name in names)))


def _covers(name: str, title: str) -> bool:
    """Return whether a name holds so much of a title that it is the name of the whole method."""
    words = set(extract_stems(title))
    return len(words & set(extract_stems(name))) >= _MIN_TITLE_COVER * len(words)


def find_data_sets(text: str) -> Iterator[str]:
    """Yield the names that a text gives to data sets: "the Alps dataset", "data sets such as Alps and Jura"."""
    for match in _DATA_SET.finditer(text) if any(cue in text for cue in _DATA_CUES) else ():
        yield from (name for name in _ENUMERATION.split(match[1] or match[2]) if not is_generic_name(name))


def is_possible_part(name: str, other_names: frozenset[str]) -> bool:
    """Return whether a name may be that of a part: no metric, and not made of general words and `other_names` alone."""
    if _NO_NAME.fullmatch(name) or is_metric_name(name) or name.lower() in other_names:
        return False
    return not is_generic_name(" ".join(word for word in name.split() if word.lower() not in other_names))
