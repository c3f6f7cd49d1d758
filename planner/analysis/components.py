"""Components that a method names: in headings, in bold, with an acronym, by "we propose …", or again and again."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from planner.analysis.passages import Found, Passage, bare_markup
from planner.analysis.phrases import LEADING, PHRASE_END, is_generic, noun_phrase, run_in_headings
from planner.matching.words import STOP_WORDS, stems, word_set, words
from planner.papers.headings import bare
from planner.papers.paper import BlockKind, SectionKind


class Source(StrEnum):
    """How a text shows that something is a component."""

    HEADING = "heading"
    RUN_IN = "run-in heading"
    BOLD = "bold"
    ACRONYM = "acronym"
    PROPOSED = "proposed"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Component:
    """A named part of a method; `mentions` counts its name and its acronym in the whole text, `acronym` may be ""."""

    name: str
    acronym: str
    found: Found
    sources: frozenset[Source]
    mentions: int = 0

    @property
    def label(self) -> str:
        """The name with its acronym: "gated fusion unit (GFU)"."""
        return f"{self.name} ({self.acronym})" if self.acronym else self.name


_HEADS: Final = (
    "adapter|aggregation|aggregator|alignment|annealing|attention|augmentation|branch|clustering|codebook|constraint|"
    "convolution|correction|criterion|curriculum|decoder|decomposition|discriminator|disentangler|disentanglement|"
    "distillation|dropout|embedding|embeddings|encoder|encoding|ensemble|enhancement|estimator|filter|filtering|fusion|"
    "gate|gating|generator|graph|head|initialization|interpolation|kernel|kernels|learning|loss|mapper|mask|masking|"
    "matching|mechanism|memory|mixup|module|network|normalization|objective|optimization|penalty|pooling|pretraining|"
    "pre-training|prior|projection|prompt|pruning|quantization|reconstruction|refinement|refiner|regularization|"
    "regularizer|reranking|retrieval|router|routing|sampler|sampling|scheduler|schedule|selection|smoothing|strategy|"
    "transformer|unit|voting|warmup|weighting|weights"
)
_HEAD_WORDS: Final = frozenset(_HEADS.split("|"))

_EVERYDAY_ACRONYMS: Final = word_set(
    """
    AI API BERT BN CE CNN CPU DL DNN EM FC FFN GAN GCN GNN GPT GPU GRU KL KNN LLM LN LR LSTM MAE ML MLP MSE NLP
    ODE PCA PDF RELU RGB RL RNN SGD SOTA SVM VAE VIT VQA
    """
)
_ACRONYM: Final = re.compile(r"\(\s*(?:[a-z. ]{0,12},\s*)?([A-Z][A-Za-z0-9-]{1,9}?)s?\s*\)")
_BOLD: Final = re.compile(r"\*\*([^*\n]{3,80})\*\*|\\(?:textbf|emph|textit|paragraph\*?)\s*\{([^{}\n]{3,80})\}")
_PROPOSE: Final = re.compile(
    r"\b(?:[Ww]e|our (?:method|model|approach|framework))\s+"
    r"(?:(?:further|also|then|first|therefore|thus|here|instead|additionally|next)\s+)*"
    r"(?:propose[sd]?|introduce[sd]?|design(?:ed|s)?|develop(?:ed|s)?|devised?|present(?:ed|s)?|employ(?:ed|s)?|adopt(?:ed|s)?|"
    r"incorporated?|add(?:ed)?|construct(?:ed)?|utili[sz]ed?|use[sd]?|leveraged?|appl(?:y|ied))\s+"
    r"(?=(an?|the|our|two|three|novel|new)\b)([^.;:,()\n\[]{4,90})"
)
_LEAST_REPEATS: Final = 3


def components(passages: Sequence[Passage]) -> tuple[Component, ...]:
    """Components that the passages name, in the order in which they first appear; each has one entry."""
    readable = [p for p in passages if p.kind not in _SILENT]
    merged = _merge(_candidates(readable))
    counted = _counted(merged, " ".join(p.flat for p in readable))
    return tuple(sorted(counted, key=lambda c: c.found.offset))


_SILENT: Final = frozenset(
    {
        SectionKind.RELATED_WORK,
        SectionKind.REFERENCES,
        SectionKind.ACKNOWLEDGEMENTS,
        SectionKind.CHECKLIST,
        SectionKind.EXPERIMENTS,
        SectionKind.APPENDIX,
        SectionKind.ABLATION,
    }
)


def _candidates(passages: Sequence[Passage]) -> Iterator[Component]:
    for passage in passages:
        if passage.block is BlockKind.HEADING:
            if passage.in_method and passage.level > 1:
                yield from _named(passage, Source.HEADING, [(bare(bare_markup(passage.text)), 0)])
            continue
        yield from _acronyms(passage)
        yield from _named(passage, Source.PROPOSED, ((m[2], m.start(2)) for m in _PROPOSE.finditer(passage.flat)))
        if passage.in_method or passage.kind is SectionKind.INTRODUCTION:
            yield from _named(passage, Source.BOLD, ((m[1] or m[2], m.start()) for m in _BOLD.finditer(passage.text)))
        if passage.in_method:
            yield from _named(passage, Source.RUN_IN, run_in_headings(passage.text))
    yield from _repeated(passages)


def _named(passage: Passage, source: Source, spans: Iterable[tuple[str, int]]) -> Iterator[Component]:
    for text, start in spans:
        name = noun_phrase(text)
        if name and not is_generic(name):
            yield Component(name, "", passage.found(name, start), frozenset({source}))


def _acronyms(passage: Passage) -> Iterator[Component]:
    for match in _ACRONYM.finditer(passage.flat):
        acronym = match[1]
        if acronym.upper() in _EVERYDAY_ACRONYMS or sum(c.isupper() for c in acronym) < 2:
            continue
        before = passage.flat[max(0, match.start() - 120) : match.start()]
        expansion = expand(acronym, before)
        if expansion and not is_generic(expansion):
            start = match.start() - len(before) + before.rfind(expansion)
            yield Component(expansion, acronym, passage.found(expansion, start), frozenset({Source.ACRONYM}))


def expand(acronym: str, before: str) -> str:
    """The words at the end of `before` that an acronym stands for, "" if none fit.

    The letters are looked for from the last to the first, and the first one must begin a word
    (Schwartz and Hearst, "A simple algorithm for identifying abbreviation definitions", PSB 2003).
    """
    at = len(before)
    letters = [c.lower() for c in acronym if c.isalnum()]
    for number, letter in reversed(list(enumerate(letters))):
        at = before.lower().rfind(letter, 0, at)
        while number == 0 and at > 0 and before[at - 1].isalnum():
            at = before.lower().rfind(letter, 0, at)
        if at < 0:
            return ""
    expansion = before[at:].strip()
    if len(expansion.split()) > len(letters) + 3 or re.search(r"[.;:()\[\]]", expansion):
        return ""
    return expansion if len(expansion) > len(acronym) else ""


def _repeated(passages: Sequence[Passage]) -> Iterator[Component]:
    """Phrases of the method that end in a word for a mechanism ("interest independence loss") and come back."""
    first: dict[tuple[str, ...], Component] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for passage in passages:
        if not passage.in_method or passage.block is BlockKind.HEADING:
            continue
        for phrase, start in _mechanism_phrases(passage.flat):
            key = stems(phrase)
            if len(key) < 2 or is_generic(phrase):
                continue
            counts[key] += 1
            first.setdefault(key, Component(phrase, "", passage.found(phrase, start), frozenset({Source.REPEATED})))
    yield from (component for key, component in first.items() if counts[key] >= _LEAST_REPEATS)


_TOKEN: Final = re.compile(r"[^\W\d_][\w-]*|[^\w\s]")


def _mechanism_phrases(flat: str) -> Iterator[tuple[str, int]]:
    run: list[re.Match[str]] = []
    for token in _TOKEN.finditer(flat):
        word = token[0].lower()
        if not word[0].isalpha() or word in STOP_WORDS or word in PHRASE_END or word in LEADING:
            run = []
            continue
        run.append(token)
        if word in _HEAD_WORDS and len(run) > 1:
            start = run[-min(len(run), 4)].start()
            yield flat[start : token.end()], start


def _merge(candidates: Iterable[Component]) -> list[Component]:
    """One component a name: names with the same stems, or that carry the acronym of another, are one."""
    found: dict[tuple[str, ...], Component] = {}
    by_acronym: dict[str, tuple[str, ...]] = {}
    for candidate in candidates:
        key = _key(candidate.name)
        for word in candidate.name.split():
            key = by_acronym.get(word.lower(), key)
        known = found.get(key)
        found[key] = candidate if known is None else _joined(known, candidate)
        if candidate.acronym:
            by_acronym.setdefault(candidate.acronym.lower(), key)
    return list(found.values())


def _joined(known: Component, other: Component) -> Component:
    return replace(known, acronym=known.acronym or other.acronym, sources=known.sources | other.sources)


_WEAK: Final = frozenset({"modul", "mechanism", "strategy", "unit", "lay", "block", "network", "method", "technique"})


def _key(name: str) -> tuple[str, ...]:
    key = stems(name)
    strong = tuple(word for word in key if word not in _WEAK)
    return strong or key


def _counted(found: Iterable[Component], text: str) -> list[Component]:
    lowered = text.lower()
    tokens = Counter(words(text)) + Counter(re.findall(r"[A-Za-z][\w-]*", text))
    return [replace(c, mentions=lowered.count(c.name.lower()) + (tokens[c.acronym] if c.acronym else 0)) for c in found]
