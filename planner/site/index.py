"""The rows of the index, packed for the page's script."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from planner.sanitize import clean_text
from planner.schema import Ablation, Action
from planner.site.copies import choose_headline
from planner.site.views import PaperView

_ACTIONS: Final = tuple(Action)


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One paper planned by one model.

    `page` is the page's file name without suffix and `anchor` the model's place on it; `shared` is the number of
    ablations that another model proposes too; `cost` is in USD, None if it is not known.
    """

    page: str
    title: str
    anchor: str
    model: str
    task: str
    outcome: str
    ablations: tuple[Ablation, ...]
    shared: int
    cost: float | None


def build_rows(page: str, view: PaperView) -> Iterator[IndexRow]:
    """Yield the rows of the paper that a page shows."""
    for panel in view.panels:
        yield IndexRow(
            page=page,
            title=view.title,
            anchor=panel.anchor,
            model=panel.entry.model_name,
            task=panel.entry.task,
            outcome=panel.entry.outcome,
            ablations=panel.entry.ablations,
            shared=panel.shared,
            cost=panel.entry.cost,
        )


def pack_rows(rows: Iterable[IndexRow]) -> dict[str, JsonValue]:
    """Return the rows as JSON in which every repeated name is a number; `assets/index.js` unpacks it."""
    models, tasks, outcomes, papers = _Numbering(), _Numbering(), _Numbering(), _Numbering()
    cells: list[JsonValue] = [
        [
            papers.assign_number(row.page, row.title),
            models.assign_number(row.model),
            tasks.assign_number(row.task),
            outcomes.assign_number(row.outcome),
            row.shared,
            None if row.cost is None else float(f"{row.cost:.6g}"),
            row.anchor,
            [_pack_ablation(ablation) for ablation in row.ablations],
        ]
        for row in rows
    ]
    return {
        "actions": list(_ACTIONS),
        "papers": [list(texts) for texts in papers.numbers],
        "models": [name for (name,) in models.numbers],
        "tasks": [name for (name,) in tasks.numbers],
        "outcomes": [name for (name,) in outcomes.numbers],
        "rows": cells,
    }


class _Numbering:
    """A numbering of tuples of texts, in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, ...], int] = {}

    def assign_number(self, *texts: str) -> int:
        return self.numbers.setdefault(tuple(clean_text(text).text for text in texts), len(self.numbers))


def _pack_ablation(ablation: Ablation) -> JsonValue:
    """Return the action's number, the text to show, and the other text to search."""
    shown = choose_headline(ablation)
    other = ablation.ablated_part if shown == ablation.name else ablation.name
    return [_ACTIONS.index(ablation.action), clean_text(shown).text, "" if other == shown else clean_text(other).text]
