"""Compare the names of parts: "the gate (GFU) in the decoder" and "gated fusion unit (GFU)" are one part."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise, product
from math import sqrt
from typing import Final

from planner.analysis.passages import PassageSearch, may_have_word_with_stem
from planner.matching import (
    COMMON_STEMS,
    GREEK_NAMES,
    STUDY_WORDS,
    expand_acronyms,
    extract_stem_set,
    extract_stems,
    spell_greek,
    split_words,
)
from planner.schema import Ablation

_MIN_OVERLAP: Final = 0.6  # least overlap of the words of two names of one part
_MIN_WORD_SHARE: Final = 0.67  # share of the telling words of a part that one passage of its paper has
_PREFIXES: Final = frozenset({"pre", "hyp", "re", "co", "non", "multi", "sub", "self", "cros"})
_MIN_WORDS: Final = 2  # names that share more words than these may differ in their other words
_BRACKETS: Final = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_SHORT_NAME: Final = re.compile(r"\s*([A-Z][\w-]{1,15})(?:[,;]|\s*$)")
# The words after the name: "in the decoder", "appended to the graph", "that weights both losses".
_TAIL: Final = re.compile(
    r"\s(?:in|for|at|on|between|inside|within|before|after|across|from|as|that|which|over|into|with|via|to|instead|"
    r"used|using|controlling|(?:\w+ed|built|drawn)\s(?:to|by|as|from|with|for|on|in))\s.*|[:;,(\[].*",
    re.S,
)
# "Removing" in "removing the gate", and "robustness" in "robustness of the gate".
_DEED: Final = re.compile(r"\b\w+ing\s(?=(?:the|an?|all|each)\s)|\b\w+ness\s(?=(?:of|to)\s)", re.I)
_MAX_SYMBOL: Final = 2  # letters of a word that is a symbol or a part of another word
_ACRONYM: Final = re.compile(r"[A-Z]{2}")
_SHORT_WORD: Final = re.compile(r"[^\x00-\x7f]|\d|[A-Z]{2}|[a-z][A-Z]|\b[A-Za-z]\b")  # "L_2", "UNet", "k"
_PROPER_NAME: Final = re.compile(r"[A-Za-z]+[A-Z][A-Za-z]*")  # "DropEdge", "LSTMs"
_AFTER_HEAD: Final = re.compile(r"\s(?:of|by|in|for|that|with|from|on|to|which|at|between)\s.*", re.S)
_OF: Final = re.compile(r"\sof\s.*", re.S)
# "Kernel size s in the gate", which is not about the gate itself.
_OWNER: Final = re.compile(
    r"\b((?:sizes?|ratios?|numbers?|types?|layers?|values?|depths?|widths?|rates?|dimensions?|temperatures?|normalization|"
    r"initialization)\s(?:\S{1,3}\s)?(?:of|in)\s)([\w-]+(?:\s[\w-]+){0,3})",
    re.I,
)
_WITHOUT: Final = re.compile(r".*\b(?:without|w/o)\b(?=\s*\w)", re.I | re.S)
_MAX_CHARS: Final = 400  # characters of a name that are compared
_SYMBOLS: Final = frozenset((*GREEK_NAMES, *GREEK_NAMES.values()))
# Words for an aspect of a part, which is not the part: its weight, its place, the number of parts.
_ASPECTS: Final = extract_stem_set(
    "number count size weight depth dimension width length rate threshold temperature coefficient margin ratio "
    "strength position place placement location initialization initial schedule order frequency budget rank capacity "
    "interval window value amount radius span duration horizon resolution limit degree"
)
# Words that any part may have: "the features taken from the encoder".
_GENERAL: Final = COMMON_STEMS - _ASPECTS | extract_stem_set("taken drawn computed obtained applied added fed called")
# Words of kinds and sizes, beside which others say which part is meant.
_KINDS: Final = COMMON_STEMS | extract_stem_set("type version variant another weight count alone single one together")
# Words of everyday language by which a reader may tell of any part.
_EVERYDAY: Final = extract_stem_set(
    "absolute additional against among around average before beside bottom broken center checkpoint chosen chunk "
    "class classes criterion default difference early entire equal explicit final fixed fraction gap gathered given "
    "group half hard held initial inner joint judged kept late learnable lower maximum mean median middle minimum "
    "multiple name next opposite outer pair piece portion previous product quarter random remedy reset return root "
    "rule seen segment sent separate share shown single soft square sum swap swapped template third tie tied tool top "
    "treatment uniform upper whole window one two three four five six seven eight nine ten"
)
# Words for things that the field calls by no other name.
_TERMS: Final = extract_stem_set(
    "adapter adversarial adversary anchor annealing attention augmentation autoencoder auxiliary backbone "
    "backtracking backtranslation bandit bank bayesian beam bilinear blending bonus boosting bootstrap bottleneck "
    "boundary branch buffer cache calibration capsule carlo cascade centroid chain clipping clustering codebook "
    "commitment compression consolidation contrastive convolution cosine critic crossover curiosity curriculum cutmix "
    "cutout decoder deduplication deformable demonstration denoising detector dictionary diffusion dilated "
    "disagreement discount discriminator distillation dropout elastic embedding encoder energy ensemble entropy "
    "episodic equalization expansion expert exploration exponential federated finetuning flip flow focal forgetting "
    "fourier fusion gate generator graph gumbel head heuristic hindsight histogram huber hyperbolic hypergraph "
    "hypernetwork imitation inpainting interpolation intrinsic inverse jitter jumping kernel knowledge lagrangian "
    "lookahead lora loss lstm mahalanobis manifold markov mask memory metropolis mining mixture mixup momentum "
    "multitask mutation mutual negative nesterov network noise normalization occurrence orthogonal oversampling peer "
    "penalty perceptual planner policy polyak pooling positional posterior preconditioner prior prioritized privacy "
    "probe prompt propagation proposal prototype pseudo pyramid quantile quantization query queue randomization "
    "recurrent regularizer rehearsal relabeling reparameterization replay reranker residual retrieval reward rollout "
    "rotation router saliency sharpness shortcut siamese simulated sinkhorn sketch skip slot softmax sparsity "
    "spectral spectrogram student subsampling surrogate tagger teacher temperature token tokenizer transformer "
    "transport tree trigger triplet uncertainty unlabeled unlabelled unrolling upsampling variate variational "
    "verifier voting watermark wavelet whitening"
)
# Words that make a name with a single other word: "gating network".
_DEVICES: Final = extract_stem_set("network module mechanism")
_COUNTS: Final = extract_stem_set("number count")
_COMMON: Final = _GENERAL | extract_stem_set("hyper factor")  # those, and words for a value of any part
_MIN_ITEM_STEMS: Final = 3  # words of a replacement that do not stand in one sentence by accident
_LIMITS: Final = re.compile(r"\b(?:(?P<only>only|alone|just)|(?P<single>one|single)|(?P<each>each))\b", re.I)
_UNTELLING: Final = _SYMBOLS | _GENERAL | _ASPECTS | _EVERYDAY


@lru_cache(maxsize=4096)
def list_names_of_part(part_description: str) -> tuple[str, ...]:
    """Return the names in a part's description: "gated unit" and "GU" in "gated unit (GU) that weighs the frames"."""
    part_description = spell_greek(part_description[:_MAX_CHARS])
    bare = _BRACKETS.sub(lambda bracket: " " * len(bracket[0]), part_description)
    head = _TAIL.sub("", bare)
    if _GENERAL.issuperset(extract_stems(head)):
        head = bare  # "features from the encoder"
    short = [
        match[1]
        for a, b in _BRACKETS.findall(part_description[: len(head) + 1])
        if (match := _SHORT_NAME.match(a or b))
    ]
    first = _OF.sub("", head)
    names = (first if len(extract_content_stems(first)) > 1 else head, *short)
    return tuple(dict.fromkeys(" ".join(name.split()) for name in names if extract_stems(name))) or (part_description,)


