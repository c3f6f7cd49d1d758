"""Noun phrases of running text: where they end, which say nothing, and which stand as a run-in heading."""

import re
from collections.abc import Iterator
from typing import Final

from planner.analysis.passages import bare_markup
from planner.matching.words import STOP_WORDS, word_set, words

# Words that, with nothing beside them, name a place in a paper and not a part of a method.
_GENERIC: Final = word_set(
    """
    algorithm algorithms analysis approach approaches architecture architectures background baseline baselines
    basic classification complexity computational conclusion configuration configurations contribution
    contributions data dataset datasets definition definitions description design details discussion evaluation
    existing experiment experiments final formal formulation framework function functions general implementation
    inference introduction learning loss main method methodology methods metric model models motivation network
    networks notation notations novel objective optimization our overall overview paper phase pipeline
    prediction preliminaries preliminary problem procedure process proposed remark results review section
    setting settings setup stage statement step steps strategy structure study summary system task tasks
    technical theoretical theory training two usage work
    """
)
PHRASE_END: Final = word_set(
    """
    to that which for by in and with on from where so as when based using called named termed is are of into
    between over under within via among at can we it while consisting through then
    """
)
LEADING: Final = word_set(
    """
    a an the our this that these two three four novel new simple effective efficient proposed additional
    different following well-known standard specific so-called such several
    """
)
_MAX_WORDS: Final = 8
_RUN_IN: Final = re.compile(r"^([A-Z][\w-]+(?: [\w()/&-]+){0,7})[.:]\s+(?=[A-Z])")


def noun_phrase(text: str) -> str:
    """The first words of a text up to where a noun phrase usually ends, without articles and praise; "" for none."""
    kept: list[str] = []
    for word in bare_markup(re.sub(r"\(.*?\)", " ", text)).strip(" .:").split():
        plain = word.lower().strip(".,")
        if not kept and plain in LEADING:
            continue
        if kept and plain in PHRASE_END and not (plain == "of" and len(kept) == 1):
            break
        kept.append(word)
    return " ".join(kept) if len(kept) <= _MAX_WORDS else ""


def is_generic(name: str) -> bool:
    """Whether a name says nothing of what it names: "Overall Architecture", "Training", a lone symbol."""
    said = [w.lower() for w in words(name) if w.lower() not in STOP_WORDS]
    return all(w in _GENERIC for w in said) or not any(len(w) > 2 for w in said)


def run_in_headings(text: str) -> Iterator[tuple[str, int]]:
    """Short phrases at the start of a line, ended by a stop or colon ("Gated unit. To …"), with their places."""
    start = 0
    for line in text.split("\n"):
        if match := _RUN_IN.match(line):
            yield match[1], start
        start += len(line) + 1
