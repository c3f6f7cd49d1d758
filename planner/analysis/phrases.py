"""Cut noun phrases and run-in headings out of running text, and recognise names that say nothing."""

import re
from collections.abc import Iterator
from typing import Final

from planner.analysis.passages import bare_markup
from planner.matching.words import STOP_WORDS, stem, word_set, words

# Words that, on their own, name a place in a paper and not a part of a method.
_GENERIC: Final = frozenset(
    map(
        stem,
        word_set(
            """
            almost even especially merely nearly particularly quite rather simply still yet
            ablation ablations algorithm algorithms analysis approach approaches architecture architectures art
            background baseline baselines basic benchmark case changes choice choices classification comparison
            complexity component components computational conclusion configuration contribution critical crucial data
            dataset datasets definition description design details different discussion effect effectiveness effects
            ensure evaluation existing experiment experiments fact figure final formal formulation framework function
            further general hyper hyperparameter hyperparameters impact implementation importance improvement
            individual inference influence input introduction key kinds learning loss main method methodology methods
            metric metrics model models module modules motivation network networks notation notations novel number
            objective optimization other our output overall overview paper parameter parameters part parts performance
            phase pipeline prediction preliminaries preliminary previous problem procedure process proposed remark
            require result results review section settings setting setup significant size stage state statement step
            steps strategies strategy structure studies study summary system table task tasks technical techniques
            theorem theoretical theory training two types usage value values variant variants version versions
            visualization work works
            """
        ),
    )
)
_PHRASE_END: Final = word_set(
    """
    to that which for by in and with on from where so as when based using called named termed is are of into between
    over under within via among at can we it while consisting through then or but than if because since without during
    against after before again here now hurt hurts lower lowers raise raises rise rises a an the our its their has
    have had was were be been will would could may might does do did not also still always achieve achieves achieved
    allow allows appear appears become becomes brings bring cause causes contribute contributes defined degrade
    degrades denote denotes demonstrate demonstrates enables gives help helps improve improves increase increases
    indicate indicates lead leads leading leveraging makes mean means obtains perform performs plays proposed provide
    provides reduce reduces results show shown shows specifically yield yields
    """
)
_NO_BEGINNING: Final = word_set(
    """
    show investigate demonstrate evaluate verify validate ensure understand study analyze analyse assess explore
    examine overview apply building selecting compare compared conduct consequently effectively evaluated including
    namely retrain take takes tested visualize tune tuned specifically significantly approximately averaged any all
    some such it them this one none only least most
    """
)
LEADING: Final = word_set(
    """
    a an the our this that these two three four five novel new simple effective efficient proposed additional different
    following well-known standard specific so-called several various each corresponding entire whole but and important
    other extra straightforward and improved introduced
    """
)
_MAX_WORDS: Final = 8
_SYMBOL: Final = re.compile(r"[^a-z]{1,2}|[a-zA-Z]?[^\x00-\x7f]\S{0,3}|[a-z]|[=∈<>~].*")
_RUN_IN: Final = re.compile(
    r"[A-Z][\w-]+(?: [\w()/&-]+){0,7}[.:]\s+(?=[A-Z])"
    r"|\s*(?:\\noindent\s*)?(?:\*\*|\\(?:textbf|paragraph\*?)\{)[^*{}\n]{3,80}(?:\*\*|\})"
)


def noun_phrase(text: str) -> str:
    """Return the noun phrase at the start of a text, without articles and words of praise, or ""."""
    kept: list[str] = []
    for word in bare_markup(text.partition(" (")[0]).strip(" .:*").split():
        plain = word.lower().strip(".,")
        if not kept and plain in LEADING:
            continue
        if kept and (plain.isdigit() or plain in _PHRASE_END) and not (plain == "of" and len(kept) <= 2):
            break
        kept.append(word)
    return _tidy(kept)


def conjuncts(text: str) -> list[str]:
    """Split a text at "and", "&", "+", commas and semicolons into noun phrases."""
    return [phrase for part in re.split(r"\band\b|,|;|\s[&+]\s", text) if (phrase := noun_phrase(part))]


def is_generic(name: str) -> bool:
    """Tell if a name consists of general words, numbers or single letters: "Overall Architecture", "Training"."""
    return all(_says_nothing(word) for word in words(name))


def _says_nothing(word: str) -> bool:
    lone_letter = len(word) == 1 and word.isascii()
    return lone_letter or word[0].isdigit() or word.lower() in STOP_WORDS or stem(word) in _GENERIC


def run_in_headings(text: str) -> Iterator[tuple[str, int]]:
    """Yield phrases that open a line, in bold or before a stop or colon ("Gated unit. To …"), with their places."""
    start = 0
    for line in text.split("\n"):
        if match := _RUN_IN.match(line):
            yield bare_markup(match[0]).rstrip(" .:"), start
        start += len(line) + 1


def _tidy(kept: list[str]) -> str:
    while len(kept) > 1 and _SYMBOL.fullmatch(kept[-1]):
        kept.pop()
    phrase = " ".join(kept)
    if phrase.count("(") != phrase.count(")"):
        phrase = phrase.partition("(")[0].replace(")", "")
    phrase = phrase.strip(" ,;:-–\"'“”’`").removesuffix(" of")
    first = phrase.partition(" ")[0].lower()
    return "" if len(kept) > _MAX_WORDS or first in _NO_BEGINNING or first in _PHRASE_END else phrase
