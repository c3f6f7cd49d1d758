"""Find the components of a method, each with the kinds of evidence for it.

A text names components in headings, in bold, by acronym, after "we propose", as hyperparameters, or repeatedly.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Final

from planner.analysis.passages import Passage, TextLocation, strip_markup
from planner.analysis.phrases import (
    LEADING_FILLERS,
    KnownNames,
    extract_bare_name,
    find_defined_acronyms,
    is_generic_name,
    locate_run_in_headings,
)
from planner.matching import STOP_WORDS, extract_stem_set, extract_stems, split_into_word_set, split_words
from planner.papers.headings import strip_number_and_punctuation
from planner.papers.paper import BlockKind, SectionKind

_BOLD: Final = re.compile(
    r"\*\*([^*\n]{3,80})\*\*|\\(?:textbf|paragraph\*?)\s*\{([^{}\n]{3,80})\}"
    r"|\\(?:emph|textit)\s*\{([^{}\s]+\s[^{}\n]{1,80})\}"  # one word alone is more often an emphasis than a name
)
_PROPOSED: Final = re.compile(
    r"\b(?:[Ww]e|our (?:method|model|approach|framework))\s+"
    r"(?:(?:further|also|then|first|therefore|thus|here|instead|additionally|next)\s+){0,2}"
    r"(?:propose[sd]?|introduce[sd]?|design(?:ed|s)?|develop(?:ed|s)?|devised?|present(?:ed|s)?|employ(?:ed|s)?|"
    r"adopt(?:ed|s)?|incorporated?|add(?:ed)?|construct(?:ed)?|utili[sz]ed?|use[sd]?|leveraged?|appl(?:y|ied))\s+"
    r"(?=(?:an?|the|our|two|three|novel|new)\b)([^.;:,()\n\[]{4,90})(?!\w)"
)
_MECHANISMS: Final = split_into_word_set(
    """
    adaptation adapter adaption aggregation aggregator alignment annealing attention augmentation backbone block
    branch classifier clustering codebook component constraint controller convolution criterion curriculum decoder
    decomposition discriminator disentanglement disentangler distillation dropout embedding embeddings encoder
    encoding enhancement ensemble estimator filter filtering fusion gate gates gating generator head initialization
    interpolation kernel kernels layer layers loss losses mapper mask masking matching mechanism memory mixup module
    network normalization objective operator optimization optimizer penalty phase policy pooling pre-training
    pretraining prior projection prompt pruning quantization reconstruction refinement refiner regularization
    regularizer reranking retrieval router routing sampler sampling schedule scheduler selection smoothing stage
    step strategy training transformation transformer tree tuning unit units voting warmup weighting weights
    """
)
_KIND_WORDS: Final = split_into_word_set("method model module scheme technique")  # may follow a mechanism's name
# "Label converter", but not words that end so and name no device.
_AGENT: Final = re.compile(
    r"(?!(?:\w*meter|user|\w*order|together|error|vector|tensor|number|factor|paper|author|power|center|cluster|behaviou?r|posterior|"
    r"answer|computer|character|learner|player|teacher|server|customer|transfer|color|further|lower|upper|higher|better|"
    r"larger|smaller|newer|other|whether|never|rather|former|neighbor)$)[a-z]{3,}[bcdfghklmnprstvz](?:er|or)s?"
)
_CITED: Final = re.compile(
    r"[^()]{0,5}\([^()]*\)[^\w\\\[<(]{0,3}(?:\(?[A-Z][\w-]+ (?:et al|and [A-Z]|\()|\\cite|\[@?\d|\[@|<dt-cite)"
)
_SYMBOL: Final = r"\$?(?:[α-ωΑ-Ω]|\\[a-z]{2,8})[\w′'{}^]{0,8}\$?"
_KIND: Final = r"hyper-?parameters?|coefficient|threshold|temperature|margin|trade-?off|weighting factor"
_SYMBOL_START: Final = re.compile(r"[α-ωΑ-Ω]|\\[a-z]{2}")
_KIND_WORD: Final = re.compile(rf"{_KIND}|ratio|loss weight")
_HYPERPARAMETER: Final = re.compile(
    rf"\b((?:[\w-]{{1,40}} )?(?:{_KIND}|ratio)(?: parameters?)?) ({_SYMBOL})(?!\w)"
    rf"|({_SYMBOL}) (?:is|are|denotes?|controls?) (?:an? |the )?((?:[\w-]{{1,40}} ){{0,3}}?(?:{_KIND}|loss weight))\b"
)
_TOKEN: Final = re.compile(r"[^\W\d_][\w-]*|[^\w\s]")
_MIN_REPEATS: Final = 3
_MAX_PHRASE_WORDS: Final = 4
_MIN_TITLE_SHARE: Final = 0.75  # least share of a component's name in the title at which it is the whole method
_MIN_TITLE_COVER: Final = 0.4  # least share of a title's words in the name of the whole method
_COMPONENT_SECTIONS: Final = frozenset(
    {SectionKind.ABSTRACT, SectionKind.INTRODUCTION, SectionKind.METHOD, SectionKind.OTHER, SectionKind.CONCLUSION}
)

# Words that papers may omit from a name: "gated fusion" is the "gated fusion module".
_OPTIONAL_WORDS: Final = extract_stem_set("module mechanism strategy unit layer block network method technique")


class EvidenceKind(StrEnum):
    """The kind of evidence in a text that something is a component."""

    HEADING = "heading"
    RUN_IN = "run-in heading"
    BOLD = "bold"
    ACRONYM = "acronym"
    PROPOSED = "proposed"
    REPEATED = "repeated"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class Component:
    """A named part of a method; `acronym` may be "".

    `mention_count` counts the mentions of its name or acronym outside related work, experiments and appendices.
    """

    name: str
    acronym: str
    location: TextLocation
    evidence_kinds: frozenset[EvidenceKind]
    mention_count: int = 0

    @property
    def label(self) -> str:
        """The name with its acronym: "gated fusion unit (GFU)"."""
        return f"{self.name} ({self.acronym})" if self.acronym else self.name

    def is_subject_of_title(self, title: str) -> bool:
        """Return whether a title names this component, which is then the whole method or its subject."""
        name = extract_stem_set(self.name)
        return len(name) > 1 and len(name & extract_stem_set(title)) >= _MIN_TITLE_SHARE * len(name)

    def is_whole_method(self, title: str) -> bool:
        """Return whether a component with an acronym has so many words of a title that it must be the whole method."""
        words, name = extract_stem_set(title), extract_stem_set(self.name)
        is_covered = len(words & name) >= _MIN_TITLE_COVER * len(words)
        return bool(self.acronym) and is_covered and self.is_subject_of_title(title)


def is_specific_mechanism(name: str) -> bool:
    """Return whether a name says which mechanism it means: "gated fusion unit", but not "unit" or "fusion task"."""
    *others, head = map(str.lower, split_words(name.partition(" of ")[0]) or [""])
    if others and head in _KIND_WORDS:
        *others, head = others
    is_device = head in _MECHANISMS or _AGENT.fullmatch(head) is not None
    return is_device and not is_generic_name(" ".join(others))


def find_components(passages: Sequence[Passage], *, with_mention_counts: bool = True) -> tuple[Component, ...]:
    """Find the components that the passages name, each once, in the order of their first appearance.

    Counting mentions takes most of the time; without `with_mention_counts`, each `mention_count` is 0.
    """
    passages = [passage for passage in passages if passage.section_kind in _COMPONENT_SECTIONS]
    candidates = [candidate for passage in passages for candidate in _find_candidates(passage)]
    method = [passage for passage in passages if passage.is_in_method and passage.block_kind is not BlockKind.HEADING]
    candidates += _find_repeated_mechanisms(method)
    merged = _merge_candidates(each for each in candidates if each.name and not is_generic_name(each.name))
    merged = _count_mentions(merged, passages) if with_mention_counts else merged
    return tuple(sorted(merged, key=lambda component: component.location.paper_offset))


def _find_candidates(passage: Passage) -> Iterator[Component]:
    text, line = passage.text, passage.one_line_text
    if passage.block_kind is BlockKind.HEADING:
        if passage.is_in_method and passage.level > 1:
            heading = strip_number_and_punctuation(strip_markup(passage.heading))
            yield _build_component(passage, extract_bare_name(heading), 0, EvidenceKind.HEADING)
        return
    for acronym in find_defined_acronyms(line):
        if _CITED.match(line, acronym.expansion_end):
            continue  # another paper's method
        location = passage.locate_text(acronym.expansion, acronym.expansion_start)
        name = strip_markup(acronym.expansion)
        yield Component(name, acronym.abbreviation, location, frozenset({EvidenceKind.ACRONYM}))
    named_phrases = [(EvidenceKind.PROPOSED, _locate_phrases_after_we(line))]
    if passage.is_in_method or passage.section_kind is SectionKind.INTRODUCTION:
        named_phrases.append((EvidenceKind.BOLD, _locate_emphasized_terms(text)))
    if passage.is_in_method:
        named_phrases.append((EvidenceKind.RUN_IN, locate_run_in_headings(text)))
    for evidence, phrases in named_phrases:
        for phrase, start in phrases:
            yield _build_component(passage, extract_bare_name(phrase), start, evidence)
    for symbol, start in _locate_hyperparameters(line) if passage.is_in_method else ():
        yield _build_component(passage, symbol, start, EvidenceKind.SYMBOL)


def _build_component(passage: Passage, name: str, start: int, evidence: EvidenceKind) -> Component:
    return Component(name, "", passage.locate_text(name, start), frozenset({evidence}))


def _locate_emphasized_terms(text: str) -> Iterator[tuple[str, int]]:
    """Return the terms in bold or italics of Markdown or LaTeX, with their offsets."""
    return ((match[match.lastindex or 0], match.start(match.lastindex or 0)) for match in _BOLD.finditer(text))


def _locate_phrases_after_we(text: str) -> Iterator[tuple[str, int]]:
    """Return the words after "we propose", "we use" and the like, with their offsets."""
    return ((match[1], match.start(1)) for match in _PROPOSED.finditer(text))


def _locate_hyperparameters(text: str) -> Iterator[tuple[str, int]]:
    """Yield symbols that the text calls a coefficient, threshold or the like ("threshold τ"), with offsets."""
    for match in _HYPERPARAMETER.finditer(text) if _SYMBOL_START.search(text) and _KIND_WORD.search(text) else ():
        kind, symbol = (match[1], match[2]) if match[1] else (match[4], match[3])
        first, _, rest = kind.partition(" ")
        yield f"{rest if rest and first.lower() in STOP_WORDS else kind} {symbol}", match.start()


def _find_repeated_mechanisms(passages: Iterable[Passage]) -> Iterator[Component]:
    """Yield repeated phrases that end in a word for a mechanism ("independence loss"), each at its first place."""
    first_mentions: dict[tuple[str, ...], Component] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for passage in passages:
        for phrase, start in _find_mechanisms(passage.one_line_text):
            key = extract_stems(phrase)
            counts[key] += 1
            if key not in first_mentions:
                first_mentions[key] = _build_component(passage, phrase, start, EvidenceKind.REPEATED)
    return (first_mentions[key] for key, count in counts.items() if len(key) > 1 and count >= _MIN_REPEATS)


def _find_mechanisms(text: str) -> Iterator[tuple[str, int]]:
    words = list(map(str.lower, _TOKEN.findall(text)))
    ends = [number for number, word in enumerate(words) if word in _MECHANISMS]
    tokens = list(_TOKEN.finditer(text)) if ends else []
    for end in ends:
        first = end
        while first > max(0, end - _MAX_PHRASE_WORDS + 1) and _is_phrase_word(words[first - 1]):
            first -= 1
        if first < end:
            yield text[tokens[first].start() : tokens[end].end()], tokens[first].start()


def _is_phrase_word(word: str) -> bool:
    return word[0].isalpha() and word not in STOP_WORDS and word not in LEADING_FILLERS


def _merge_candidates(candidates: Iterable[Component]) -> list[Component]:
    """Merge two candidates if their names have the same stems, or if one name contains the other's acronym."""
    merged: dict[tuple[str, ...], Component] = {}
    by_acronym: dict[str, tuple[str, ...]] = {}
    for candidate in candidates:
        key = _build_merge_key(candidate, by_acronym)
        known = merged.get(key, candidate)
        merged[key] = replace(
            known,
            acronym=known.acronym or candidate.acronym,
            evidence_kinds=known.evidence_kinds | candidate.evidence_kinds,
        )
        if candidate.acronym:
            by_acronym.setdefault(candidate.acronym, key)
    return list(merged.values())