def is_part_of_paper(part: str, search: PassageSearch) -> bool:
    """Return whether a paper seems to have a part, by the words in the part's description.

    The paper must have each proper name and each term of the field in the description ("DropEdge", "dropout"). Some of
    the specific words in the description must also stand together in the paper.
    """
    text, head, own = _BRACKETS.sub(" ", part[:_MAX_CHARS]), _list_head_stems(part), search.lowered_text_on_own_work
    stems = extract_stems(_DEED.sub("", text))
    names = (name.lower().removesuffix("s") for name in _PROPER_NAME.findall(text))
    if not all(
        may_have_word_with_stem(stem, own) or may_have_word_with_stem(stem, search.unhyphenated_text)
        for stem in _TERMS.intersection(stems)
    ):
        return False
    if not all(name in own or name in search.unhyphenated_text for name in names):
        return False
    telling = set(filter(is_specific_stem, stems))
    is_foreign = sum(not may_have_word_with_stem(stem, search.lowered_text) for stem in telling) > 1
    if is_foreign or (not _TERMS.isdisjoint(head) and not _has_words(head, search)):
        return False
    pairs = (pair for pair in pairwise(stems) if not _PREFIXES & {*pair})
    if not telling or any(search.has_neighbouring_words(*pair) for pair in pairs):
        return True
    return any(search.has_stems_in_one_passage(each, _MIN_WORD_SHARE) for each in list_specific_stem_sets(part))


