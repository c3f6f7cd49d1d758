"""`show`, `check`, `schema` and `site`: commands for existing trajectories."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from pydantic import ValidationError

from planner.cli.command import command
from planner.cli.terminal.cards import format_plan_cards
from planner.cli.terminal.messages import measure_width, print_error, print_warning
from planner.details import format_count, make_details_json_schema
from planner.errors import TrajectoryError, UsageError
from planner.files import describe_os_error, read_bounded_file, write_file_atomically
from planner.names import UniqueNames, build_record_path
from planner.planning.record import PlanRecord
from planner.sanitize import make_json_printable, make_printable
from planner.schema import Plan, describe_validation_error, find_rule_violations
from planner.site.copies import build_plan_json, format_jsonl
from planner.site.entries import PlanEntry, create_entry, join_record
from planner.site.entry_index import find_trajectories
from planner.site.pages import render_entry_page
from planner.trajectory.format import render_trajectory
from planner.trajectory.reader import MAX_TRAJECTORY_BYTES, read_trajectory

_LINE_WIDTH: Final = 60  # of the line between plans where there is no terminal
_SUFFIXES: Final = {"json": ".json", "jsonl": ".jsonl", "md": ".md", "html": ".html", "text": ".txt"}
FILES_ARGUMENT: Final = click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path)
)


@command(epilog="Example: ablation-planner show trajectories --to jsonl")
@FILES_ARGUMENT
@click.option("--to", "form", type=click.Choice(tuple(_SUFFIXES)), default="text", show_default=True, help="Format.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder to write; a file for each FILE."
)
@click.option("--all", "show_all", is_flag=True, help="Show the candidates too that a plan does not keep.")
def show(files: tuple[Path, ...], form: str, output: Path | None, show_all: bool) -> None:
    """Print the trajectories in each FILE, or in all files of a folder, with their encoding repaired, or convert them.

    The details of a plan are read from the .json file beside it.
    """
    failed, unique_names = 0, UniqueNames()
    shown = 0
    for file in _list_files(files):
        try:
            entry = _read_entry(file)
        except (TrajectoryError, OSError) as error:
            failed, message = failed + 1, describe_os_error(error)
            print_error(message if str(file) in message else f"{file}: {message}")
            continue
        text = _render_entry(entry, form, show_all)
        if output is None:
            if form == "text" and shown:
                click.echo(f"\n{'─' * (measure_width(sys.stdout) or _LINE_WIDTH)}\n")
            shown += 1
            click.echo(text if form == "text" else text.encode(), nl=False)
            continue
        stem = unique_names.choose_name(file.name.removesuffix(".md").removesuffix(".txt"))
        write_file_atomically(output / f"{stem}{_SUFFIXES[form]}", click.unstyle(text))
        click.echo(make_printable(str(output / f"{stem}{_SUFFIXES[form]}")))
    raise SystemExit(1 if failed else 0)


@command(epilog="Example: ablation-planner check trajectories/lm-planner/*/*.md")
@FILES_ARGUMENT
def check(files: tuple[Path, ...]) -> None:
    """Validate trajectories, all of a folder, or plans as JSON or JSONL: one line per finding, exit code 1 if any."""
    found, listed = 0, list(_list_files(files))
    for file in listed:
        for finding in _check_file(file):
            found += 1
            click.echo(make_printable(f"{file}: {finding}"))
    if sys.stderr.isatty():
        click.echo(f"{format_count(len(listed), 'file')} checked, {format_count(found, 'finding')}", err=True)
    raise SystemExit(1 if found else 0)


@command(epilog="Example: ablation-planner schema --details")
@click.option("--details", is_flag=True, help="Print that of the details in the file beside a trajectory.")
def schema(details: bool) -> None:
    """Print the JSON Schema of a plan, for other programs."""
    click.echo(json.dumps(make_details_json_schema() if details else Plan.model_json_schema(), indent=2))


def _read_entry(file: Path) -> PlanEntry:
    """Read a trajectory with its record, if there is one; print what is odd about them.

    Raises:
        TrajectoryError: if the trajectory cannot be read.
        OSError: likewise.
    """
    trajectory = read_trajectory(file)
    for warning in trajectory.warnings:
        print_warning(f"{file}: {warning}")
    record_path = build_record_path(file)
    if not record_path.is_file():
        return create_entry(trajectory)
    try:
        record = PlanRecord.read(record_path)
    except (TrajectoryError, OSError) as error:
        print_warning(f"{describe_os_error(error)}; shown without details")
        return create_entry(trajectory)
    subject = (trajectory.planner, trajectory.model, trajectory.paper_id, trajectory.task)
    if (record.planner, record.model, record.paper.id, record.task) != subject:
        print_warning(f"{record_path} is the record of another plan; shown without it")
        return create_entry(trajectory)
    return join_record(create_entry(trajectory), record)


def _render_entry(entry: PlanEntry, form: str, show_all: bool) -> str:
    trajectory = entry.trajectory
    assert trajectory is not None
    if form == "json":
        return make_json_printable(json.dumps(build_plan_json(entry), ensure_ascii=False, indent=2)) + "\n"
    if form == "jsonl":
        return make_json_printable(format_jsonl(trajectory.plan))
    if form == "md":
        return render_trajectory(trajectory, allow_violations=True)
    if form == "html":
        return render_entry_page(entry)
    return format_plan_cards(entry, show_all=show_all)


def _check_file(file: Path) -> Iterator[str]:
    try:
        if file.suffix in (".json", ".jsonl"):
            yield from _check_plan(
                read_bounded_file(file, MAX_TRAJECTORY_BYTES).decode("utf-8-sig"), file.suffix == ".jsonl"
            )
            return
        trajectory = read_trajectory(file)
    except (TrajectoryError, OSError, UnicodeDecodeError) as error:
        yield describe_os_error(error).removeprefix(f"{file}: ")
        return
    yield from dict.fromkeys((*trajectory.warnings, *find_rule_violations(trajectory.plan)))


def _check_plan(text: str, is_jsonl: bool) -> Iterator[str]:
    try:
        data = _parse_lines(text) if is_jsonl else json.loads(text)
    except (ValueError, RecursionError) as error:
        yield f"not JSON: {error}"
        return
    if isinstance(data, dict) and "format_version" in data:
        yield "is the record of a trajectory, not a plan; check the trajectory beside it"
        return
    try:
        Plan.model_validate(data if isinstance(data, dict) else {"ablations": data})
    except ValidationError as error:
        yield from describe_validation_error(error)


def _parse_lines(text: str) -> list[Any]:
    """Return the JSON value of each line that is not blank."""
    ablations = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            ablations += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    return ablations


def _list_files(paths: tuple[Path, ...]) -> list[Path]:
    """Return the files, and the trajectories of each folder; what is missing among several is only a failure.

    Raises:
        UsageError: if the only path does not exist, or is a folder without trajectories.
    """
    if len(paths) == 1 and not paths[0].exists():
        raise UsageError(f"{paths[0]}: no such file or folder")
    files: list[Path] = []
    for path in paths:
        found = find_trajectories(path) if path.is_dir() else [path]
        if not found and len(paths) == 1:
            raise UsageError(f"{path}: this folder holds no trajectories; name one that `plan` or `batch` wrote")
        files += found or [path]
    return files


@command(epilog="Example: ablation-planner site runs/iclr -o site, then open site/index.html")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the pages."
)
@click.option(
    "--docsify",
    is_flag=True,
    help="Also write DIRECTORY/docsify: the published layout, which loads docsify from the web.",
)
def site(runs: tuple[Path, ...], output: Path, docsify: bool) -> None:
    """Write pages to read, search and compare the plans of each RUN: a run folder, or any folder of trajectories.

    The pages open from disk and from any web server, and load nothing from elsewhere. Prints the index's path.
    """
    from planner.site.build import build_site  # imports the templates and what fills them

    built = build_site(runs, output, docsify=docsify)
    for file in built.unread_files:
        print_warning(f"{file.name}: {file.reason}")
    papers = format_count(built.paper_count, "paper")
    plans = format_count(built.entry_count - built.failure_count, "plan")
    failures = f", {format_count(built.failure_count, 'failure')}" if built.failure_count else ""
    click.echo(f"{papers}, {plans}{failures}; open the index in a browser:", err=True)
    click.echo(make_printable(str(built.index)))