def _build_merge_key(candidate: Component, by_acronym: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    for word in (candidate.acronym, *candidate.name.split()):
        if word in by_acronym:
            return by_acronym[word]
    key = extract_stems(candidate.name)
    return tuple(stem for stem in key if stem not in _OPTIONAL_WORDS) or key


def _count_mentions(components: Sequence[Component], passages: Sequence[Passage]) -> list[Component]:
    index = KnownNames((component.name, component.acronym) for component in components)
    counts = Counter(number for passage in passages for number, _ in index.locate_mentions(passage.text))
    return [replace(component, mention_count=counts[number]) for number, component in enumerate(components)]


_WORD: Final = r"(?:[\w/+-]|\.\d){0,40}"
_DATA_NAME: Final = rf"(?:[A-Z]{_WORD}(?: [A-Z0-9]{_WORD}){{0,2}}|[a-z]{{1,20}}-[A-Z]\w{{1,40}})"
_DATA_SET: Final = re.compile(
    rf"\b({_DATA_NAME}) (?:data ?sets?|benchmarks?|corpus|corpora)\b"
    rf"|\b(?:[Dd]ata ?sets?|[Bb]enchmarks?|[Cc]orpora)(?: \([^()]{{0,60}}\))?(?::|,? (?:such as|including|namely))"
    rf" ({_DATA_NAME}(?:(?:, and |, | and ){_DATA_NAME}){{0,9}})"
)
_DATA_CUES: Final = ("ataset", "ata set", "enchmark", "corpus", "orpora")  # quicker to look for than the pattern
_OURS: Final = re.compile(r"([A-Z][\w-]{1,40})\}?\s{0,2}\((?i:ours|proposed|full)\)")  # "SLACK (ours)" in a table
_ENUMERATION: Final = re.compile(r", and |, | and ")
_VERSION: Final = re.compile(r" \d+[kK]?$")


def _find_data_set_names(text: str) -> Iterator[str]:
    """Yield the names that a text gives to data sets: "the Alps dataset", "data sets such as Alps and Jura"."""
    for match in _DATA_SET.finditer(text) if any(cue in text for cue in _DATA_CUES) else ():
        yield from (name for name in _ENUMERATION.split(match[1] or match[2]) if not is_generic_name(name))


class ComponentNames:
    """The names of a method's components; the slow search for components runs only when a name is first needed.

    A component that the paper's title names is left out, because it is the whole method or its subject.
    """

    def __init__(self, find_components: Callable[[], Iterable[Component]], title: str = "") -> None:
        self._find_components = find_components
        self._title = title

    @cached_property
    def _all_components(self) -> tuple[Component, ...]:
        return tuple(self._find_components())

    @cached_property
    def _components(self) -> list[Component]:
        return [component for component in self._all_components if not component.is_subject_of_title(self._title)]

    @cached_property
    def _parts(self) -> list[Component]:
        """The components, without unspecific names for which an acronym is the only evidence."""
        return [
            c for c in self._components if c.evidence_kinds != {EvidenceKind.ACRONYM} or is_specific_mechanism(c.name)
        ]

    @cached_property
    def _index(self) -> KnownNames:
        return KnownNames((part.name, part.acronym) for part in self._parts)

    @cached_property
    def _labels(self) -> dict[tuple[str, ...], str]:
        return {extract_stems(name): c.label for c in self._components for name in (c.name, c.acronym) if name}

    def find_non_part_names(self, passages: Sequence[Passage]) -> frozenset[str]:
        """Return the names, in lower case, that the passages give to data sets and to the whole method."""
        opening, colon, _ = self._title.partition(":")
        names = {word for word in opening.split() if colon and sum(map(str.isupper, word)) > 1}
        for component in self._all_components:
            if component.is_whole_method(self._title):
                names |= {component.name, component.acronym}
        for passage in passages:
            names.update(_find_data_set_names(passage.one_line_text))
            names.update(match[1] for match in _OURS.finditer(passage.text))
        return frozenset(name.lower() for name in (*names, *(_VERSION.sub("", name) for name in names)))

    def label_part(self, part: str) -> str:
        """Return the label of the component that `part` names, or `part` itself if it names none."""
        return self._labels.get(extract_stems(part), part)

    def locate_mentions(self, text: str) -> Iterator[tuple[str, int]]:
        """Yield the label of each part of the method that a text names, and its offset."""
        return ((self._parts[number].label, start) for number, start in self._index.locate_mentions(text))
