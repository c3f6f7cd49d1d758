"""The commands `show`, `check`, `schema`, `site` and `combine`, which use existing trajectories."""

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from pydantic import ValidationError

from planner.cli.command import EXISTING_FOLDER, FOLDER, choose_wrap_width, command, print_error, print_warning
from planner.cli.options import output_option
from planner.cli.terminal.console import add_log_options, log, print_json
from planner.cli.terminal.results import format_plan_cards
from planner.details import DEFAULT_MIN_CHANCE, format_count, make_details_list_json_schema
from planner.errors import TrajectoryError, UsageError
from planner.files import describe_os_error, read_bounded_file, write_file_atomically
from planner.names import UniqueNames, build_record_path
from planner.planning.output import PlanOutput
from planner.planning.record import PlanRecord
from planner.sanitize import make_json_printable, make_printable
from planner.schema import DEFAULT_K, MAX_K, Plan, Task, find_rule_violations, list_validation_faults
from planner.site.copies import build_plan_json_object, format_ablations_as_jsonl
from planner.site.entries import (
    PlanEntry,
    UnreadFile,
    add_record_to_entry,
    create_planned_entry,
    find_entry_files,
    find_trajectory_paths,
    read_plan_entry,
)
from planner.site.pages import render_entry_page
from planner.trajectory.format import render_trajectory
from planner.trajectory.reader import MAX_TRAJECTORY_BYTES, read_trajectory

if TYPE_CHECKING:
    from planner.combining.combine import CombineResult

_LINE_WIDTH: Final = 60  # of the line between plans if stdout is not a terminal
_SUFFIXES: Final = {"json": ".json", "jsonl": ".jsonl", "md": ".md", "html": ".html", "text": ".txt"}
_FILES_ARGUMENT: Final = click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path)
)


@command(epilog="Example: ablation-planner show trajectories --all")
@_FILES_ARGUMENT
@click.option("--to", "form", type=click.Choice(tuple(_SUFFIXES)), default="text", show_default=True, help="Format.")
@click.option("-o", "--output", type=FOLDER, help="Folder for the files, one per trajectory.")
@click.option("--all", "show_all", is_flag=True, help="Also show the candidates that a plan does not keep.")
def show(files: tuple[Path, ...], form: str, output: Path | None, show_all: bool) -> None:
    """Print trajectories, or convert them to another format. Repairs wrong encodings.

    Each FILE is a trajectory or a folder of trajectories. The details of a plan are read from the .json file beside
    the trajectory.
    """
    has_failed, shown, unique_names = False, 0, UniqueNames()
    for file in _list_files(files):
        try:
            entry = _read_entry(file)
        except (TrajectoryError, OSError) as error:
            has_failed, message = True, describe_os_error(error)
            print_error(message if str(file) in message else f"{file}: {message}")
            continue
        text = _render_entry(entry, form, show_all)
        if output is not None:
            stem = unique_names.reserve_unique_name(file.name.removesuffix(".md").removesuffix(".txt"))
            path = output / f"{stem}{_SUFFIXES[form]}"
            write_file_atomically(path, click.unstyle(text))
            click.echo(make_printable(str(path)))
            continue
        if form == "text" and shown:
            click.echo(f"\n{'─' * (choose_wrap_width(sys.stdout) or _LINE_WIDTH)}\n")
        shown += 1
        click.echo(text if form == "text" else text.encode(), nl=False)
    if form == "jsonl" and shown > 1:
        print_warning(
            f"the lines of {shown} plans were printed, and no line says to which plan it belongs; for lines that name "
            "paper, model and task, use `ablation-planner export FOLDER --to jsonl plans.jsonl`"
        )
    raise SystemExit(1 if has_failed else 0)


@command("check", epilog="Example: ablation-planner check trajectories/lm-planner/*/*.md")
@_FILES_ARGUMENT
def check_trajectory_format(files: tuple[Path, ...]) -> None:
    """Check the format of each FILE: a trajectory, a folder of them, or a plan as JSON or JSONL.

    Prints each fault in the format (a finding) as one line. The exit code is 1 if there is a finding. Doubts about the
    ablations themselves are warnings, not findings. `show` prints the warnings.
    """
    found, listed = 0, _list_files(files)
    for file in listed:
        for finding in _check_file(file):
            found += 1
            click.echo(make_printable(f"{file}: {finding}"))
    warned = sum(map(_count_ablation_warnings, listed))
    more = f"; `show` prints {format_count(warned, 'warning')} about their ablations" if warned else ""
    click.echo(f"{format_count(len(listed), 'file')} checked, {format_count(found, 'finding')}{more}", err=True)
    raise SystemExit(1 if found else 0)


