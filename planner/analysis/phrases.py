"""Find phrases in running text: noun phrases, run-in headings, defined acronyms and mentions of known names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from planner.analysis.passages import strip_markup
from planner.matching import STOP_WORDS, extract_stem_set, split_into_word_set, split_words, stem_word

_DEFINITION: Final = re.compile(r"\(\s*(?:[a-z. ]{0,12},\s*)?([A-Z][A-Za-z0-9-]{1,9}?)s?\s*\)")
_MAX_EXPANSION_CHARS: Final = 120  # characters before the bracket that may hold the expansion

# Common names, which are never a new part of a paper's method.
_COMMON_ACRONYMS: Final = split_into_word_set(
    """
    AI API BCE BERT BN CE CNN CPU DL DNN EM FC FFN FPGA GAN GAT GCN GELU GLU GNN GPT GPU GRU KL KNN LLM LN LR LSTM
    MAE MHA ML MLP MSA MSE NLP ODE PCA PDF RBF RELU RGB RL RNN SGD SOTA SVD SVM TCN VAE VIT VQA
    """
)
_NAME_WORD: Final = re.compile(r"[^\W_]+")
_MAX_NAME_WORDS: Final = 10  # words of a name that are compared

# Words that, on their own, do not name a part of a method.
_GENERIC_STEMS: Final = extract_stem_set(
    """
    assumption bold corollary example exclusively intuition left lemma limit middle proof proposition putting right
    way almost even especially merely nearly particularly quite simply still yet connected convolutional deep dense
    feed forward hidden inner linear neural outer recurrent shared simple simplified special standard word ablation
    algorithm analysis approach architecture art background baseline basic benchmark case changes choice
    classification comparison complexity component computational conclusion configuration contribution critical
    crucial data dataset definition description design details different discussion effect effectiveness ensure
    evaluation existing experiment fact figure final formal formulation framework function further general hyper
    hyperparameter impact implementation importance improvement individual inference influence input introduction
    key kinds learning loss main method methodology metric model module motivation network notation novel number
    objective optimization others ours output overall overview paper parameter part performance phase pipeline
    prediction preliminaries previous problem procedure process proposed remark require result review section
    settings setup significant size stage state statement steps strategies structure studies summary system table
    task technical techniques theorem theoretical theory training two types usage value variant version
    visualization work
    """
)
_PHRASE_END_WORDS: Final = split_into_word_set(
    """
    to that which for by in and with on from where so as when based using called named termed is are of into between
    over under within via among at can we it while consisting through then or but than if because since without
    during against after before again here now hurt hurts lower lowers raise raises rise rises a an the our its
    their has have had was were be been will would could may might does do did not also still always achieve
    achieves achieved like figure fig table allow allows appear appears become becomes brings bring cause causes
    contribute contributes defined degrade degrades denote denotes demonstrate demonstrates enables gives help helps
    improve improves increase increases indicate indicates lead leads leading leveraging makes mean means obtains
    perform performs plays proposed provide provides reduce reduces results show shown shows specifically yield
    yields
    """
)
_FORBIDDEN_FIRST_WORDS: Final = split_into_word_set(
    """
    show investigate demonstrate evaluate verify validate ensure understand study analyze analyse assess explore
    examine overview apply building selecting compare compared conduct consequently effectively evaluated including
    namely retrain take takes tested visualize tune tuned specifically significantly approximately averaged any all
    some such it them this one none only least most comparing found highest lowest best worst
    """
)
LEADING_FILLERS: Final = split_into_word_set(
    """
    a an the our this that these two three four five novel new simple effective efficient proposed additional
    different following well-known standard specific so-called several various each corresponding entire whole but
    and important other extra straightforward and improved introduced yet
    """
)
_MAX_PHRASE_WORDS: Final = 8
_EFFECT_OF: Final = re.compile(
    r"^(?:the )?(?:effect(?:iveness)?s?|impacts?|influences?|contributions?|importance|introduction|use|usage|presence|"
    r"absence|benefits?|values?|strategies) (?:of|for) ",
    re.I,
)
_ADVERB: Final = re.compile(r"(?!fully|densely|early|family|assembly|daily|only)[a-z]{3,}ly")
_LATE_PARTICIPLE: Final = re.compile(r"[a-z]{3,}[^e]ed")  # "the layer introduced" is the layer
_SYMBOL: Final = re.compile(r"[^a-z]{1,2}|[a-zA-Z]?[^\x00-\x7f]\S{0,3}|[a-z]|[=∈<>~].*")
_RUN_IN_HEADING: Final = re.compile(
    r"[A-Z][\w-]+(?: [\w()/&-]+){0,7}[.:]\s+(?=[A-Z])"
    r"|\s*(?:\\noindent\s*)?(?:\*\*|\\(?:textbf|paragraph\*?)\{)[^*{}\n]{3,80}(?:\*\*|\})"
)


@dataclass(frozen=True, slots=True)
class Acronym:
    """An acronym and its expansion, which starts `expansion_start` characters into the text."""

    abbreviation: str
    expansion: str
    expansion_start: int

    @property
    def expansion_end(self) -> int:
        """The offset in the text after the expansion."""
        return self.expansion_start + len(self.expansion)


class KnownNames:
    """An index of names to search for, each with an acronym or ""; only acronyms are case-sensitive."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._numbers: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, (name, acronym) in enumerate(names):
            for key in {_split_name(name.lower()), _split_name(acronym)} - {()}:
                self._numbers[key].append(number)
        self._keys: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for key in sorted(self._numbers, key=len, reverse=True):
            self._keys[key[0]].append(key)

    def locate_mentions(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the index of each name that a text mentions, and the offset of the mention, in order of the text."""
        words = _NAME_WORD.findall(text) if self._keys else []
        lowered_words = [word.lower() for word in words]
        starts: list[int] = []
        for at, first_words in enumerate(zip(words, lowered_words, strict=True)):
            if first_words[0] not in self._keys and first_words[1] not in self._keys:
                continue
            starts = starts or [match.start() for match in _NAME_WORD.finditer(text)]
            keys = [key for word in dict.fromkeys(first_words) for key in self._keys.get(word, ())]
            for key in sorted(keys, key=len, reverse=True):
                end = at + len(key)
                if key in (tuple(words[at:end]), tuple(lowered_words[at:end])):
                    for number in self._numbers[key]:
                        yield number, starts[at]


def _split_name(name: str) -> tuple[str, ...]:
    return tuple(_NAME_WORD.findall(name))[:_MAX_NAME_WORDS]


def extract_bare_name(text: str) -> str:
    """Return the noun phrase at the start of a text, without articles and words of praise, or ""."""
    words: list[str] = []
    for word in _EFFECT_OF.sub("", strip_markup(text.partition(" (")[0]).strip(" .:*")).split():
        lowered = word.lower().strip(".,")
        if not words and lowered in LEADING_FILLERS:
            continue
        if words and _ends_phrase(words, lowered):
            break
        words.append(word)
    return _tidy_phrase(words)


def _ends_phrase(words: list[str], word: str) -> bool:
    """Return whether a phrase of `words` ends before `word`. A phrase that is a symbol ("m") always ends."""
    if word == "of" and len(words) <= 2:
        return False
    is_symbol = len(words) == 1 and len(words[0]) == 1 and words[0].islower()
    return is_symbol or word.isdigit() or word in _PHRASE_END_WORDS or _ADVERB.fullmatch(word) is not None


def split_into_bare_names(text: str) -> list[str]:
    """Split a text at "and", "&", "+", commas and semicolons into noun phrases."""
    return [phrase for part in re.split(r"\band\b|,|;|\s[&+]\s", text) if (phrase := extract_bare_name(part))]


def _tidy_phrase(phrase_words: list[str]) -> str:
    while len(phrase_words) > 1 and (
        _SYMBOL.fullmatch(phrase_words[-1]) or _LATE_PARTICIPLE.fullmatch(phrase_words[-1])
    ):
        phrase_words.pop()
    phrase = " ".join(phrase_words)
    if phrase.count("(") != phrase.count(")"):
        phrase = phrase.partition("(")[0].replace(")", "")
    phrase = phrase.strip(" ,;:-–\"'“”’`").removesuffix(" of")
    first = phrase.partition(" ")[0].lower()
    if len(phrase_words) > _MAX_PHRASE_WORDS or first in _FORBIDDEN_FIRST_WORDS or first in _PHRASE_END_WORDS:
        return ""
    return phrase


def is_generic_name(name: str) -> bool:
    """Return whether a name consists of general words, numbers or single letters, such as "Overall Architecture"."""
    return all(_is_generic_word(word) for word in split_words(name))


def _is_generic_word(word: str) -> bool:
    lone_letter = len(word) == 1 and word.isascii()
    return lone_letter or word[0].isdigit() or word.lower() in STOP_WORDS or stem_word(word) in _GENERIC_STEMS


def locate_run_in_headings(text: str) -> Iterator[tuple[str, int]]:
    """Yield phrases at the start of a line, in bold or before a colon or full stop ("Gated unit. …"), with offsets."""
    start = 0
    for line in text.split("\n"):
        if (match := _RUN_IN_HEADING.match(line)) and (phrase := strip_markup(match[0]).rstrip(" .:")):
            yield phrase, start
        start += len(line) + 1


def find_defined_acronyms(text: str) -> Iterator[Acronym]:
    """Yield the acronyms that stand in brackets after their expansions, except common ones."""
    for match in _DEFINITION.finditer(text):
        abbreviation = match[1]
        if abbreviation.upper() in _COMMON_ACRONYMS or sum(letter.isupper() for letter in abbreviation) < 2:
            continue
        first = max(0, match.start() - _MAX_EXPANSION_CHARS)
        before = text[first : match.start()].rstrip(" }*_'’”")
        if expansion := _find_expansion(abbreviation, before):
            yield Acronym(abbreviation, expansion, first + len(before) - len(expansion))


def _find_expansion(abbreviation: str, text_before: str) -> str:
    """Return the words at the end of `text_before` that an acronym stands for, or "" if none fit.

    The letters are searched from the last to the first, and the first one must begin a word
    (Schwartz and Hearst, "A simple algorithm for identifying abbreviation definitions", PSB 2003).
    """
    letters = [letter.lower() for letter in abbreviation if letter.isalnum()]
    lowered = text_before.lower()
    at = len(text_before)
    for letter in reversed(letters[1:]):
        at = lowered.rfind(letter, 0, at)
        if at < 0:
            return ""
    at = _find_word_start(lowered, letters[0], at)
    expansion = text_before[at:] if at >= 0 else ""
    fits = len(abbreviation) < len(expansion) and len(expansion.split()) <= len(letters) + 3
    return expansion if fits and not re.search(r"[.;:()\[\]]", expansion) else ""


def _find_word_start(lowered: str, letter: str, end: int) -> int:
    at = lowered.rfind(letter, 0, end)
    while at > 0 and lowered[at - 1].isalnum():
        at = lowered.rfind(letter, 0, at)
    return at
