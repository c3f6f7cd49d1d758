"""Export the plans of a run in formats that other programs read."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.batch.ledger.schema import open_readable_ledger
from planner.batch.ledger.store import StoredRecords
from planner.batch.run_folder import RunFolder, report_os_errors
from planner.details import Details
from planner.errors import Outcome, OutputError, RunError, UsageError
from planner.files import is_device, write_file_atomically
from planner.names import sanitize_file_name
from planner.planning.output import rebuild_trajectory
from planner.planning.record import PlanRecord
from planner.sanitize import render_csv
from planner.schema import PLAN_FIELDS, Ablation, format_fields
from planner.trajectory.format import Trajectory

_PAPER_COLUMNS: Final = ("title", "cost", "warnings", "reasoning")
_DETAIL_COLUMNS: Final = (
    *("chance", "why", "evidence", "evidence_found", "evidence_place", "hypothesis", "control"),
    *("effort", "runs", "run_order"),
)


@dataclass(frozen=True, slots=True)
class PaperResult:
    """The record of one paper and one model, and its trajectory; None if the paper has no plan."""

    record: PlanRecord
    trajectory: Trajectory | None

    @property
    def label(self) -> str:
        """The model and paper, as messages name them."""
        return f"{self.record.planner}/{self.record.model}/{self.record.paper.id}"


def export_run(run: RunFolder, export_format: str, target: Path) -> Iterator[str]:
    """Write the plans of a run to `target`, and yield a line for each paper that has none.

    Raises:
        RunError: if the folder is not a run, or `target` cannot be written.
        UsageError: if `target` is a file where a folder is needed, or the other way round.
    """
    problems: list[str] = []
    results = list(_load_results(run, problems))
    exporter = EXPORT_FORMATS[export_format]
    if target.is_dir() is not exporter.writes_folder and target.exists():
        raise UsageError(f"{target}: {export_format} needs {'a folder' if exporter.writes_folder else 'a file'}")
    with report_os_errors(target):
        exporter.write(results, target)
    for result in results:
        if result.trajectory is None:
            yield f"left out: {result.label}: {result.record.outcome}: {result.record.reason}"
    yield from problems


def _load_results(run: RunFolder, problems: list[str]) -> Iterator[PaperResult]:
    with open_readable_ledger(run.ledger_path) as (db, damage):
        problems += [damage] if damage else []
        records = StoredRecords(db)
        for paper, model in records.list_pairs():
            try:
                record = records.load_record(paper, model)
                planned = record.outcome is Outcome.PLANNED
                yield PaperResult(record, rebuild_trajectory(record) if planned else None)
            except (RunError, OutputError) as error:
                problems.append(f"left out: {model}/{paper}: {error}")


def write_ablationbench(results: Sequence[PaperResult], target: Path) -> None:
    """Write `<id>.jsonl` per paper and `plans.json`, as AblationBench reads them; several models get a folder each.

    A failed paper is left out, since an empty file would be scored as a bad plan.
    """
    models = {(result.record.planner, result.record.model) for result in results}
    for planner, model in sorted(models):
        folder = target if len(models) == 1 else target / sanitize_file_name(planner) / sanitize_file_name(model)
        plans: dict[str, object] = {}
        for result in results:
            if (result.record.planner, result.record.model) != (planner, model):
                continue
            paper = result.record.paper.id
            path = folder / f"{sanitize_file_name(paper)}.jsonl"
            if result.trajectory is None:
                if not is_device(path):
                    path.unlink(missing_ok=True)  # of an earlier export
                continue
            lines = "\n".join(_format_ablation(ablation) for ablation in result.trajectory.plan.ablations)
            write_file_atomically(path, lines + "\n", durable=False)
            plans[paper] = {"predictions": lines, "cost": result.record.cost}
        write_file_atomically(folder / "plans.json", json.dumps(plans, ensure_ascii=False, indent=1) + "\n")


def _format_ablation(ablation: Ablation) -> str:
    return json.dumps(ablation.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)


def write_jsonl(results: Iterable[PaperResult], target: Path) -> None:
    """Write one line per paper; failed papers have their outcome and no ablations."""
    lines = (json.dumps(_build_json_fields(result), ensure_ascii=False) + "\n" for result in results)
    write_file_atomically(target, "".join(lines))


def _build_json_fields(result: PaperResult) -> dict[str, object]:
    sidecar, trajectory = result.record, result.trajectory
    return {
        "paper_id": sidecar.paper.id,
        "title": sidecar.paper.title,
        "planner": sidecar.planner,
        "model": sidecar.model,
        "task": sidecar.task.value,
        "outcome": sidecar.outcome.value,
        "reason": sidecar.reason,
        "cost": sidecar.cost,
        "reasoning": trajectory.reasoning if trajectory else None,
        "ablations": [a.model_dump(mode="json") for a in trajectory.plan.ablations] if trajectory else None,
        **sidecar.dump_plan_fields(),
    }


def write_csv(results: Sequence[PaperResult], target: Path) -> None:
    """Write one row per ablation, and one for each paper that has none; details have columns if any plan has them."""
    names = [field.name for field in PLAN_FIELDS]
    columns = ["paper_id", "planner", "model", "task", "outcome", "rank", *names, "reason", *_PAPER_COLUMNS]
    columns += _DETAIL_COLUMNS if any(result.record.details for result in results) else ()
    rows = (row[: len(columns)] for result in results for row in _build_rows(result))
    write_file_atomically(target, render_csv([columns, *rows]))


def _build_rows(result: PaperResult) -> Iterator[Sequence[str]]:
    record, trajectory = result.record, result.trajectory
    about = (record.paper.id, record.planner, record.model, record.task.value, record.outcome.value)
    paper = (record.paper.title, _format_number(record.cost), "; ".join(record.warnings))
    if trajectory is None:
        no_details = [""] * len(_DETAIL_COLUMNS)
        yield (*about, "", *[""] * len(PLAN_FIELDS), record.reason, *paper, "", *no_details)
        return
    ablations = trajectory.plan.ablations
    details = record.details if len(record.details) == len(ablations) else [Details()] * len(ablations)
    for number, (ablation, each) in enumerate(zip(ablations, details, strict=True)):
        place_in_order = str(record.order.index(number) + 1) if number in record.order else ""
        fields = (str(number + 1), *format_fields(ablation), "", *paper, trajectory.reasoning)
        yield (*about, *fields, *_format_details(each), place_in_order)


def _format_details(details: Details) -> tuple[str, ...]:
    evidence, effort = details.evidence, details.effort
    return (
        _format_number(details.chance),
        details.reason,
        *((evidence.quote, evidence.found or "", evidence.place) if evidence else ("", "", "")),
        details.hypothesis,
        details.control,
        *((effort.kind.value, _format_number(effort.runs)) if effort else ("", "")),
    )


def _format_number(number: float | None) -> str:
    return "" if number is None else str(number)


@dataclass(frozen=True, slots=True)
class Exporter:
    """A format of `export`: the function that writes the results to a file, or to a folder if `writes_folder`."""

    write: Callable[[Sequence[PaperResult], Path], None]
    writes_folder: bool = False


EXPORT_FORMATS: Final[Mapping[str, Exporter]] = {
    "ablationbench": Exporter(write_ablationbench, writes_folder=True),
    "csv": Exporter(write_csv),
    "jsonl": Exporter(write_jsonl),
}
