"""Export plans as tables and as JSON: CSV, JSONL, and AblationBench's layout."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from planner.errors import UsageError
from planner.files import is_pipe_or_device, write_file_atomically
from planner.names import sanitize_file_name
from planner.sanitize import render_csv
from planner.schema import PLAN_FIELDS, Ablation, format_field_values
from planner.site.copies import DETAIL_COLUMNS, format_cell, list_detail_cells
from planner.site.entries import PlanEntry

_PAPER_COLUMNS: Final = ("title", "cost", "warnings", "reasoning")


def write_ablationbench(entries: Sequence[PlanEntry], target: Path) -> None:
    """Write `<id>.jsonl` per paper and `plans.json`, as AblationBench reads them; several models get a folder each.

    A failed paper is left out, since an empty file would be scored as a bad plan.

    Raises:
        UsageError: if a model has several plans of a paper, as a folder of trajectories may hold.
    """
    counts = Counter((entry.planner, entry.model, entry.paper_id) for entry in entries if entry.trajectory)
    for (*_, model, paper), count in counts.items():
        if count > 1:
            raise UsageError(f"{paper}: {model} has {count} plans of it, and AblationBench's layout holds one")
    models = {(entry.planner, entry.model) for entry in entries}
    for planner, model in sorted(models):
        folder = target if len(models) == 1 else target / sanitize_file_name(planner) / sanitize_file_name(model)
        plans: dict[str, object] = {}
        for entry in sorted(entries, key=lambda entry: entry.trajectory is not None):
            if (entry.planner, entry.model) != (planner, model):
                continue
            path = folder / f"{sanitize_file_name(entry.paper_id)}.jsonl"
            if entry.trajectory is None:
                if not is_pipe_or_device(path):
                    path.unlink(missing_ok=True)  # of an earlier export
                continue
            lines = "\n".join(_format_ablation(ablation) for ablation in entry.ablations)
            write_file_atomically(path, lines + "\n", durable=False)
            plans[entry.paper_id] = {"predictions": lines, "cost": entry.cost}
        write_file_atomically(folder / "plans.json", json.dumps(plans, ensure_ascii=False, indent=1) + "\n")


def _format_ablation(ablation: Ablation) -> str:
    return json.dumps(ablation.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)


def write_jsonl(entries: Iterable[PlanEntry], target: Path) -> None:
    """Write one line per paper; failed papers have their outcome and no ablations."""
    lines = (json.dumps(_build_json_fields(entry), ensure_ascii=False) + "\n" for entry in entries)
    write_file_atomically(target, "".join(lines))


def _build_json_fields(entry: PlanEntry) -> dict[str, object]:
    trajectory = entry.trajectory
    return {
        "paper_id": entry.paper_id,
        "title": entry.title,
        "planner": entry.planner,
        "model": entry.model,
        "task": entry.task.value,
        "outcome": entry.outcome.value,
        "reason": entry.reason,
        "cost": entry.cost,
        "reasoning": trajectory.reasoning if trajectory else None,
        "ablations": [a.model_dump(mode="json") for a in entry.ablations] if trajectory else None,
        **(entry.record.dump_plan_fields() if entry.record else {}),
    }


def write_csv(entries: Sequence[PlanEntry], target: Path) -> None:
    """Write one row per ablation, and one for each paper that has none; details have columns if any plan has them."""
    names = [field.name for field in PLAN_FIELDS]
    columns = ["paper_id", "planner", "model", "task", "outcome", "rank", *names, "reason", *_PAPER_COLUMNS]
    columns += DETAIL_COLUMNS if any(entry.details for entry in entries) else ()
    rows = (row[: len(columns)] for entry in entries for row in _build_rows(entry))
    write_file_atomically(target, render_csv([columns, *rows]))


def _build_rows(entry: PlanEntry) -> Iterator[Sequence[str]]:
    about = (entry.paper_id, entry.planner, entry.model, entry.task.value, entry.outcome.value)
    paper = (entry.title, format_cell(entry.cost), "; ".join(entry.warnings))
    if entry.trajectory is None:
        no_details = [""] * len(DETAIL_COLUMNS)
        yield (*about, "", *[""] * len(PLAN_FIELDS), entry.reason, *paper, "", *no_details)
        return
    for number, (ablation, cells) in enumerate(zip(entry.ablations, list_detail_cells(entry), strict=True), start=1):
        fields = (str(number), *format_field_values(ablation), "", *paper, entry.trajectory.reasoning)
        yield (*about, *fields, *cells)
