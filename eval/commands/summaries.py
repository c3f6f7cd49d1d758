"""Print a scored run: as lines for people, or as one JSON object for programs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from eval.figures import amount
from eval.results import Result
from eval.statistics import Mean
from planner.controls import printable

_METRICS = (
    ("precision", "precision"),
    ("recall", "recall"),
    ("F1", "f1"),
    ("nDCG, published", "ndcg"),
    ("nDCG, plan order", "plan_ndcg"),
)


def print_result(row: Result, folder: Path, *, as_json: bool) -> None:
    """Print the numbers of one run, as lines or as one JSON object."""
    if as_json:
        click.echo(json.dumps(result_json(row, folder), ensure_ascii=False))
    else:
        click.echo(printable("\n".join(_lines(row, folder))))


def result_json(row: Result, folder: Path | None = None) -> dict[str, Any]:
    """Return the numbers of one run as a JSON object; unknown values are null."""
    coverage = {name: getattr(row.coverage, name) for name in ("scored", "unscored", "failed", "absent")}
    return {
        "system": row.run.system,
        "task": row.run.task.value,
        "judge": row.run.judge,
        "repetition": row.run.repetition,
        "output": str(folder) if folder else None,
        "coverage": coverage,
        "k": row.summary.k,
        **{name: mean_json(getattr(row.summary, name)) for _, name in _METRICS},
        "by_k": [{"k": at.k, **{name: mean_json(getattr(at, name)) for _, name in _METRICS}} for at in row.by_k],
        "plan_cost": row.plan_cost,
        "judge_cost": row.judge_cost,
        "reasons": {paper.id: paper.reason for paper in row.run.papers if paper.reason},
    }


def mean_json(mean: Mean | None) -> dict[str, Any] | None:
    """Return a mean as a JSON object, None where there is no mean."""
    if mean is None or not mean.n:
        return None
    return {"mean": mean.mean, "sd": mean.deviation, "low": mean.low, "high": mean.high, "n": mean.n}


def _lines(row: Result, folder: Path) -> Iterator[str]:
    c, at = row.coverage, "" if row.summary.k is None else f", k = {row.summary.k}"
    yield f"{row.run.system}, {row.run.task} task, judged by {row.run.judge}{at}"
    yield f"{c.scored} of {c.papers} papers scored; {c.unscored} unscored, {c.failed} failed, {c.absent} absent"
    yield f"{'':18}{'mean':>6}{'sd':>7}   95 % interval"
    for label, name in _METRICS:
        mean: Mean | None = getattr(row.summary, name)
        if mean is not None and mean.n:
            yield f"{label:18}{amount(mean.mean):>6}{amount(mean.deviation):>7}   {mean.low:.2f} to {mean.high:.2f}"
    yield f"wrote {folder}"