@command(epilog="Example: ablation-planner schema --details")
@click.option("--details", is_flag=True, help="Print the schema of the details in the file beside a trajectory.")
def schema(details: bool) -> None:
    """Print the JSON Schema of a plan, for other programs."""
    click.echo(json.dumps(make_details_list_json_schema() if details else Plan.model_json_schema(), indent=2))


def _read_entry(file: Path) -> PlanEntry:
    """Read a trajectory and its record, if it has one. Print a warning for each fault.

    Raises:
        TrajectoryError: if the file holds no trajectory.
        OSError: if the file cannot be read.
    """
    trajectory = read_trajectory(file)
    for warning in trajectory.warnings:
        print_warning(f"{file}: {warning}")
    entry, record_path = create_planned_entry(trajectory), build_record_path(file)
    if not record_path.is_file():
        return entry
    try:
        record = PlanRecord.read(record_path)
    except (TrajectoryError, OSError) as error:
        print_warning(f"{describe_os_error(error)}; shown without details")
        return entry
    if not entry.is_own_record(record):
        print_warning(f"{record_path} is the record of another plan; the plan is shown without a record")
        return entry
    return add_record_to_entry(entry, record)


def _render_entry(entry: PlanEntry, form: str, show_all: bool) -> str:
    trajectory = entry.trajectory
    assert trajectory is not None
    if form == "json":
        return make_json_printable(json.dumps(build_plan_json_object(entry), ensure_ascii=False, indent=2)) + "\n"
    if form == "jsonl":
        return make_json_printable(format_ablations_as_jsonl(trajectory.plan))
    if form == "md":
        return render_trajectory(trajectory, allow_violations=True)
    if form == "html":
        return render_entry_page(entry)
    return format_plan_cards(entry, with_candidates=show_all)


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


def _count_ablation_warnings(file: Path) -> int:
    """Return the number of warnings about a trajectory's ablations, or 0 if its files cannot be read."""
    try:
        entry = read_plan_entry(find_entry_files(file))
    except (TrajectoryError, OSError):
        return 0
    return sum(len(entry.list_findings(number)) for number in range(len(entry.ablations)))


def _check_plan(text: str, is_jsonl: bool) -> Iterator[str]:
    try:
        data = _parse_lines(text) if is_jsonl else json.loads(text)
    except (ValueError, RecursionError) as error:
        yield f"not JSON: {error}"
        return
    if isinstance(data, dict) and "format_version" in data:
        yield "is a record and holds no plan; give the trajectory beside it"
        return
    try:
        Plan.model_validate(data if isinstance(data, dict) else {"ablations": data})
    except ValidationError as error:
        yield from list_validation_faults(error)


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
    """Return the files to read: the given files, and the trajectories in the given folders.

    Raises:
        UsageError: if the only path does not exist, or is a folder without trajectories.
    """
    if len(paths) == 1 and not paths[0].exists():
        raise UsageError(f"{paths[0]}: no such file or folder")
    files: list[Path] = []
    for path in paths:
        found = find_trajectory_paths(path) if path.is_dir() else [path]
        if not found and len(paths) == 1:
            raise UsageError(f"{path}: this folder holds no trajectories; name an output folder of `plan` or `batch`")
        files += found or [path]
    return files


@command(epilog="Example: ablation-planner site runs/iclr -o site, then open site/index.html")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=FOLDER, help="Folder for the pages.")
@click.option(
    "--docsify",
    is_flag=True,
    help="Also write DIRECTORY/docsify, in the layout of published trajectories; it loads docsify from the web.",
)
def site(runs: tuple[Path, ...], output: Path, docsify: bool) -> None:
    """Write pages to read, search and compare the plans of each RUN: a run folder, or any folder of trajectories.

    The pages open from disk and from any web server, and load nothing from elsewhere. Prints the index page's path.
    """
    from planner.site.build import build_site  # imports the templates and what fills them

    built = build_site(runs, output, with_docsify_site=docsify)
    for file in built.unread_files:
        print_warning(f"{file.name}: {file.reason}")
    papers = format_count(built.paper_count, "paper")
    plans = format_count(built.entry_count - built.failure_count, "plan")
    failures = f", {format_count(built.failure_count, 'failure')}" if built.failure_count else ""
    click.echo(f"{papers}, {plans}{failures}; open the index in a browser:", err=True)
    click.echo(make_printable(str(built.index_path)))


