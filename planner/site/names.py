"""Names of pages and of places on a page: safe, unique, and the same in every build."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

from planner.trajectory.paths import safe_segment

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_ANCHOR: Final = 60


def page_names(paper_ids: Iterable[str]) -> dict[str, str]:
    """Return a file name without suffix for each paper, unique even if letter case is ignored."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for paper_id in sorted(set(paper_ids)):
        name = safe_segment(paper_id)
        if name != paper_id or name.casefold() in taken:
            name = f"{safe_segment(paper_id[:80])}-{_digest(paper_id)}"
        taken.add(name.casefold())
        names[paper_id] = name
    return names


def anchors(labels: Sequence[str]) -> list[str]:
    """Return an ASCII id for each label of a page; it depends on that label alone.

    No anchor starts with "_", as ids of the page itself do, or holds a "/", as ids of ablations do.
    """
    return [_anchor(label) for label in labels]


def _anchor(label: str) -> str:
    slug = _UNSAFE.sub("-", label)[:_LONGEST_ANCHOR].strip("-._")
    return slug if slug and slug == label.replace(" ", "-") else f"{slug or 'model'}~{_digest(label)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
