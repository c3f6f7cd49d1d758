"""`show`, `check`, `schema` and `site`: commands for existing trajectories."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from pydantic import ValidationError

from planner.cli.terminal.cards import format_plan_cards
from planner.details import make_details_json_schema
from planner.errors import TrajectoryError, UsageError
from planner.files import read_bounded_file, write_file_atomically
from planner.names import UniqueNames, build_record_path
from planner.planning.record import PlanRecord
from planner.sanitize import make_json_printable, make_printable
from planner.schema import Plan, describe_validation_error, find_rule_violations, make_plan_json_schema
from planner.site.copies import build_plan_json, format_jsonl
from planner.site.entries import PlanEntry, create_entry, join_record
from planner.site.pages import render_entry_page
from planner.trajectory.reader import MAX_TRAJECTORY_BYTES, read_trajectory
from planner.trajectory.writer import render_trajectory

_SUFFIXES: Final = {"json": ".json", "jsonl": ".jsonl", "md": ".md", "html": ".html", "text": ".txt"}
FILES_ARGUMENT: Final = click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path)
)


@click.command(epilog="Example: ablation-planner show trajectories/lm-planner/gpt-4o/*.md --to jsonl")
@FILES_ARGUMENT
@click.option("--to", "form", type=click.Choice(tuple(_SUFFIXES)), default="text", show_default=True, help="Format.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder to write; a file for each FILE."
)
@click.option("--all", "show_all", is_flag=True, help="Show the candidates too that a plan does not keep.")
def show(files: tuple[Path, ...], form: str, output: Path | None, show_all: bool) -> None:
    """Read trajectories, repair their encoding, and print or convert them.

    The details of a plan are read from the .json file beside it.
    """
    failed, unique_names = 0, UniqueNames()
    for file in _require_single_file(files):
        try:
            entry = _read_entry(file)
        except (TrajectoryError, OSError) as error:
            failed += 1
            _print_error(file, str(error))
            continue
        text = _render_entry(entry, form, show_all)
        if output is None:
            click.echo(text if form == "text" else text.encode(), nl=False)
            continue
        stem = unique_names.choose_name(file.name.removesuffix(".md").removesuffix(".txt"))
        write_file_atomically(output / f"{stem}{_SUFFIXES[form]}", text)
        click.echo(make_printable(str(output / f"{stem}{_SUFFIXES[form]}")))
    raise SystemExit(1 if failed else 0)


@click.command(epilog="Example: ablation-planner check trajectories/lm-planner/*/*.md")
@FILES_ARGUMENT
def check(files: tuple[Path, ...]) -> None:
    """Validate trajectories, or plans as JSON or JSONL: one line per finding, exit code 1 if there is any."""
    found = 0
    for file in _require_single_file(files):
        for finding in _check_file(file):
            found += 1
            click.echo(make_printable(f"{file}: {finding}"))
    raise SystemExit(1 if found else 0)


@click.command(epilog="Example: ablation-planner schema --details")
@click.option("--details", is_flag=True, help="Print that of the details in the file beside a trajectory.")
def schema(details: bool) -> None:
    """Print the JSON Schema of a plan, for other programs."""
    click.echo(json.dumps(make_details_json_schema() if details else make_plan_json_schema(), indent=2))


def _read_entry(file: Path) -> PlanEntry:
    """Read a trajectory with its record, if there is one; print what is odd about them.

    Raises:
        TrajectoryError: if the trajectory cannot be read.
        OSError: likewise.
    """
    trajectory = read_trajectory(file)
    for warning in trajectory.warnings:
        click.echo(make_printable(f"warning: {file}: {warning}"), err=True)
    record_path = Path(build_record_path(file))
    if not record_path.is_file():
        return create_entry(trajectory)
    try:
        record = PlanRecord.read(record_path)
    except (TrajectoryError, OSError) as error:
        click.echo(make_printable(f"warning: {error}; shown without details"), err=True)
        return create_entry(trajectory)
    subject = (trajectory.planner, trajectory.model, trajectory.paper_id, trajectory.task)
    if (record.planner, record.model, record.paper.id, record.task) != subject:
        click.echo(make_printable(f"warning: {record_path} is the record of another plan; shown without it"), err=True)
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
        yield str(error).removeprefix(f"{file}: ")
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


def _require_single_file(files: tuple[Path, ...]) -> Iterator[Path]:
    """Yield the files; refuse a single file that does not exist, since among several it is only a failure."""
    if len(files) == 1 and not files[0].exists():
        raise UsageError(f"{files[0]}: no such file")
    yield from files


def _print_error(file: Path, message: str) -> None:
    click.echo(make_printable(f"error: {message}" if str(file) in message else f"error: {file}: {message}"), err=True)


@click.command(epilog="Example: ablation-planner site runs/iclr -o site, then open site/index.html")
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
        click.echo(make_printable(f"warning: {file.name}: {file.reason}"), err=True)
    click.echo(f"{built.paper_count} papers, {built.entry_count} plans or failures", err=True)
    click.echo(make_printable(str(built.index)))
