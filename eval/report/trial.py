"""Build the report on a trial: the report on its judged runs, with what tells its arms apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

from eval.calibration import Calibration, CalibrationRow, measure_calibration
from eval.gold import GoldSet
from eval.matching import match_ablations
from eval.plans import System, pair_papers
from eval.report.build import build_report
from eval.report.document import Document, ReportSection, Table
from eval.report.plots import ChanceCurve, Panel, draw_chances
from eval.scoring import RunResult
from eval.statistics import UNKNOWN_NUMBER, format_number, format_percent, format_usd
from eval.verdicts import AuthorVerdict, Verdict
from planner.planning.record import sum_costs_if_all_known
from planner.schema import Ablation

_MAX_SHOWN_ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """An ablation that a judge finds in a plan and in the gold: the gold's name, or where it has none the plan's."""

    name: str
    ablation: Ablation | None

    def is_same(self, other: "Hit") -> bool:
        """Return True if another arm's hit is the same ablation."""
        if self.ablation is None or other.ablation is None:
            return self.name == other.name
        return bool(match_ablations([self.ablation], [other.ablation]))


def build_trial_report(
    results: Sequence[RunResult],
    gold: GoldSet,
    systems: Sequence[System],
    combined: Sequence[str],
    *,
    with_pictures: bool = True,
) -> Document:
    """Return the report: `results` are the scores of each arm by each judge, `systems` the plans of each arm.

    `combined` holds the names of the arms that combine others.

    Raises:
        UsageError: if `with_pictures` is true and matplotlib is not installed.
    """
    arms, calibrations = _build_arms_table(systems), _measure_calibrations(results)
    calibration = Table(_CALIBRATION_COLUMNS, tuple(_calibration_rows(calibrations)))
    unique = _build_unique_table([r for r in results if r.record.system not in combined], gold, systems)
    sections = (
        ReportSection(
            "Cost of a plan",
            ("Means over the papers that have a plan. A combination costs as much as the plans that it combines.",),
            tables=(arms,),
        ),
        ReportSection(
            "Score of each paper",
            ("F1, or on masked papers the reciprocal rank of the answer.",),
            tables=_build_paper_tables(results),
        ),
        _build_unique_section(unique),
        _build_calibration_section(calibration, calibrations, with_pictures),
    )
    report = build_report(results, with_pictures=with_pictures, further_sections=sections)
    return replace(
        report,
        title="A trial of ways to plan",
        csv_tables=(*report.csv_tables, ("arms", arms), ("found-by-one-arm", unique), ("calibration", calibration)),
    )


def _build_arms_table(systems: Sequence[System]) -> Table:
    columns = ("Arm", "Plans", "Ablations per plan", "USD per plan", "Tokens per plan")
    return Table(columns, tuple(map(_arm_row, systems)))


def _arm_row(system: System) -> tuple[str, ...]:
    planned = [paper for paper in system.papers.values() if paper.ablations]
    if not planned:
        return (system.name, "0", *(UNKNOWN_NUMBER,) * 3)
    cost = sum_costs_if_all_known(paper.cost for paper in planned)
    tokens = sum_costs_if_all_known(paper.tokens for paper in planned)
    return (
        system.name,
        str(len(planned)),
        format_number(fmean(len(paper.ablations) for paper in planned)),
        format_usd(None if cost is None else cost / len(planned)),
        "?" if tokens is None else f"{tokens / len(planned):,.0f}",
    )


def _build_paper_tables(results: Sequence[RunResult]) -> tuple[Table, ...]:
    """Return a table for each judge: a row for each paper, and a column for each arm."""
    tables = []
    for judge, judged in _group_by_judge(results).items():
        papers = dict.fromkeys(paper.id for result in judged for paper in result.record.papers)
        rows = tuple((paper, *(_format_score(result, paper) for result in judged)) for paper in papers)
        tables.append(Table((f"Paper, judged by {judge}", *(result.record.system for result in judged)), rows))
    return tuple(tables)


def _group_by_judge(results: Sequence[RunResult]) -> dict[str, list[RunResult]]:
    groups: dict[str, list[RunResult]] = {}
    for result in results:
        groups.setdefault(result.record.judge, []).append(result)
    return groups


def _format_score(result: RunResult, paper: str) -> str:
    if paper in result.masked_scores:
        return format_number(result.masked_scores[paper].reciprocal_rank)
    return format_number(result.scores[paper].f1 if paper in result.scores else None)


