"""Read the outline that a PDF carries, and find the lines that print its section titles."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

import pypdfium2

from planner.papers.pdf.headline import MAX_LINES, Headline, letters, number_of, unnumbered
from planner.papers.pdf.hyphens import Vocabulary, joined
from planner.papers.pdf.lines import Line

_MAX_ITEMS: Final = 1000
_MAX_DEPTH: Final = 8
_ALIKE: Final = 0.86
_EXACT_BELOW: Final = 6  # letters; shorter titles resemble each other too much


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """A title in the outline; `level` and `page` count from 1, and `page` is None if the item leads to no page."""

    title: str
    level: int
    page: int | None


def outline_of(document: pypdfium2.PdfDocument) -> tuple[OutlineItem, ...]:
    """Return the outline's items in order; a single item that holds all others is left out and they move up a level."""
    items: list[OutlineItem] = []
    for bookmark in document.get_toc(max_depth=_MAX_DEPTH):
        if len(items) >= _MAX_ITEMS:
            break
        title = " ".join(bookmark.get_title().replace("\x00", "").split())
        destination = bookmark.get_dest()
        index = destination.get_index() if destination else None
        items.append(OutlineItem(title, bookmark.level + 1, None if index is None else index + 1))
    return _shifted(items)


def _shifted(items: list[OutlineItem]) -> tuple[OutlineItem, ...]:
    tops = [item for item in items if item.level == 1]
    if len(items) > 2 and len(tops) == 1 and items[0].level == 1:
        return tuple(OutlineItem(item.title, item.level - 1, item.page) for item in items[1:])
    return tuple(items)


def locate(
    items: Sequence[OutlineItem], lines: Sequence[Line], words: Vocabulary
) -> tuple[list[Headline], list[OutlineItem]]:
    """Return the headings that print the outline's titles, in order, and the items that no line prints."""
    printed = _Printed(lines, words)
    found: list[Headline] = []
    missing: list[OutlineItem] = []
    after = -1
    for item in items:
        headline = printed.find(item, after)
        if headline is None and not printed.runs_in(item):
            missing.append(item)
        elif headline is not None:
            found.append(headline)
            after = headline.at + headline.lines - 1
    return found, missing


class _Printed:
    """The lines of a paper, prepared to look up titles by page."""

    def __init__(self, lines: Sequence[Line], words: Vocabulary) -> None:
        self._lines = lines
        self._words = words
        self._wholes = [letters(line.bare) for line in lines]
        self._starts = [
            letters(unnumbered(line.bare)) if number_of(line.bare) else whole
            for line, whole in zip(lines, self._wholes, strict=True)
        ]
        self._pages: dict[int, list[int]] = {}
        for at, line in enumerate(lines):
            self._pages.setdefault(line.page, []).append(at)

    def find(self, item: OutlineItem, after: int) -> Headline | None:
        """Return an item's heading after a given line, on the item's page or else on a neighbouring one, or None."""
        title = _Title(item.title)
        if item.page is None or not title.letters:
            return None
        for page in (item.page, item.page + 1, item.page - 1):
            best = (0.0, 0, 0)
            for at in self._pages.get(page, []):
                if at > after and len(self._starts[at]) <= title.longest:  # hardly a line of running text is as short
                    best = max(best, self._best_from(at, title))
            score, at, count = best
            if score:
                text = joined([line.bare for line in self._lines[at : at + count]], self._words)
                return Headline(at, count, text, item.level)
        return None

    def runs_in(self, item: OutlineItem) -> bool:
        """Return whether a line of the item's page begins with its title, without number, and goes on with text."""
        wanted = letters(unnumbered(item.title))
        on_page = self._pages.get(item.page, []) if item.page else []
        return bool(wanted) and any(wanted in self._starts[at][: len(wanted) + 2] for at in on_page)

    def _best_from(self, at: int, title: "_Title") -> tuple[float, int, int]:
        """Return the best score of the lines from an index, the index and their number; a score of 0 is no match."""
        got, best = self._starts[at], (0.0, at, 1)
        for count in range(1, MAX_LINES + 1):
            score = self._score(got, title, at)
            if score > best[0]:
                best = score, at, count
            if len(got) >= len(title.letters) or at + count >= len(self._lines):
                break
            got += self._wholes[at + count]
        return best

    def _score(self, got: str, title: "_Title", at: int) -> float:
        alike = title.likeness(got)
        if not alike:
            return 0.0
        line = self._lines[at]
        return alike + 0.02 * line.bold + 0.02 * bool(number_of(line.bare)) + 0.001 * min(line.size, 20)


class _Title:
    """The letters of a title, to compare with many lines; a much longer text never matches."""

    def __init__(self, text: str) -> None:
        self.letters = letters(unnumbered(text))
        self._most_apart = 0.3 * len(self.letters) + 1
        self.longest = len(self.letters) + self._most_apart
        self._least = _ALIKE if len(self.letters) >= _EXACT_BELOW else 1.0
        self._matcher = SequenceMatcher(None, "", self.letters, autojunk=False)

    def likeness(self, got: str) -> float:
        """Return the share of letters that both texts have in the same order, or 0 if it is too small to count."""
        if got == self.letters:
            return 1.0
        if abs(len(got) - len(self.letters)) > self._most_apart:
            return 0.0
        self._matcher.set_seq1(got)
        if self._matcher.quick_ratio() < self._least:  # rules out most lines cheaply
            return 0.0
        alike = self._matcher.ratio()
        return alike if alike >= self._least else 0.0
