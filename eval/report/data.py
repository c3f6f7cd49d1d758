"""Build the report's CSV tables, with numbers in full precision; an unknown number is an empty cell."""

from collections.abc import Iterator, Sequence
from typing import Final

from eval.metrics import PaperScores
from eval.report.document import Table
from eval.report.masked import build_masked_csv_tables
from eval.scoring import RunResult, ScoreSummary, compare_results
from eval.statistics import MEAN_PARTS, format_exact, format_exact_difference, format_exact_mean

_METRICS: Final = ("precision", "recall", "f1", "ndcg", "plan_ndcg")


def build_csv_tables(results: Sequence[RunResult], k: int | None) -> tuple[tuple[str, Table], ...]:
    """Return the tables, each with the stem of its file."""
    return (
        ("report", _build_main_table(results, k)),
        ("report-by-k", _build_by_k_table(results)),
        ("report-differences", _build_differences_table(results)),
        ("report-papers", _build_papers_table(results)),
        *build_masked_csv_tables(results),
    )


def _build_main_table(results: Sequence[RunResult], k: int | None) -> Table:
    counted = ("papers", "scored", "unscored", "failed", "absent")
    columns = ("task", "system", "judge", "repetition", "k", *counted, "n", *_mean_columns())
    return Table(
        (*columns, "plan_cost_usd_per_paper", "judge_cost_usd"),
        tuple(
            (
                *_key_cells(result),
                "" if k is None else str(k),
                *(str(getattr(result.coverage, name)) for name in counted),
                str(result.summary.f1.n),
                *_mean_cells(result.summary),
                format_exact(result.plan_cost),
                format_exact(result.judge_cost),
            )
            for result in results
        ),
    )


def _build_by_k_table(results: Sequence[RunResult]) -> Table:
    return Table(
        ("task", "system", "judge", "repetition", "k", "n", *_mean_columns()),
        tuple(
            (*_key_cells(result), str(at.k), str(at.f1.n), *_mean_cells(at)) for result in results for at in result.by_k
        ),
    )


def _build_differences_table(results: Sequence[RunResult]) -> Table:
    return Table(
        ("task", "judge", "system", "against", "n", "f1_difference", "low", "high", "p", "p_holm"),
        tuple(
            (
                c.a.record.task.value,
                c.a.record.judge,
                c.a.record.system,
                c.b.record.system,
                *format_exact_difference(c.difference, c.adjusted_p),
            )
            for c in compare_results(results)
        ),
    )


def _build_papers_table(results: Sequence[RunResult]) -> Table:
    columns = ("task", "system", "judge", "repetition", "paper", "status", "reason", *_METRICS)
    return Table(
        (*columns, "gold", "planned", "plan_cost_usd", "judge_cost_usd", "replies", "flags", "warnings"),
        tuple(
            (
                *_key_cells(result),
                paper.id,
                paper.status.value,
                paper.reason,
                *_score_cells(result.scores.get(paper.id)),
                str(paper.suggestions),
                str(len(paper.plan)),
                format_exact(paper.plan_cost),
                format_exact(paper.judge_cost),
                str(paper.asked),
                "; ".join(paper.flags),
                "; ".join(paper.warnings),
            )
            for result in results
            for paper in result.record.papers
        ),
    )


def _key_cells(result: RunResult) -> tuple[str, ...]:
    return (result.record.task.value, result.record.system, result.record.judge, str(result.record.repetition))


def _mean_columns() -> Iterator[str]:
    return (f"{metric}_{part}" for metric in _METRICS for part in MEAN_PARTS)


def _mean_cells(summary: ScoreSummary) -> Iterator[str]:
    for metric in _METRICS:
        yield from format_exact_mean(getattr(summary, metric))


def _score_cells(scores: PaperScores | None) -> Iterator[str]:
    return (format_exact(getattr(scores, metric) if scores else None) for metric in _METRICS)