def _build_unique_table(results: Sequence[RunResult], gold: GoldSet, systems: Sequence[System]) -> Table:
    plans = {
        system.name: {
            pair.gold.id: {a.name: a for a in pair.planned_paper.ablations} if pair.planned_paper else {}
            for pair in pair_papers(gold, system)[0]
        }
        for system in systems
    }
    rows: list[tuple[str, ...]] = []
    for judge, judged in _group_by_judge(results).items():
        for paper in gold.papers:
            hits = {
                result.record.system: _list_hits(
                    result.judged_run.verdicts.get(paper, ()), plans[result.record.system][paper]
                )
                for result in judged
            }
            rows += [(judge, paper, arm, hit.name) for arm, hit in _find_unique_hits(hits)]
    return Table(("Judge", "Paper", "Arm", "Ablation"), tuple(rows))


def _list_hits(verdicts: Sequence[Verdict], plan: Mapping[str, Ablation]) -> list[Hit]:
    """Return what a judge found in a plan; on masked papers, answers that were only considered are left out."""
    return [
        Hit(verdict.judged_name, None if isinstance(verdict, AuthorVerdict) else plan.get(verdict.judged_name))
        for verdict in verdicts
        if (
            any(map(plan.__contains__, verdict.name_in_plan))
            if isinstance(verdict, AuthorVerdict)
            else verdict.is_positive
        )
    ]


def _find_unique_hits(hits: Mapping[str, Sequence[Hit]]) -> Iterator[tuple[str, Hit]]:
    """Yield the hits that only one of several arms has, with the arm."""
    for arm, own in hits.items():
        others = [hit for other, found in hits.items() if other != arm for hit in found]
        if len(hits) > 1:
            yield from ((arm, hit) for hit in own if not any(hit.is_same(other) for other in others))


def _build_unique_section(table: Table) -> ReportSection:
    text = (
        "Ablations that the paper reports or a review asks for, and that only one arm has in its plan; combinations, "
        f"which have what their members have, are left out. There are {len(table.rows)}."
    )
    if len(table.rows) > _MAX_SHOWN_ROWS:
        text += f" The first {_MAX_SHOWN_ROWS} are shown; found-by-one-arm.csv has all."
    shown = Table(table.columns, table.rows[:_MAX_SHOWN_ROWS])
    return ReportSection("Found by one arm only", (text,), tables=(shown,) if shown.rows else ())


_CALIBRATION_COLUMNS: Final = (
    "Arm and judge",
    "Stated",
    "Ablations",
    "Came true",
    "Share",
    "95 % interval",
    "Brier score of the arm",
)


def _measure_calibrations(results: Sequence[RunResult]) -> list[tuple[RunResult, Calibration]]:
    """Return the calibration of each result whose plans state chances."""
    measured = ((result, measure_calibration([result.judged_run])) for result in results)
    return [(result, calibration) for result, calibration in measured if calibration]


def _calibration_rows(calibrations: Sequence[tuple[RunResult, Calibration]]) -> Iterator[tuple[str, ...]]:
    for result, table in calibrations:
        for row in table.rows:
            yield (f"{result.record.system} · {result.record.judge}", *_format_row(row), f"{table.brier:.3f}")


def _format_row(row: CalibrationRow) -> tuple[str, ...]:
    low, high = row.interval
    counts = (f"{row.low} to {row.high} %", str(row.count), str(row.true_count))
    return (*counts, format_percent(row.share), f"{low:.0%} to {high:.0%}")


def _build_calibration_section(
    table: Table, calibrations: Sequence[tuple[RunResult, Calibration]], with_pictures: bool
) -> ReportSection:
    text = (
        "Chances that plans state, and the share of these ablations that came true. To judge unlikely candidates too, "
        "plan with min_chance = 0 and a larger k."
    )
    if not table.rows:
        return ReportSection("Calibration", ("No plan states chances.",))
    curves: dict[str, list[ChanceCurve]] = {}
    for result, calibration in calibrations:
        curves.setdefault(result.record.judge, []).append(ChanceCurve(result.record.system, calibration))
    panels = [Panel(f"Judged by {judge}", tuple(items)) for judge, items in curves.items()]
    caption = "How often ablations of a stated chance came true, by tens of percent; on the grey line both are equal."
    pictures = (draw_chances("calibration", caption, panels),) if with_pictures else ()
    return ReportSection("Calibration", (text,), pictures, (table,))
