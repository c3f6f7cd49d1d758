"""Export the plans of a run in formats that other programs read."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.batch.ledger.schema import open_ledger_readonly
from planner.batch.ledger.store import StoredRecords
from planner.batch.run_folder import RunFolder, report_os_errors
from planner.errors import Outcome, UsageError
from planner.files import write_file_atomically
from planner.names import sanitize_file_name
from planner.planning.output import rebuild_trajectory
from planner.planning.record import PlanRecord
from planner.schema import Ablation
from planner.trajectory.format import Trajectory

EXPORT_FORMATS: Final = ("ablationbench", "csv", "jsonl")

# A spreadsheet would run a cell that begins with one of these as a formula.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


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
    results = list(_load_results(run))
    if target.is_dir() is not (export_format == "ablationbench") and target.exists():
        raise UsageError(
            f"{target}: {export_format} needs {'a folder' if export_format == 'ablationbench' else 'a file'}"
        )
    with report_os_errors(target):
        if export_format == "ablationbench":
            _write_ablationbench(results, target)
        else:
            write_file_atomically(target, _format_csv(results) if export_format == "csv" else _format_jsonl(results))
    for result in results:
        if result.trajectory is None:
            yield f"left out: {result.label}: {result.record.outcome}: {result.record.reason}"


def _load_results(run: RunFolder) -> Iterator[PaperResult]:
    with open_ledger_readonly(run.ledger_path) as db:
        for sidecar in StoredRecords(db):
            planned = sidecar.outcome is Outcome.PLANNED
            yield PaperResult(sidecar, rebuild_trajectory(sidecar) if planned else None)


def _write_ablationbench(results: list[PaperResult], target: Path) -> None:
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
                path.unlink(missing_ok=True)  # of an earlier export
                continue
            lines = "\n".join(_format_ablation(ablation) for ablation in result.trajectory.plan.ablations)
            write_file_atomically(path, lines + "\n", durable=False)
            plans[paper] = {"predictions": lines, "cost": result.record.cost}
        write_file_atomically(folder / "plans.json", json.dumps(plans, ensure_ascii=False, indent=1) + "\n")


def _format_ablation(ablation: Ablation) -> str:
    fields = ablation.model_dump(mode="json")
    if not fields["replacement"]:
        del fields["replacement"]
    return json.dumps(fields, ensure_ascii=False)


def _format_jsonl(results: list[PaperResult]) -> str:
    """Return one line per paper; failed papers have their outcome and no ablations."""
    return "".join(json.dumps(_build_json_fields(result), ensure_ascii=False) + "\n" for result in results)


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
    }


def _format_csv(results: list[PaperResult]) -> str:
    """Return one row per ablation, and one for each paper that has none."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    columns = ("paper_id", "planner", "model", "task", "outcome", "rank", *Ablation.model_fields, "reason")
    writer.writerow(columns)
    for result in results:
        sidecar = result.record
        of_paper = (sidecar.paper.id, sidecar.planner, sidecar.model, sidecar.task.value, sidecar.outcome.value)
        if result.trajectory is None:
            writer.writerow(map(_escape_cell, (*of_paper, *[""] * (1 + len(Ablation.model_fields)), sidecar.reason)))
            continue
        for rank, ablation in enumerate(result.trajectory.plan.ablations, start=1):
            lists = ("; ".join(ablation.replacement), "; ".join(ablation.metrics))
            fields = (ablation.name, ablation.ablated_part, ablation.action.value, *lists)
            writer.writerow(map(_escape_cell, (*of_paper, str(rank), *fields, "")))
    return table.getvalue()


def _escape_cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
