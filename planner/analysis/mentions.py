"""Find all mentions of many known names in one pass through a text."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

_TOKEN: Final = re.compile(r"[^\W_]+")
_LONGEST: Final = 10  # words of a name that are compared


class NameIndex:
    """An index of names to search for, each with an acronym or ""; only acronyms are case-sensitive."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._numbers: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, (name, acronym) in enumerate(names):
            for key in {_key(name.lower()), _key(acronym)} - {()}:
                self._numbers[key].append(number)
        self._lengths = sorted({len(key) for key in self._numbers}, reverse=True)

    def mentions(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the number of each name in a text and its offset, in order; names count from 0."""
        tokens = [(match[0], match.start()) for match in _TOKEN.finditer(text)]
        for at, (_, start) in enumerate(tokens):
            for length in self._lengths:
                if at + length > len(tokens):
                    continue
                written = tuple(word for word, _ in tokens[at : at + length])
                lowered = tuple(word.lower() for word in written)
                for key in {written, lowered}:
                    for number in self._numbers.get(key, ()):
                        yield number, start


def _key(name: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(name))[:_LONGEST]