@command(epilog="Example: ablation-planner combine runs/gpt-4o runs/claude -o combined")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE…", type=EXISTING_FOLDER)
@output_option("-o", "--output", required=True, type=FOLDER, help="Folder for the plans.")
@output_option(
    "--min-chance",
    type=click.IntRange(0, 100),
    metavar="PERCENT",
    help="Keep only ablations whose mean chance in the plans is at least this, but always keep the best one.  "
    f"[default: author {DEFAULT_MIN_CHANCE[Task.AUTHOR]}, reviewer {DEFAULT_MIN_CHANCE[Task.REVIEWER]}]",
)
@output_option(
    "-k",
    type=click.IntRange(1, MAX_K),
    help="Maximum number of ablations in a plan.  "
    f"[default: reviewer {DEFAULT_K[Task.REVIEWER]}, author {DEFAULT_K[Task.AUTHOR]}]",
)
@output_option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@add_log_options
def combine(sources: tuple[Path, ...], output: Path, min_chance: int | None, k: int | None, as_json: bool) -> None:
    """Combine the plans in all SOURCE folders: run folders, or any folders of trajectories. Sends nothing.

    For each paper and task, makes one plan from the plans of several models, samples or runs. Equal ablations are
    joined. They are ranked by their mean chance, or by votes if a plan states no chances. Prints the path of each
    combined plan.
    """
    from planner.combining.combine import combine_plans_by_paper  # for this command alone

    facts: dict[str, list[dict[str, Any]]] = {"plans": [], "single": [], "unread": []}
    for result in combine_plans_by_paper(sources, output, k=k, min_chance=min_chance):
        _add_facts(facts, result)
        if isinstance(result, PlanOutput) and not as_json:
            click.echo(make_printable(str(result.trajectory_path)))
    if as_json:
        print_json(facts)
    for line in _count_results(facts):
        log.info("%s", line)
    if facts["plans"] and not as_json:
        log.info("to see the plans:\n  ablation-planner show %s", shlex.quote(str(output)))
    raise SystemExit(1 if facts["unread"] or not facts["plans"] else 0)


def _count_results(facts: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Yield lines with the numbers of combined plans, of plans that were not combined, and of unread files."""
    folders: dict[tuple[str, Path], list[int]] = {}
    for plan in facts["plans"]:
        folders.setdefault((plan["task"], Path(plan["path"]).parent), []).append(len(plan["members"]))
    for (task, folder), counts in sorted(folders.items()):
        made = format_count(len(counts), "combined plan")
        each = f", {min(counts)} to {max(counts)} for each paper" if len(set(counts)) > 1 else ""
        yield f"{made} for the {task} task, from {format_count(sum(counts), 'plan')}{each}: {folder}"
    if not folders:
        yield "no plan was combined"
    if single := len(facts["single"]):
        alone = f"not combined: {format_count(single, 'plan')} (-v lists {'it' if single == 1 else 'them'})"
        yield f"{alone}: no other plan for the same paper and task (copies of a plan count as one)"
    if unread := len(facts["unread"]):
        yield f"not read: {format_count(unread, 'file')}"


def _add_facts(facts: dict[str, list[dict[str, Any]]], result: "CombineResult") -> None:
    """Add a result to one of the lists "plans", "single" and "unread". Log the reason if no plan was combined."""
    from planner.combining.combine import SingleMemberPaper

    match result:
        case PlanOutput(record, _, path):
            members = record.parameters["members"]
            facts["plans"].append(
                {"paper_id": record.paper.id, "task": record.task, "path": str(path), "members": members}
            )
        case SingleMemberPaper(paper_id, task, member):
            log.debug("%s: only %s has a plan for the %s task, so nothing is combined", paper_id, member, task)
            facts["single"].append({"paper_id": paper_id, "task": task, "member": member})
        case UnreadFile(name, reason):
            log.warning("%s: %s", name, reason)
            facts["unread"].append({"file": name, "reason": reason})
