"""Build the section and the CSV tables of a report on masked papers: ranks of the answers, and paired differences."""

from collections.abc import Iterator, Sequence
from typing import Final

from eval.masked import MASKED_MEASURES, count_unchecked_papers, summarize_masked_scores
from eval.report import plots
from eval.report.document import ReportSection, Table
from eval.scoring import RunResult, SystemDifference, compare_masked_results
from eval.statistics import (
    MEAN_PARTS,
    Mean,
    format_difference,
    format_exact,
    format_exact_difference,
    format_exact_mean,
    format_interval,
    format_number,
)

_KEY_COLUMNS: Final = ("system", "judge", "repetition")
_TEXT: Final = (
    "An ablation was taken out of the text of each paper, and the reviewer should find what is missing. A rank counts "
    "the ablations of the plan first and then those that the planner considered and did not keep. hit@k: the share of "
    "papers with an answer among the first k. In the plan: among those kept. Already reported: the share of the "
    "planned ablations that the text seems to report, by words; unknown for plans that were not checked.",
    "Each p is two-sided, from the sign-flip permutation test on the papers in common. Holm's adjustment accounts for "
    "all pairs of systems of a judge, for each measure apart; decide by the reciprocal rank.",
)


def build_masked_section(results: Sequence[RunResult], with_pictures: bool) -> tuple[ReportSection, ...]:
    """Build the section on masked papers; return an empty tuple if no run has any."""
    masked = [result for result in results if result.record.is_masked]
    if not masked:
        return ()
    summaries = [summarize_masked_scores(result.masked_scores) for result in masked]
    tables = [
        Table(
            ("System", "Papers scored", *map(_format_name, MASKED_MEASURES), "Not checked"),
            tuple(_scores_row(result, means) for result, means in zip(masked, summaries, strict=True)),
        )
    ]
    if differences := compare_masked_results(masked):
        columns = ("System", "against", "Measure", "Papers in common", "Difference", "95 % interval", "p", "p, Holm")
        tables.append(Table(columns, tuple(map(_difference_row, differences))))
    curves = tuple(
        plots.MeanCurve(result.label, tuple(mean for name, mean in means.items() if name.startswith("hit@")))
        for result, means in zip(masked, summaries, strict=True)
        if result.masked_scores
    )
    caption = "Share of masked papers with an answer among the first k ablations, with its 95 % bootstrap interval."
    panels = [plots.Panel("Masked papers", curves)]
    pictures = (plots.draw_curves("hits-by-k", caption, "hit@k (0 to 1)", panels),) if with_pictures and curves else ()
    return (ReportSection("Masked papers", _TEXT, pictures, tuple(tables)),)


def build_masked_csv_tables(results: Sequence[RunResult]) -> tuple[tuple[str, Table], ...]:
    """Return the tables on masked papers, each with the stem of its file; an empty tuple if no run has any."""
    masked = [result for result in results if result.record.is_masked]
    if not masked:
        return ()
    means = [f"{name}_{part}" for name in MASKED_MEASURES for part in MEAN_PARTS]
    differences = ("measure", "judge", "system", "against", "n", "difference", "low", "high", "p", "p_holm")
    papers = (*_KEY_COLUMNS, "paper", "status", "rank", *MASKED_MEASURES)
    return (
        ("report-masked", Table((*_KEY_COLUMNS, "n", *means), tuple(map(_summary_cells, masked)))),
        ("report-masked-papers", Table(papers, tuple(row for result in masked for row in _paper_rows(result)))),
        (
            "report-masked-differences",
            Table(differences, tuple(map(_exact_difference_row, compare_masked_results(masked)))),
        ),
    )


def _format_name(measure: str) -> str:
    return measure.replace("_", " ").capitalize() if "@" not in measure else measure


def _format_mean(mean: Mean) -> str:
    return f"{format_number(mean.mean)} ({format_interval(mean)})" if mean.n else "unknown"


def _scores_row(result: RunResult, means: dict[str, Mean]) -> tuple[str, ...]:
    scored = f"{result.coverage.scored} of {result.coverage.papers}"
    unchecked = str(count_unchecked_papers(result.masked_scores))
    return (result.label, scored, *map(_format_mean, means.values()), unchecked)


def _difference_row(each: SystemDifference) -> tuple[str, ...]:
    names = (each.a.label, each.b.label, _format_name(each.measure))
    return (*names, *format_difference(each.difference, each.adjusted_p))


def _key_cells(result: RunResult) -> tuple[str, ...]:
    return (result.record.system, result.record.judge, str(result.record.repetition))


def _summary_cells(result: RunResult) -> tuple[str, ...]:
    means = summarize_masked_scores(result.masked_scores).values()
    cells = (cell for mean in means for cell in format_exact_mean(mean))
    return (*_key_cells(result), str(len(result.masked_scores)), *cells)


def _paper_rows(result: RunResult) -> Iterator[tuple[str, ...]]:
    for paper in result.record.papers:
        scores = result.masked_scores.get(paper.id)
        rank = "" if scores is None or scores.rank is None else str(scores.rank)
        values = (_format_value(measure(scores)) if scores else "" for measure in MASKED_MEASURES.values())
        yield (*_key_cells(result), paper.id, paper.status.value, rank, *values)


def _format_value(value: float | None) -> str:
    return format_exact(None if value is None else float(value))  # a hit is true or false


def _exact_difference_row(each: SystemDifference) -> tuple[str, ...]:
    names = (each.measure, each.a.record.judge, each.a.record.system, each.b.record.system)
    return (*names, *format_exact_difference(each.difference, each.adjusted_p))
