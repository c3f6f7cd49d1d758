"""Join the lines of a paragraph, and decide which hyphens at their ends belong to the word."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Final

from planner.papers.pdf.runs import HYPHEN

_TOKEN: Final = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_LAST: Final = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)$")
_FIRST: Final = re.compile(r"^([^\W\d_]+(?:-[^\W\d_]+)*)")
_HYPHENS: Final = (HYPHEN, "-", "‐")
_SUSPENDED: Final = re.compile(r"(?:and|or|to|versus|vs)\b")  # "single- and multi-target"
# Second parts of compounds that English writes with a hyphen after almost any word; then first parts before any word.
_COMPOUNDING: Final = frozenset(
    [
        "based",
        "aware",
        "free",
        "wise",
        "level",
        "specific",
        "dependent",
        "driven",
        "guided",
        "art",
        "like",
        "oriented",
        "invariant",
        "agnostic",
        "shot",
    ]
)
_ALWAYS_HYPHENATED: Final = frozenset({"self"})


class Vocabulary:
    """The words inside a paper's lines, where no line break can have changed their spelling."""

    def __init__(self, lines: Iterable[str]) -> None:
        tokens = _unbroken(lines)
        self._words = Counter("-".join(tokens).split("-"))
        self._compounds = Counter(part for token in tokens if "-" in token for part in _compounds(token))

    def keeps_hyphen(self, before: str, after: str) -> bool:
        """Return whether the hyphen at a line's end, between the given texts, belongs to the word."""
        head, tail = _LAST.search(before.rpartition(" ")[2]), _FIRST.search(after)
        if head is None or tail is None:
            return True
        first, second = head[1].casefold(), tail[1].casefold()
        last, start = first.rpartition("-")[2], second.partition("-")[0]
        hyphened, solid = self._compounds[f"{last}-{start}"], self._words[last + start]
        if hyphened or solid:
            return hyphened > solid
        if (
            after[:1].isupper()
            or start in _COMPOUNDING
            or last in _ALWAYS_HYPHENATED
            or (head[1].isupper() and len(last) > 1)
        ):
            return True
        return "-" in first and self._words[start] > 0


def _unbroken(lines: Iterable[str]) -> list[str]:
    """Return the words of the lines, without those that a line break may have split."""
    tokens: list[str] = []
    after_break = False
    for line in lines:
        found = _TOKEN.findall(line.casefold())
        broken = is_broken(line)
        tokens += found[after_break : len(found) - broken]
        after_break = broken
    return tokens


def _compounds(token: str) -> Iterator[str]:
    """Yield every sequence of two or more neighbouring parts of a hyphenated word."""
    parts = token.split("-")
    for start, end in combinations(range(len(parts) + 1), 2):
        if end - start > 1:
            yield "-".join(parts[start:end])


def is_broken(text: str) -> bool:
    """Return whether the line ends in a hyphen that may break a word."""
    return text.endswith(_HYPHENS) and text[-2:-1].isalnum()


def joined(lines: Sequence[str], words: Vocabulary) -> str:
    """Return the lines as one line of text."""
    text = ""
    for line in lines:
        text = _appended(text, line.strip(), words) if text else line.strip()
    return clean(text)


def _appended(text: str, line: str, words: Vocabulary) -> str:
    if not is_broken(text) or not line[:1].isalnum() or _SUSPENDED.match(line):
        return f"{text} {line}"
    return (text[:-1] + "-" if words.keeps_hyphen(text[:-1], line) else text[:-1]) + line


def clean(text: str) -> str:
    """Return the text with each remaining line-end hyphen (U+0002) as a plain hyphen."""
    return text.replace(HYPHEN, "-")
