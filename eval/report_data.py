"""Build the report's CSV tables, with numbers in full precision; an unknown number is an empty cell."""

from collections.abc import Iterator, Sequence

from eval.document import Table
from eval.figures import exact
from eval.metrics import Scores
from eval.results import Result, contrasts
from eval.scoring import Summary
from eval.statistics import Mean

_METRICS = ("precision", "recall", "f1", "ndcg", "plan_ndcg")
_PARTS = ("mean", "sd", "low", "high")


def data_tables(rows: Sequence[Result], k: int | None) -> tuple[tuple[str, Table], ...]:
    """Return the tables, each with the stem of its file."""
    return (
        ("report", _main(rows, k)),
        ("report-by-k", _by_k(rows)),
        ("report-differences", _differences(rows)),
        ("report-papers", _papers(rows)),
    )


def _main(rows: Sequence[Result], k: int | None) -> Table:
    counted = ("papers", "scored", "unscored", "failed", "absent")
    columns = ("task", "system", "judge", "repetition", "k", *counted, "n", *_mean_columns())
    return Table(
        (*columns, "plan_cost_usd_per_paper", "judge_cost_usd"),
        tuple(
            (
                *_key(row),
                "" if k is None else str(k),
                *(str(getattr(row.coverage, name)) for name in counted),
                str(row.summary.f1.n),
                *_mean_cells(row.summary),
                exact(row.plan_cost),
                exact(row.judge_cost),
            )
            for row in rows
        ),
    )


def _by_k(rows: Sequence[Result]) -> Table:
    return Table(
        ("task", "system", "judge", "repetition", "k", "n", *_mean_columns()),
        tuple((*_key(row), str(at.k), str(at.f1.n), *_mean_cells(at)) for row in rows for at in row.by_k),
    )


def _differences(rows: Sequence[Result]) -> Table:
    return Table(
        ("task", "judge", "system", "against", "n", "f1_difference", "low", "high", "p", "p_holm"),
        tuple(
            (
                c.a.run.task.value,
                c.a.run.judge,
                c.a.run.system,
                c.b.run.system,
                str(c.f1.n),
                *map(exact, (c.f1.mean, c.f1.low, c.f1.high, c.f1.p, c.holm)),
            )
            for c in contrasts(rows)
        ),
    )


def _papers(rows: Sequence[Result]) -> Table:
    columns = ("task", "system", "judge", "repetition", "paper", "status", "reason", *_METRICS)
    return Table(
        (*columns, "gold", "planned", "plan_cost_usd", "judge_cost_usd", "replies", "flags", "warnings"),
        tuple(
            (
                *_key(row),
                paper.id,
                paper.status.value,
                paper.reason,
                *_score_cells(row.scores.get(paper.id)),
                str(paper.suggestions),
                str(len(paper.plan)),
                exact(paper.plan_cost),
                exact(paper.judge_cost),
                str(paper.asked),
                "; ".join(paper.flags),
                "; ".join(paper.warnings),
            )
            for row in rows
            for paper in row.run.papers
        ),
    )


def _key(row: Result) -> tuple[str, ...]:
    return (row.run.task.value, row.run.system, row.run.judge, str(row.run.repetition))


def _mean_columns() -> Iterator[str]:
    return (f"{metric}_{part}" for metric in _METRICS for part in _PARTS)


def _mean_cells(summary: Summary) -> Iterator[str]:
    for metric in _METRICS:
        mean: Mean | None = getattr(summary, metric)
        parts = (mean.mean, mean.deviation, mean.low, mean.high) if mean else (None,) * len(_PARTS)
        yield from map(exact, parts)


def _score_cells(scores: Scores | None) -> Iterator[str]:
    return (exact(getattr(scores, metric) if scores else None) for metric in _METRICS)
