"""The rows of the index, packed for the page's script."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from planner.controls import clean
from planner.schema import Ablation, Action
from planner.site.headlines import headline
from planner.site.views import PaperView

_ACTIONS: Final = tuple(Action)


@dataclass(frozen=True, slots=True)
class Row:
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


def rows_of(page: str, view: PaperView) -> Iterator[Row]:
    """Yield the rows of the paper that a page shows."""
    for panel in view.panels:
        yield Row(
            page=page,
            title=view.title,
            anchor=panel.anchor,
            model=panel.entry.model_name,
            task=panel.entry.task,
            outcome=panel.entry.outcome,
            ablations=panel.entry.ablations,
            shared=sum(bool(card.twins) for card in panel.cards),
            cost=panel.entry.cost,
        )


def packed(rows: Iterable[Row]) -> dict[str, JsonValue]:
    """Return the rows as JSON in which every repeated name is a number; `assets/index.js` unpacks it."""
    models, tasks, outcomes, papers = _Numbered(), _Numbered(), _Numbered(), _Numbered()
    cells: list[JsonValue] = [
        [
            papers.number(row.page, row.title),
            models.number(row.model),
            tasks.number(row.task),
            outcomes.number(row.outcome),
            row.shared,
            None if row.cost is None else float(f"{row.cost:.6g}"),
            row.anchor,
            [_ablation(ablation) for ablation in row.ablations],
        ]
        for row in rows
    ]
    return {
        "actions": list(_ACTIONS),
        "papers": [list(known) for known in papers.known],
        "models": [name for (name,) in models.known],
        "tasks": [name for (name,) in tasks.known],
        "outcomes": [name for (name,) in outcomes.known],
        "rows": cells,
    }


class _Numbered:
    """A numbering of tuples of texts, in the order in which they come."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, ...], int] = {}

    def number(self, *texts: str) -> int:
        return self.known.setdefault(tuple(clean(text).text for text in texts), len(self.known))


def _ablation(ablation: Ablation) -> JsonValue:
    """Return the action's number, the text to show, and the other text to search."""
    shown = headline(ablation)
    other = ablation.ablated_part if shown == ablation.name else ablation.name
    return [_ACTIONS.index(ablation.action), clean(shown).text, "" if other == shown else clean(other).text]
