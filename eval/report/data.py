"""Build the report's CSV tables, with numbers in full precision; an unknown number is an empty cell."""

from collections.abc import Iterator, Sequence

from eval.metrics import PaperScores
from eval.report.document import Table
from eval.scoring import RunResult, ScoreSummary, compare_results
from eval.statistics import Mean, format_exact

_METRICS = ("precision", "recall", "f1", "ndcg", "plan_ndcg")
_MEAN_PARTS = ("mean", "sd", "low", "high")


def build_csv_tables(results: Sequence[RunResult], k: int | None) -> tuple[tuple[str, Table], ...]:
    """Return the tables, each with the stem of its file."""
    return (
        ("report", _build_main_table(results, k)),
        ("report-by-k", _build_by_k_table(results)),
        ("report-differences", _build_differences_table(results)),
        ("report-papers", _build_papers_table(results)),
    )


def _build_main_table(rows: Sequence[RunResult], k: int | None) -> Table:
    counted = ("papers", "scored", "unscored", "failed", "absent")
    columns = ("task", "system", "judge", "repetition", "k", *counted, "n", *_mean_columns())
    return Table(
        (*columns, "plan_cost_usd_per_paper", "judge_cost_usd"),
        tuple(
            (
                *_key_cells(row),
                "" if k is None else str(k),
                *(str(getattr(row.coverage, name)) for name in counted),
                str(row.summary.f1.n),
                *_mean_cells(row.summary),
                format_exact(row.plan_cost),
                format_exact(row.judge_cost),
            )
            for row in rows
        ),
    )


def _build_by_k_table(rows: Sequence[RunResult]) -> Table:
    return Table(
        ("task", "system", "judge", "repetition", "k", "n", *_mean_columns()),
        tuple((*_key_cells(row), str(at.k), str(at.f1.n), *_mean_cells(at)) for row in rows for at in row.by_k),
    )


def _build_differences_table(rows: Sequence[RunResult]) -> Table:
    return Table(
        ("task", "judge", "system", "against", "n", "f1_difference", "low", "high", "p", "p_holm"),
        tuple(
            (
                c.a.run.task.value,
                c.a.run.judge,
                c.a.run.system,
                c.b.run.system,
                str(c.f1.n),
                *map(format_exact, (c.f1.mean, c.f1.low, c.f1.high, c.f1.p, c.adjusted_p)),
            )
            for c in compare_results(rows)
        ),
    )


def _build_papers_table(rows: Sequence[RunResult]) -> Table:
    columns = ("task", "system", "judge", "repetition", "paper", "status", "reason", *_METRICS)
    return Table(
        (*columns, "gold", "planned", "plan_cost_usd", "judge_cost_usd", "replies", "flags", "warnings"),
        tuple(
            (
                *_key_cells(row),
                paper.id,
                paper.status.value,
                paper.reason,
                *_score_cells(row.scores.get(paper.id)),
                str(paper.suggestions),
                str(len(paper.plan)),
                format_exact(paper.plan_cost),
                format_exact(paper.judge_cost),
                str(paper.asked),
                "; ".join(paper.flags),
                "; ".join(paper.warnings),
            )
            for row in rows
            for paper in row.run.papers
        ),
    )


def _key_cells(row: RunResult) -> tuple[str, ...]:
    return (row.run.task.value, row.run.system, row.run.judge, str(row.run.repetition))


def _mean_columns() -> Iterator[str]:
    return (f"{metric}_{part}" for metric in _METRICS for part in _MEAN_PARTS)


def _mean_cells(summary: ScoreSummary) -> Iterator[str]:
    for metric in _METRICS:
        mean: Mean | None = getattr(summary, metric)
        parts = (mean.mean, mean.deviation, mean.low, mean.high) if mean else (None,) * len(_MEAN_PARTS)
        yield from map(format_exact, parts)


def _score_cells(scores: PaperScores | None) -> Iterator[str]:
    return (format_exact(getattr(scores, metric) if scores else None) for metric in _METRICS)
