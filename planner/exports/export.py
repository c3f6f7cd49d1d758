"""Export the plans of a run, or of any folder of trajectories, in one of the `EXPORT_FORMATS`."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.batch.ledger.records import LedgerReader
from planner.batch.ledger.schema import convert_ledger_errors, open_readable_ledger
from planner.batch.run_folder import RunFolder, convert_os_errors
from planner.errors import OutputError, RunError, TrajectoryError, UsageError
from planner.exports import data_files, documents
from planner.names import sanitize_file_name
from planner.planning.output import rebuild_trajectory_from_record
from planner.planning.record import PlanRecord
from planner.site.entries import (
    PlanEntry,
    add_record_to_entry,
    create_entry_without_trajectory,
    create_planned_entry,
    find_entry_files,
    index_entries,
    read_plan_entry,
    read_sorted_entries,
)


@dataclass(frozen=True, slots=True)
class Exporter:
    """An export format. `write` writes plans to a file that ends in `file_ending`, or to a folder if that is ""."""

    write: Callable[[Sequence[PlanEntry], Path], None]
    file_ending: str = ""


EXPORT_FORMATS: Final[Mapping[str, Exporter]] = {
    "ablationbench": Exporter(data_files.write_ablationbench_folder),
    "csv": Exporter(data_files.write_ablations_as_csv, ".csv"),
    "hydra": Exporter(data_files.write_hydra_experiments),
    "issues": Exporter(documents.write_github_issue_files),
    "jsonl": Exporter(data_files.write_entries_as_jsonl, ".jsonl"),
    "latex": Exporter(documents.write_latex_fragments),
    "markdown": Exporter(documents.write_markdown_files),
    "matrix": Exporter(data_files.write_experiment_table, ".csv"),
    "review": Exporter(documents.write_peer_review_texts),
    "wandb": Exporter(data_files.write_wandb_sweeps),
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The messages of an export, one line each.

    `plan_notes` has a message for each plan that is missing, or that is from an earlier `batch` command than the
    latest. `ledger_damage` has a message for each plan that was lost because the run's ledger (its database) is
    damaged.
    """

    plan_notes: tuple[str, ...]
    ledger_damage: tuple[str, ...]


def export_plans(plans_path: Path, export_format: str, target: Path) -> ExportReport:
    """Write plans to `target`. `plans_path` is a run, another folder of trajectories, or one trajectory.

    Raises:
        RunError: if `plans_path` is none of these, or `target` cannot be written.
        UsageError: if `target` is a file but the format needs a folder, or a folder but the format needs a file.
    """
    notes, damage = list[str](), list[str]()
    is_run = RunFolder(plans_path).ledger_path.exists()
    found = _load_run(RunFolder(plans_path), notes, damage) if is_run else _read_folder(plans_path, target, notes)
    entries = list(found)
    if not is_run and not entries:
        raise RunError(f"{plans_path} is not the folder of a run, and has no trajectories")
    exporter = EXPORT_FORMATS[export_format]
    if target.exists() and target.is_dir() is bool(exporter.file_ending):
        kind = "file" if exporter.file_ending else "folder"
        raise UsageError(f"{target}: the format {export_format} needs a {kind}")
    with convert_os_errors(target):
        exporter.write(entries, target)
    unplanned = (each for each in entries if each.trajectory is None)
    lines = (f"left out: {each.planner}/{each.model}/{each.paper_id}: {each.reason}" for each in unplanned)
    return ExportReport((*lines, *notes), tuple(damage))


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file with an exported plan: its name and its bytes."""

    name: str
    content: bytes


def build_export_file(entry: PlanEntry, export_format: str) -> ExportedFile:
    """Return a file with an exported plan. If the format has several files, it is a zip archive of them.

    Raises:
        UsageError: if there is no such format.
    """
    if (exporter := EXPORT_FORMATS.get(export_format)) is None:
        raise UsageError(f"there is no format {export_format[:40]!r}")
    stem = sanitize_file_name(f"{entry.paper_id[:80]}-{export_format}")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"{stem}{exporter.file_ending}"
        exporter.write([entry], target)
        written = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        if len(written) == 1:
            return ExportedFile(f"{stem}{written[0].suffix}", written[0].read_bytes())
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in written:
                packed.write(path, path.relative_to(folder))
        return ExportedFile(f"{stem}.zip", archive.getvalue())


def _load_run(run: RunFolder, notes: list[str], damage: list[str]) -> Iterator[PlanEntry]:
    """Yield an entry for each paper and model of a run: the latest plan or, if there is none, the failure."""
    ledger = open_readable_ledger(run.ledger_path)
    damage += [ledger.damage] if ledger.damage else []
    with closing(ledger.connection) as db, convert_ledger_errors(run.ledger_path):
        records = LedgerReader(run.ledger_path, db)
        for paper, model, current, last_plan in records.list_latest_record_numbers():
            try:
                if last_plan and last_plan != current:
                    now = records.load_record(current) if current else None
                    why = now.reason if now else "pending"
                    notes.append(f"{model}/{paper}: plan of an earlier `batch` command, as the latest made none: {why}")
                if number := last_plan or current:
                    yield _rebuild_entry(records.load_record(number))
                else:
                    notes.append(f"left out: {model}/{paper}: pending")
            except (RunError, OutputError) as error:
                damage.append(f"left out: {model}/{paper}: {error}")


def _rebuild_entry(record: PlanRecord) -> PlanEntry:
    trajectory = rebuild_trajectory_from_record(record)
    return (
        add_record_to_entry(create_planned_entry(trajectory), record)
        if trajectory
        else create_entry_without_trajectory("", record)
    )


def _read_folder(folder: Path, target: Path, unread: list[str]) -> Iterator[PlanEntry]:
    if folder.is_file():
        try:
            yield read_plan_entry(find_entry_files(folder))
        except TrajectoryError as error:
            raise RunError(str(error)) from None
        return
    index = index_entries([folder], excluded_folder=target.resolve())
    for sources in index.entry_files_by_paper.values():
        try:
            yield from read_sorted_entries(sources)
        except TrajectoryError as error:
            unread.append(f"left out: {error}")
    unread += [f"left out: {file.name}: {file.reason}" for file in index.unread_files]
