"""The outline that a PDF carries: its section titles with the pages that they are on."""

from dataclasses import dataclass
from typing import Final

import pypdfium2

_MAX_ITEMS: Final = 2000
_MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """A title in the outline; `level` and `page` count from 1, `page` is None where it leads nowhere."""

    title: str
    level: int
    page: int | None


def outline_of(document: pypdfium2.PdfDocument) -> tuple[OutlineItem, ...]:
    """The outline's items in order, levels shifted so that sections have 1 where one item holds all the others."""
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
