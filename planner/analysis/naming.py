"""Find names of components in a text: in bold, after "we propose …", hyperparameters, and repeated phrases."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from planner.analysis.passages import Found, Passage
from planner.analysis.phrases import LEADING, is_generic
from planner.matching.words import STOP_WORDS, stems, word_set

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
_MECHANISMS: Final = word_set(
    """
    adapter aggregation aggregator alignment annealing attention augmentation branch clustering codebook constraint
    convolution correction criterion curriculum decoder decomposition discriminator disentangler disentanglement
    distillation dropout embedding embeddings encoder encoding ensemble enhancement estimator filter filtering fusion
    gate gating generator graph head initialization interpolation kernel kernels learning loss mapper mask masking
    matching mechanism memory mixup module network normalization objective optimization penalty pooling pretraining
    pre-training prior projection prompt pruning quantization reconstruction refinement refiner regularization
    regularizer reranking retrieval router routing sampler sampling scheduler schedule selection smoothing strategy
    transformer unit voting warmup weighting weights
    """
)
_SYMBOL: Final = r"\$?(?:[α-ωΑ-Ω]|\\[a-z]{2,8})[\w′'{}^]{0,8}\$?"
_KIND: Final = r"hyper-?parameters?|coefficient|threshold|temperature|margin|trade-?off|weighting factor"
_HYPERPARAMETER: Final = re.compile(
    rf"\b((?:[\w-]{{1,40}} )?(?:{_KIND}|ratio)(?: parameters?)?) ({_SYMBOL})(?!\w)"
    rf"|({_SYMBOL}) (?:is|are|denotes?|controls?) (?:an? |the )?((?:[\w-]{{1,40}} ){{0,3}}?(?:{_KIND}|loss weight))\b"
)
_TOKEN: Final = re.compile(r"[^\W\d_][\w-]*|[^\w\s]")
_LEAST_REPEATS: Final = 3
_LONGEST_PHRASE: Final = 4


def in_bold(text: str) -> Iterator[tuple[str, int]]:
    """Return the terms in bold or italics of Markdown or LaTeX, with their places."""
    return ((match[match.lastindex or 0], match.start(match.lastindex or 0)) for match in _BOLD.finditer(text))


def proposed(text: str) -> Iterator[tuple[str, int]]:
    """Return the words after "we propose", "we use" and the like, with their places."""
    return ((match[1], match.start(1)) for match in _PROPOSED.finditer(text))


def hyperparameters(text: str) -> Iterator[tuple[str, int]]:
    """Yield symbols that the text calls a coefficient, threshold or the like ("threshold τ"), with their places."""
    for match in _HYPERPARAMETER.finditer(text):
        kind, symbol = (match[1], match[2]) if match[1] else (match[4], match[3])
        yield f"{kind.removeprefix('the ').removeprefix('a ')} {symbol}", match.start()


def repeated(passages: Sequence[Passage]) -> list[tuple[str, Found]]:
    """Find repeated phrases that end in a word for a mechanism ("interest independence loss"), with first places."""
    first: dict[tuple[str, ...], tuple[str, Found]] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for passage in passages:
        for phrase, start in _mechanisms(passage.flat):
            key = stems(phrase)
            if len(key) > 1 and not is_generic(phrase):
                counts[key] += 1
                first.setdefault(key, (phrase, passage.found(phrase, start)))
    return [named for key, named in first.items() if counts[key] >= _LEAST_REPEATS]


def _mechanisms(flat: str) -> Iterator[tuple[str, int]]:
    run: list[re.Match[str]] = []
    for token in _TOKEN.finditer(flat):
        word = token[0].lower()
        if not word[0].isalpha() or word in STOP_WORDS or word in LEADING:
            run = []
            continue
        run = [*run[1 - _LONGEST_PHRASE :], token]
        if word in _MECHANISMS and len(run) > 1:
            yield flat[run[0].start() : token.end()], run[0].start()