def _has_words(stems: Sequence[str], search: PassageSearch) -> bool:
    """Return whether two successive stems are neighbours in the paper, or one passage has all of the stems."""
    return any(search.has_neighbouring_words(*pair) for pair in pairwise(stems)) or search.has_stems_in_one_passage(
        stems, 1.0
    )


def _list_head_stems(text: str) -> tuple[str, ...]:
    """Return the stems of the first name of a part, or () if the name does not say which part is meant.

    "Temperature scaling" in "temperature scaling of the classifier" says it; "weight λ" and "step size" do not.
    """
    head = _OF.sub("", list_names_of_part(text)[0])
    stems = extract_stems(_DEED.sub("", head))
    said = tuple(stem for stem in stems if stem.isalpha() and stem not in _GENERAL | _EVERYDAY)
    said = stems if said == stems[:1] and len(stems) > 1 and _DEVICES.issuperset(stems[1:]) else said
    is_name = len(said) > 1 and any(map(is_specific_stem, said)) and stems[-1] not in _ASPECTS
    return said if is_name and not (_SYMBOLS.intersection(stems) or _SHORT_WORD.search(head)) else ()


def list_specific_stem_sets(part_description: str) -> tuple[frozenset[str], ...]:
    """Return the specific stems of each name in a part's description, and those of the whole description."""
    whole = _BRACKETS.sub(" ", part_description[:_MAX_CHARS])
    sets = {name: extract_stem_set(name) - _SYMBOLS for name in (*list_names_of_part(part_description), whole)}
    telling = {name: stems - _UNTELLING or stems for name, stems in sets.items() if stems}
    most = max(map(len, telling.values()), default=0)
    return tuple(
        stems
        for name, stems in telling.items()
        if len(sets[name] - _GENERAL) > 1 or len(stems) == most or _collect_short_names(name)
    )


def is_specific_stem(stem: str) -> bool:
    """Return whether a stem says which part is meant. Symbols and general words, such as "layer", do not say it."""
    return stem.isascii() and stem.isalpha() and len(stem) > _MAX_SYMBOL and stem not in _UNTELLING


def is_greek_symbol(name: str) -> bool:
    """Return whether a name is made of Greek letters, such as "τ" or "lambda"."""
    return extract_stem_set(spell_greek(name)) <= _SYMBOLS


@lru_cache(maxsize=4096)
def extract_content_stems(name: str) -> frozenset[str]:
    """Return the stems of a name without symbols and common words ("module"), unless it has no other words."""
    stems = extract_stem_set(name)
    return stems - _SYMBOLS - _COMMON or stems - _COMMON or stems


def list_specific_names(part_description: str) -> tuple[str, ...]:
    """Return the names in a part's description that are acronyms or have two words that say which part is meant."""
    names = list_names_of_part(part_description)
    return tuple(name for name in names if len(extract_content_stems(name) - _COUNTS) > 1 or _collect_short_names(name))


