"""`show`, `check` and `schema`: commands for existing trajectories."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from pydantic import ValidationError

from planner.controls import printable, printable_json
from planner.errors import TrajectoryError, UsageError
from planner.schema import Plan, findings, plan_json_schema, violations
from planner.site.single import page
from planner.trajectory.document import Trajectory
from planner.trajectory.files import write_atomically
from planner.trajectory.reader import read_file
from planner.trajectory.writer import write

_SUFFIX: Final = {"json": ".json", "jsonl": ".jsonl", "md": ".md", "html": ".html", "text": ".txt"}
FILES: Final = click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))


@click.command(epilog="Example: ablation-planner show trajectories/lm-planner/gpt-4o/*.md --to jsonl")
@FILES
@click.option("--to", "form", type=click.Choice(tuple(_SUFFIX)), default="text", show_default=True, help="Format.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder to write; a file for each FILE."
)
def show(files: tuple[Path, ...], form: str, output: Path | None) -> None:
    """Read trajectories, repair their encoding, and print or convert them."""
    failed = 0
    for file in _existing(files):
        try:
            trajectory = read_file(file)
        except (TrajectoryError, OSError) as error:
            failed += 1
            _complain(file, str(error))
            continue
        for warning in trajectory.warnings:
            click.echo(printable(f"warning: {file}: {warning}"), err=True)
        _deliver(_rendered(trajectory, form), file, form, output)
    raise SystemExit(1 if failed else 0)


@click.command(epilog="Example: ablation-planner check trajectories/lm-planner/*/*.md")
@FILES
def check(files: tuple[Path, ...]) -> None:
    """Validate trajectories, or plans as JSON or JSONL: one line per finding, exit code 1 if there is any."""
    found = 0
    for file in _existing(files):
        for finding in _findings(file):
            found += 1
            click.echo(printable(f"{file}: {finding}"))
    raise SystemExit(1 if found else 0)


@click.command()
def schema() -> None:
    """Print the JSON Schema of a plan, for other programs."""
    click.echo(json.dumps(plan_json_schema(), indent=2))


def as_json(trajectory: Trajectory) -> dict[str, object]:
    """Return a trajectory as a JSON object: the heading's segments, the task, the reasoning, the ablations."""
    return {
        "planner": trajectory.planner,
        "model": trajectory.model,
        "paper_id": trajectory.paper_id,
        "task": trajectory.task.value,
        "reasoning": trajectory.reasoning,
        "ablations": [ablation.model_dump(mode="json") for ablation in trajectory.plan.ablations],
        "warnings": list(trajectory.warnings),
    }


def as_text(trajectory: Trajectory) -> str:
    """Return a trajectory as text for a terminal."""
    lines = [f"{trajectory.planner}/{trajectory.model}/{trajectory.paper_id} ({trajectory.task})", ""]
    lines += [trajectory.reasoning, ""]
    for number, ablation in enumerate(trajectory.plan.ablations, start=1):
        lines.append(f"{number}. {ablation.name}")
        lines.append(f"   {ablation.action} {ablation.ablated_part}")
        lines += [f"     with {item}" for item in ablation.replacement]
        lines.append(f"   measured by {', '.join(ablation.metrics)}")
    return "\n".join(lines) + "\n"


def _rendered(trajectory: Trajectory, form: str) -> str:
    if form == "json":
        return printable_json(json.dumps(as_json(trajectory), ensure_ascii=False, indent=2)) + "\n"
    if form == "jsonl":
        return printable_json("".join(f"{ablation.model_dump_json()}\n" for ablation in trajectory.plan.ablations))
    if form == "md":
        return write(trajectory, published=True)
    if form == "html":
        return page(trajectory)
    return printable(as_text(trajectory))


def _deliver(text: str, file: Path, form: str, output: Path | None) -> None:
    if output is None:
        click.echo(text if form == "text" else text.encode(), nl=False)
        return
    target = output / (file.name.removesuffix(".md").removesuffix(".txt") + _SUFFIX[form])
    write_atomically(target, text)
    click.echo(printable(str(target)))


def _findings(file: Path) -> Iterator[str]:
    try:
        if file.suffix in (".json", ".jsonl"):
            yield from _plan_findings(file.read_text(encoding="utf-8-sig"), file.suffix == ".jsonl")
            return
        trajectory = read_file(file)
    except (TrajectoryError, OSError, UnicodeDecodeError) as error:
        yield str(error).removeprefix(f"{file}: ")
        return
    yield from dict.fromkeys((*trajectory.warnings, *violations(trajectory.plan)))


def _plan_findings(text: str, by_line: bool) -> Iterator[str]:
    try:
        data = _ablation_lines(text) if by_line else json.loads(text)
    except (ValueError, RecursionError) as error:
        yield f"not JSON: {error}"
        return
    if isinstance(data, dict) and "format_version" in data:
        yield "is the record of a trajectory, not a plan; check the trajectory beside it"
        return
    try:
        Plan.model_validate(data if isinstance(data, dict) else {"ablations": data})
    except ValidationError as error:
        yield from findings(error)


def _ablation_lines(text: str) -> list[Any]:
    """Return the JSON value of each line that is not blank."""
    ablations = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            ablations += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    return ablations


def _existing(files: tuple[Path, ...]) -> Iterator[Path]:
    """Yield the files; refuse a single file that does not exist, since among several it is only a failure."""
    if len(files) == 1 and not files[0].exists():
        raise UsageError(f"{files[0]}: no such file")
    yield from files


def _complain(file: Path, what: str) -> None:
    click.echo(printable(f"error: {what}" if str(file) in what else f"error: {file}: {what}"), err=True)
