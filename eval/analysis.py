"""Measure how well the analysis finds reported ablations and metrics, against labels made by hand."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from planner.analysis.analyse import analyse
from planner.errors import PaperError
from planner.matching.assignment import best_assignment
from planner.matching.words import stems
from planner.papers.load import load

SHARE: Final = 0.6
"""The least share of a finding's stems that a label must contain for the two to match."""


@dataclass(frozen=True, slots=True)
class Label:
    """A person's reading of one paper: the texts of its ablations and the names of its metrics."""

    paper: Path
    ablations: tuple[str, ...]
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of labels (`recalled` of them found) and of findings (`right` of them in a label)."""

    labels: int
    recalled: int
    found: int
    right: int

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.labels + other.labels,
            self.recalled + other.recalled,
            self.found + other.found,
            self.right + other.right,
        )

    @property
    def recall(self) -> float | None:
        """The share of the labels that were found, None without labels."""
        return self.recalled / self.labels if self.labels else None

    @property
    def precision(self) -> float | None:
        """The share of the findings that are in a label, None without findings."""
        return self.right / self.found if self.found else None


@dataclass(frozen=True, slots=True)
class Measured:
    """The counts of one paper."""

    id: str
    ablations: Tally
    metrics: Tally


def tally(found: Sequence[str], labels: Sequence[str]) -> Tally:
    """Compare by stems: a label needs a finding of its own to be recalled; a finding is right if any label holds it."""
    held = [[_held(label, text) for text in found] for label in labels]
    right = sum(any(column) for column in zip(*held, strict=True)) if held else 0
    return Tally(len(labels), len(best_assignment(held)), len(found), right)


def measure(folder: Path, warn: Callable[[str], None] = lambda _: None) -> Iterator[Measured]:
    """Analyse every labelled paper of a folder; pass the error of an unreadable one to `warn` and go on.

    A label is `<id>.json` beside the paper, or `meta.json` inside a paper's source folder.
    """
    for path in (*sorted(folder.glob("*.json")), *sorted(folder.glob("*/meta.json"))):
        if (label := read_label(path)) is None:
            continue
        try:
            analysis = analyse(load(str(label.paper)))
        except PaperError as error:
            warn(str(error))
            continue
        parts = [f"{one.part} {one.replacement}".strip() for one in analysis.reported_ablations]
        names = [metric.name for metric in analysis.metrics]
        yield Measured(label.paper.stem, tally(parts, label.ablations), tally(names, label.metrics))


def read_label(path: Path) -> Label | None:
    """Read a label from a JSON file; return None if the file is not a label or has no paper beside it."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        return None
    if path.name == "meta.json":
        return _source_label(path.parent, data)
    paper = next((p for p in sorted(path.parent.glob(f"{path.stem}.*")) if p != path), None)
    if paper is None or "ablations" not in data:
        return None
    told = (" ".join((one["name"], one["ablated_part"], *one["replacement"])) for one in data["ablations"])
    return Label(paper, tuple(told), tuple(data["metrics"]))


def _source_label(folder: Path, data: dict[str, Any]) -> Label | None:
    if "ablated_components" not in data:
        return None
    return Label(folder, tuple(data["ablated_components"]), tuple(data["metrics"]))


def _held(label: str, text: str) -> float:
    """Return the share of a finding's stems that a label contains, 0 if it is below `SHARE`."""
    said = set(stems(text))
    share = len(said & set(stems(label))) / len(said) if said else 0.0
    return share if share >= SHARE else 0.0


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def analysis(folder: Path) -> None:
    """Measure recall and precision of the reported ablations and metrics on a FOLDER of labelled papers.

    A label is a JSON file beside its paper (`ablations`, `metrics`), or a meta.json inside a paper's source folder
    (`ablated_components`, `metrics`).

    A finding matches a label if the label (name, ablated part and replacements) contains 60 % of the finding's words,
    stemmed and without stop words; each label needs a finding of its own.
    """
    measured = list(measure(folder, lambda message: click.echo(message, err=True)))
    if not measured:
        raise click.UsageError(f"no labelled papers (<id>.json beside the paper, or <id>/meta.json) in {str(folder)!r}")
    for line in report(measured):
        click.echo(line)


def report(measured: Iterable[Measured]) -> Iterator[str]:
    """Yield the lines of the table: one for each paper, then the sums over all papers."""
    yield f"{'paper':32}  {'ablations':>21}  {'metrics':>21}"
    yield f"{'':32}  {'recall':>10} {'precision':>10}  {'recall':>10} {'precision':>10}"
    ablations = metrics = Tally(0, 0, 0, 0)
    for one in measured:
        yield _row(one.id, one.ablations, one.metrics)
        ablations, metrics = ablations + one.ablations, metrics + one.metrics
    yield _row("all", ablations, metrics)
    for name, total in (("ablations", ablations), ("metrics", metrics)):
        yield f"{name}: recall {_share(total.recall)}, precision {_share(total.precision)}, over {total.labels} labels"


def _row(name: str, ablations: Tally, metrics: Tally) -> str:
    cells = [f"{one.recalled}/{one.labels:<2} {one.right:>7}/{one.found:<3}" for one in (ablations, metrics)]
    return f"{name[:32]:32}  {cells[0]:>21}  {cells[1]:>21}"


def _share(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"