def list_searchable_names_with_stems(description: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return pairs (name, stems) for the specific names in a description, and for the whole description.

    Names that say too little to be searched for, such as a single general word, are left out.
    """
    whole = extract_stem_set(_BRACKETS.sub(" ", description)) - COMMON_STEMS
    names = [(name, extract_content_stems(name)) for name in list_specific_names(description)]
    names += [(description, whole)] if len(whole) > 1 else []
    said = ((name, stems, stems - _KINDS) for name, stems in names)
    return tuple((name, rest) for name, stems, rest in said if len(rest) > 1 or rest == stems)


def extract_stems_without_kinds(description: str) -> frozenset[str]:
    """Return the stems of a description without words of kinds and sizes ("type"), unless it has no other words."""
    stems = extract_stem_set(_BRACKETS.sub(" ", description))
    return stems - _KINDS or stems


def extract_head_stems(description: str) -> frozenset[str]:
    """Return the specific stems before a word such as "of": "normalization" in "normalization by the middle chunk"."""
    head = _AFTER_HEAD.sub("", _BRACKETS.sub(" ", description))
    return extract_stems_without_kinds(description) & extract_stem_set(head)


def is_same_part(text_a: str, text_b: str, min_overlap: float = _MIN_OVERLAP) -> bool:
    """Return whether two descriptions name the same part, and ask about the same aspect of it.

    `min_overlap` is the least share of the words, from 0 to 1, that two names of one part have in common.
    """
    return any(
        _is_same_name(a, b, min_overlap) for a, b in product(list_names_of_part(text_a), list_names_of_part(text_b))
    )


def blank_out_aspect_owners(text: str) -> str:
    """Blank out a part where the text is only about an aspect of the part: "the gate" in "the size of the gate"."""
    return _OWNER.sub(lambda match: match[1] + " " * len(match[2]), text)


def is_text_about_part(part_stems: frozenset[str], text: str) -> bool:
    """Return whether a text is about the part with these stems, and not only about an aspect such as its size."""
    return bool(part_stems & _ASPECTS) or part_stems <= extract_stem_set(blank_out_aspect_owners(text))


def strip_study_words(name: str) -> str:
    """Return the name of a study without the words that say nothing about its part: "effect of", "without"."""
    return STUDY_WORDS.sub(" ", name)


def is_ablation_of_part(ablation: Ablation, part: str) -> bool:
    """Return whether an ablation changes a part, by its `ablated_part` and the specific names in its `name`.

    If the `ablated_part` is "updates of the gate", the word "gate" in the `name` does not count.
    """
    owner = extract_stem_set(ablation.ablated_part.partition(" of ")[2])
    is_owner = any(extract_stem_set(name) <= owner for name in list_names_of_part(part))
    names = (ablation.ablated_part,) if is_owner else list_ablated_part_names(ablation)
    return any(is_same_part(name, part) for name in names)


def list_ablated_part_names(ablation: Ablation) -> tuple[str, ...]:
    """Return what an ablation calls its part: `ablated_part`, and the specific names in the name of the ablation."""
    return (ablation.ablated_part, *_list_parts_in_name(ablation.name))


@lru_cache(maxsize=4096)
def _list_parts_in_name(text: str) -> tuple[str, ...]:
    name = strip_study_words(_WITHOUT.sub("", text))  # "the encoder without its gate" is about the gate
    # "Kernels" of "kernels on raw inputs" says too little.
    return (name,) if len(extract_stems(name)) == 1 else list_specific_names(name)


def find_replacements_with_words_of_part(ablation: Ablation) -> Iterator[str]:
    """Yield each replacement that has at least half of the words in the part's name."""
    part = extract_stem_set(ablation.ablated_part) - COMMON_STEMS
    for item in ablation.replacement:
        stems = extract_stem_set(item)
        if len(stems) >= _MIN_ITEM_STEMS and len(stems & part) * 2 >= len(part) > 0:
            yield item


def find_limiting_word_kinds(text: str) -> frozenset[str | None]:
    """Return the kinds of limiting words in a text: "only" (also for "just"), "single" and "each"."""
    return frozenset(match.lastgroup for match in _LIMITS.finditer(text))


def _is_same_name(name_a: str, name_b: str, min_overlap: float) -> bool:
    if _ACRONYM.search(name_a) or _ACRONYM.search(name_b):
        name_a, name_b = expand_acronyms(name_a, name_b), expand_acronyms(name_b, name_a)
    elif not extract_stem_set(name_a) & extract_stem_set(name_b):
        return False
    a, b = extract_content_stems(name_a), extract_content_stems(name_b)
    shared, short_a, short_b = a & b, _collect_short_names(name_a), _collect_short_names(name_b)
    if any(kernel and not kernel & shared for kernel in (_select_kernel(name_a), _select_kernel(name_b))):
        return False  # "the weights of the gate" are another part than the gate
    if a <= _SYMBOLS or b <= _SYMBOLS:
        return bool(_SYMBOLS & extract_stem_set(name_a) & extract_stem_set(name_b))
    if a == b or _ASPECTS & a ^ _ASPECTS & b or (short_a and short_b and not short_a & short_b):
        return a == b
    if len(a) == 1 or len(b) == 1:
        return bool(shared & short_a)
    return len(shared) >= min_overlap * sqrt(len(a) * len(b)) or len(shared) == min(len(a), len(b)) > _MIN_WORDS


@lru_cache(maxsize=4096)
def _select_kernel(name: str) -> frozenset[str]:
    """Return the specific stems of the aspect or action at the start of a name: "bias" in "bias of the gate"."""
    first, of, _ = name.partition(" of ")
    deed = _DEED.match(name)
    kernel = deed[0] if deed else first if of else ""
    return extract_stem_set(kernel) - _COMMON - _ASPECTS - _SYMBOLS


@lru_cache(maxsize=4096)
def _collect_short_names(name: str) -> frozenset[str]:
    """Return the stems of the words with a digit or several capitals in a name: "GFU", "G1"."""
    words = (word for word in split_words(name) if any(map(str.isdigit, word)) or sum(map(str.isupper, word)) > 1)
    return frozenset(stem for word in words for stem in extract_stems(word))
