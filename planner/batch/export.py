"""Export the plans of a run in formats that other programs read."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.batch.files import trajectory_of
from planner.batch.ledger import KeptPlannings
from planner.batch.run import RunFolder, telling
from planner.batch.schema import opened_to_read
from planner.errors import Outcome, UsageError
from planner.schema import Ablation
from planner.sidecar import Sidecar
from planner.trajectory.document import Trajectory
from planner.trajectory.files import write_atomically
from planner.trajectory.paths import safe_segment

FORMS: Final = ("ablationbench", "csv", "jsonl")

# A spreadsheet would run a cell that begins with one of these as a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Result:
    """The record of one paper and one model, and its trajectory; None if the paper has no plan."""

    sidecar: Sidecar
    trajectory: Trajectory | None

    @property
    def name(self) -> str:
        """The model and paper, as messages name them."""
        return f"{self.sidecar.planner}/{self.sidecar.model}/{self.sidecar.paper.id}"


def export_run(run: RunFolder, form: str, target: Path) -> Iterator[str]:
    """Write the plans of a run to `target`, and yield a line for each paper that has none.

    Raises:
        RunError: if the folder is not a run, or `target` cannot be written.
        UsageError: if `target` is a file where a folder is needed, or the other way round.
    """
    results = list(_results(run))
    if target.is_dir() is not (form == "ablationbench") and target.exists():
        raise UsageError(f"{target}: {form} needs {'a folder' if form == 'ablationbench' else 'a file'}")
    with telling(target):
        if form == "ablationbench":
            _as_ablationbench(results, target)
        else:
            write_atomically(target, _as_csv(results) if form == "csv" else _as_jsonl(results))
    for result in results:
        if result.trajectory is None:
            yield f"left out: {result.name}: {result.sidecar.outcome}: {result.sidecar.reason}"


def _results(run: RunFolder) -> Iterator[Result]:
    with opened_to_read(run.ledger) as db:
        for sidecar in KeptPlannings(db):
            planned = sidecar.outcome is Outcome.PLANNED
            yield Result(sidecar, trajectory_of(sidecar) if planned else None)


def _as_ablationbench(results: list[Result], target: Path) -> None:
    """Write `<id>.jsonl` per paper and `plans.json`, as AblationBench reads them; several models get a folder each.

    A failed paper is left out, since an empty file would be scored as a bad plan.
    """
    models = {(result.sidecar.planner, result.sidecar.model) for result in results}
    for planner, model in sorted(models):
        folder = target if len(models) == 1 else target / safe_segment(planner) / safe_segment(model)
        plans: dict[str, object] = {}
        for result in results:
            if (result.sidecar.planner, result.sidecar.model) != (planner, model):
                continue
            paper = result.sidecar.paper.id
            path = folder / f"{safe_segment(paper)}.jsonl"
            if result.trajectory is None:
                path.unlink(missing_ok=True)  # of an earlier export
                continue
            lines = "\n".join(_line(ablation) for ablation in result.trajectory.plan.ablations)
            write_atomically(path, lines + "\n", durable=False)
            plans[paper] = {"predictions": lines, "cost": result.sidecar.cost}
        write_atomically(folder / "plans.json", json.dumps(plans, ensure_ascii=False, indent=1) + "\n")


def _line(ablation: Ablation) -> str:
    fields = ablation.model_dump(mode="json")
    if not fields["replacement"]:
        del fields["replacement"]
    return json.dumps(fields, ensure_ascii=False)


def _as_jsonl(results: list[Result]) -> str:
    """Return one line per paper; failed papers have their outcome and no ablations."""
    return "".join(json.dumps(_record(result), ensure_ascii=False) + "\n" for result in results)


def _record(result: Result) -> dict[str, object]:
    sidecar, trajectory = result.sidecar, result.trajectory
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


def _as_csv(results: list[Result]) -> str:
    """Return one row per ablation, and one for each paper that has none."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    columns = ("paper_id", "planner", "model", "task", "outcome", "rank", *Ablation.model_fields, "reason")
    writer.writerow(columns)
    for result in results:
        sidecar = result.sidecar
        of_paper = (sidecar.paper.id, sidecar.planner, sidecar.model, sidecar.task.value, sidecar.outcome.value)
        if result.trajectory is None:
            writer.writerow(map(_cell, (*of_paper, *[""] * (1 + len(Ablation.model_fields)), sidecar.reason)))
            continue
        for rank, ablation in enumerate(result.trajectory.plan.ablations, start=1):
            lists = ("; ".join(ablation.replacement), "; ".join(ablation.metrics))
            fields = (ablation.name, ablation.ablated_part, ablation.action.value, *lists)
            writer.writerow(map(_cell, (*of_paper, str(rank), *fields, "")))
    return table.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
