"""Find the acronyms that a text defines: "gated fusion unit (GFU)"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from planner.matching.words import word_set

_DEFINED: Final = re.compile(r"\(\s*(?:[a-z. ]{0,12},\s*)?([A-Z][A-Za-z0-9-]{1,9}?)s?\s*\)")
_REACH: Final = 120  # characters before the bracket that may hold the expansion

# Common names, which are never a new part of a paper's method.
_EVERYDAY: Final = word_set(
    """
    AI API BCE BERT BN CE CNN CPU DL DNN EM FC FFN FPGA GAN GAT GCN GELU GLU GNN GPT GPU GRU KL KNN LLM LN LR LSTM MAE
    MHA ML MLP MSA MSE NLP ODE PCA PDF RBF RELU RGB RL RNN SGD SOTA SVD SVM TCN VAE VIT VQA
    """
)


@dataclass(frozen=True, slots=True)
class Acronym:
    """An acronym and its expansion, which starts `start` characters into the text."""

    short: str
    expansion: str
    start: int


def acronyms(text: str) -> Iterator[Acronym]:
    """Yield the acronyms that stand in brackets after their expansions, except common ones."""
    for match in _DEFINED.finditer(text):
        short = match[1]
        if short.upper() in _EVERYDAY or sum(letter.isupper() for letter in short) < 2:
            continue
        before = text[max(0, match.start() - _REACH) : match.start()].rstrip(" }*_'’”")
        if expansion := expand(short, before):
            yield Acronym(short, expansion, max(0, match.start() - _REACH) + len(before) - len(expansion))


def expand(short: str, before: str) -> str:
    """Return the words at the end of `before` that an acronym stands for, or "" if none fit.

    The letters are searched from the last to the first, and the first one must begin a word
    (Schwartz and Hearst, "A simple algorithm for identifying abbreviation definitions", PSB 2003).
    """
    letters = [letter.lower() for letter in short if letter.isalnum()]
    lowered = before.lower()
    at = len(before)
    for letter in reversed(letters[1:]):
        at = lowered.rfind(letter, 0, at)
        if at < 0:
            return ""
    at = _word_start(lowered, letters[0], at)
    expansion = before[at:] if at >= 0 else ""
    fits = len(short) < len(expansion) and len(expansion.split()) <= len(letters) + 3
    return expansion if fits and not re.search(r"[.;:()\[\]]", expansion) else ""


def _word_start(lowered: str, letter: str, end: int) -> int:
    at = lowered.rfind(letter, 0, end)
    while at > 0 and lowered[at - 1].isalnum():
        at = lowered.rfind(letter, 0, at)
    return at
