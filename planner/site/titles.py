"""The head of a paper's page: a title in capitals is set as other titles are, and the source has an address."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PureWindowsPath
from typing import Final

from planner.matching import split_word_list
from planner.names import parse_arxiv_id
from planner.papers.sources import strip_folders_and_endings

_SMALL_WORDS: Final = split_word_list(
    "a an and as at but by for from in into is its nor of on onto or over per than the to under via vs with"
)
_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_FORMULA_OR_COMMAND: Final = re.compile(r"\$[^$]*\$|\\\w+")
_SENTENCE_START: Final = re.compile(r"(?:^|[:.?!–—]\s)\W*$")
_NO_WORD: Final = re.compile(r"[^AEIOUY]+|.*\d.*|[IVX]{2,}")  # an acronym, a name with a number, or a Roman number
_MIN_CAPITALS: Final = 8
_MIN_WORDS: Final = 3


def format_title(title: str, texts: Iterable[str]) -> str:
    """Return a title as other titles are set: one in capitals gets small letters.

    Acronyms and names in it are written as in the texts about the paper.
    """
    if not _is_in_capitals(title):
        return title
    spellings = _find_spellings(texts)
    pieces = re.compile(f"{_FORMULA_OR_COMMAND.pattern}|{_WORD.pattern}")
    return pieces.sub(lambda piece: _lower_word(piece, spellings), title)


def find_source(paper_id: str, source: str) -> tuple[str, str]:
    """Return the arXiv id of a paper and the address of its page there, else its file's name, or "", and no address."""
    found = (parse_arxiv_id(name) for name in (source, strip_folders_and_endings(source), paper_id))
    if arxiv_id := next(filter(None, found), None):
        return f"arXiv:{arxiv_id}", f"https://arxiv.org/abs/{arxiv_id}"
    return PureWindowsPath(source).name, ""


def _is_in_capitals(title: str) -> bool:
    """Return whether a title of several words is in capitals; a few letters, as in "LLMs", may not be."""
    text = _FORMULA_OR_COMMAND.sub(" ", title)
    upper, lower = sum(map(str.isupper, text)), sum(map(str.islower, text))
    return upper >= max(_MIN_CAPITALS, 10 * lower) and len(_WORD.findall(text)) >= _MIN_WORDS


def _find_spellings(texts: Iterable[str]) -> dict[str, str]:
    """Return the most frequent spelling of each word by the word in small letters."""
    counts = Counter(word for text in texts for word in _WORD.findall(text))
    return {word.casefold(): word for word, _ in reversed(counts.most_common())}


def _lower_word(match: re.Match[str], spellings: Mapping[str, str]) -> str:
    word, before = match[0], match.string[: match.start()]
    if word[0] in "$\\" or not word.isupper():
        return word
    spelling = spellings.get(word.casefold(), word if _NO_WORD.fullmatch(word) else "")
    if len(spelling) > 1 and not spelling[1:].islower():
        return spelling
    is_small = word.lower() in _SMALL_WORDS and not _SENTENCE_START.search(before)
    return word.lower() if is_small else word.capitalize()
