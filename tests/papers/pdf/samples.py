"""Text to fill pages with, and a small paper that a test can vary."""

from collections.abc import Sequence

from tests.papers.pdf.make import BOLD, Page

_SENTENCE = (
    "the learner sees a stream of inputs and keeps what it needs in a small store while the rest is forgotten so that "
    "later queries are answered from the store alone which we show to be enough for most of the tasks at hand"
)
WORDS = _SENTENCE.split()


def prose(count: int, start: int = 0) -> str:
    """Return `count` words; texts with different starts soon differ."""
    return " ".join(WORDS[(start + at * 7) % len(WORDS)] for at in range(count))


def wrapped(text: str, characters: int) -> list[str]:
    """Split the text into lines of at most so many characters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > characters:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def column(page: Page, x: float, top: float, text: str, characters: int = 90) -> float:
    """Set the text in lines of 10 points, and return the baseline below."""
    lines = wrapped(text, characters)
    page.lines(x, top, lines)
    return top - 12 * len(lines)


def heading(page: Page, x: float, y: float, text: str, size: float = 12) -> None:
    page.text(x, y, text, size, BOLD)


def paper_pages(headings: Sequence[str], title: str = "Small Stores Suffice for Long Streams") -> list[Page]:
    """Return a one-column paper, two sections a page, with a title, authors and an abstract on the first."""
    first = Page()
    first.text(120, 720, title, 17, BOLD)
    first.text(240, 690, "A. Author and B. Author", 11)
    heading(first, 280, 660, "Abstract")
    y = column(first, 100, 640, "Abstract text says " + prose(60, 3) + ".", 80)
    pages = [first]
    for at, name in enumerate(headings):
        if at and at % 2 == 0:
            pages.append(Page())
            y = 720
        heading(pages[-1], 72, y - 24, name)
        y = column(pages[-1], 72, y - 44, f"Section {at} starts. " + prose(90, at) + ".")
    return pages
