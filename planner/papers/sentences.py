"""Split the text of papers into sentences."""

import re
from collections.abc import Iterator
from typing import Final

# A full stop after one of these, or after an initial, does not end a sentence.
_SHORTENED: Final = re.compile(
    r"(?:\b(?:e\.g|i\.e|et al|etc|cf|vs|resp|approx|w\.r\.t|a\.k\.a|[Ff]igs?|[Tt]abs?|[Ss]ecs?|[Ee]qs?|[Aa]lgs?|[Aa]pp|"
    r"[Rr]efs?|[Nn]o|[Vv]ol|pp|Dr|Prof)|(?<![Aa]ppendix )(?<![Ss]ection )\b[A-Z])\.$"
)
_END: Final = re.compile(r"[.!?][\"'”’)\]}]*(?=\s+(?:[^\sa-z]|$))|\n\s*\n|(?=\n\s*(?:[-*•–]|\\item\b|\d{1,2}[.)])\s)")


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text, each with the white space after it; joined, they are the text."""
    start = 0
    for match in _END.finditer(text):
        if match[0].startswith(".") and _SHORTENED.search(text[max(start, match.start() - 16) : match.start() + 1]):
            continue
        end = match.end()
        while end < len(text) and text[end].isspace():
            end += 1
        if end > start:
            yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]
