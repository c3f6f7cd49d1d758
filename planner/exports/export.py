"""Export the plans of a run, or of any folder of trajectories, in one of the formats of `EXPORT_FORMATS`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.batch.ledger.records import LedgerReader, StoredRecords
from planner.batch.ledger.schema import open_damaged_ledger
from planner.batch.run_folder import RunFolder, convert_os_errors
from planner.errors import Outcome, OutputError, RunError, TrajectoryError, UsageError
from planner.exports.issues import write_issues, write_markdown, write_reviews
from planner.exports.latex import write_latex
from planner.exports.sweeps import write_hydra, write_matrix, write_wandb
from planner.exports.tables import write_ablationbench, write_csv, write_jsonl
from planner.planning.output import rebuild_trajectory
from planner.planning.record import PlanRecord
from planner.site.entries import (
    PlanEntry,
    create_entry,
    create_failed_entry,
    join_record,
    pair_file,
    read_plan_entries,
    read_plan_entry,
)
from planner.site.entry_index import index_entries


@dataclass(frozen=True, slots=True)
class Exporter:
    """A format of `export`: the function that writes the plans to a file, or to a folder if `writes_folder`."""

    write: Callable[[Sequence[PlanEntry], Path], None]
    writes_folder: bool = True


EXPORT_FORMATS: Final[Mapping[str, Exporter]] = {
    "ablationbench": Exporter(write_ablationbench),
    "csv": Exporter(write_csv, writes_folder=False),
    "hydra": Exporter(write_hydra),
    "issues": Exporter(write_issues),
    "jsonl": Exporter(write_jsonl, writes_folder=False),
    "latex": Exporter(write_latex),
    "markdown": Exporter(write_markdown),
    "matrix": Exporter(write_matrix, writes_folder=False),
    "review": Exporter(write_reviews),
    "wandb": Exporter(write_wandb),
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The papers and files that an export left out or took from an earlier call, one line each; `damage` is lost."""

    left_out: tuple[str, ...]
    damage: tuple[str, ...]


def export_plans(folder: Path, export_format: str, target: Path) -> ExportReport:
    """Write the plans of a run, of another folder of trajectories, or of one trajectory to `target`.

    Raises:
        RunError: if `folder` is none of these, or `target` cannot be written.
        UsageError: if `target` is a file where a folder is needed, or the other way round.
    """
    notes, damage = list[str](), list[str]()
    is_run = RunFolder(folder).ledger_path.exists()
    found = _load_run(RunFolder(folder), notes, damage) if is_run else _read_folder(folder, target, notes)
    entries = list(found)
    if not is_run and not entries:
        raise RunError(f"{folder} is no run and holds no trajectories")
    exporter = EXPORT_FORMATS[export_format]
    if target.is_dir() is not exporter.writes_folder and target.exists():
        raise UsageError(f"{target}: {export_format} needs {'a folder' if exporter.writes_folder else 'a file'}")
    with convert_os_errors(target):
        exporter.write(entries, target)
    unplanned = (each for each in entries if each.trajectory is None)
    lines = (f"left out: {each.planner}/{each.model}/{each.paper_id}: {each.reason}" for each in unplanned)
    return ExportReport((*lines, *notes), tuple(damage))


def _load_run(run: RunFolder, notes: list[str], damage: list[str]) -> Iterator[PlanEntry]:
    """Yield the current result of each paper and model, or a plan of an earlier call where there is no current one."""
    with open_damaged_ledger(run.ledger_path) as (db, damaged):
        damage += [damaged] if damaged else []
        records = StoredRecords(LedgerReader(run.ledger_path, db))
        for paper, model, current, last_plan in records.list_numbers():
            try:
                if last_plan and last_plan != current:
                    now = records.load_record(current) if current else None
                    why = now.reason if now else "pending"
                    notes.append(f"taken from an earlier call: {model}/{paper}: {why}")
                if number := last_plan or current:
                    yield _rebuild_entry(records.load_record(number))
                else:
                    notes.append(f"left out: {model}/{paper}: pending")
            except (RunError, OutputError) as error:
                damage.append(f"left out: {model}/{paper}: {error}")


def _rebuild_entry(record: PlanRecord) -> PlanEntry:
    trajectory = rebuild_trajectory(record) if record.outcome is Outcome.PLANNED else None
    return join_record(create_entry(trajectory), record) if trajectory else create_failed_entry("", record)


def _read_folder(folder: Path, target: Path, unread: list[str]) -> Iterator[PlanEntry]:
    if folder.is_file():
        try:
            yield read_plan_entry(pair_file(folder))
        except TrajectoryError as error:
            raise RunError(str(error)) from None
        return
    index = index_entries([folder], excluded_folder=target.resolve())
    for sources in index.papers.values():
        try:
            yield from read_plan_entries(sources)
        except TrajectoryError as error:
            unread.append(f"left out: {error}")
    unread += [f"left out: {file.name}: {file.reason}" for file in index.unread_files]
