"""`combine`: one plan from those of several models, samples or runs."""

import shlex
from pathlib import Path

import click

from planner.cli.command import command
from planner.cli.options import LogOptions, log_options, output_option
from planner.cli.terminal.console import log, print_json, send_log_messages
from planner.combining.combine import CombineResult, SinglePlan, combine_plans
from planner.details import DEFAULT_MIN_CHANCE, format_count
from planner.planning.output import PlanOutput
from planner.sanitize import make_printable
from planner.schema import DEFAULT_K, MAX_K, Task
from planner.site.entries import UnreadFile


@command(epilog="Example: ablation-planner combine runs/gpt-4o runs/claude -o combined")
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    metavar="SOURCE…",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
)
@output_option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the plans."
)
@output_option(
    "--min-chance",
    type=click.IntRange(0, 100),
    metavar="PERCENT",
    help="Keep only ablations with at least this mean chance, and always the best one.  "
    f"[author {DEFAULT_MIN_CHANCE[Task.AUTHOR]}, reviewer {DEFAULT_MIN_CHANCE[Task.REVIEWER]}]",
)
@output_option(
    "-k",
    type=click.IntRange(1, MAX_K),
    help=f"Most ablations in a plan.  [reviewer {DEFAULT_K[Task.REVIEWER]}, author {DEFAULT_K[Task.AUTHOR]}]",
)
@output_option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@log_options
def combine(
    sources: tuple[Path, ...],
    output: Path,
    min_chance: int | None,
    k: int | None,
    as_json: bool,
    log_settings: LogOptions,
) -> None:
    """Combine the plans in each SOURCE: a run folder, or any folder of trajectories. Nothing is sent.

    Of each paper and task, the ablations that several models, samples or runs propose are joined, and ranked by their
    mean chance, or by votes where not every plan states chances. Prints the path of each combined plan.
    """
    with send_log_messages(log_settings):
        facts: dict[str, list[dict[str, object]]] = {"plans": [], "single": [], "unread": []}
        for result in combine_plans(sources, output, k=k, min_chance=min_chance):
            _add_facts(facts, result)
            if isinstance(result, PlanOutput) and not as_json:
                click.echo(make_printable(str(result.path)))
        if as_json:
            print_json(facts)
        combined, single, unread = map(len, facts.values())
        counts = [f"{format_count(combined, 'plan')} combined"]
        if single:
            counts.append(f"{format_count(single, 'plan')} left alone, as no other is of the same paper and task")
        if unread:
            counts.append(f"{format_count(unread, 'file')} that cannot be read")
        log.info("%s", ", ".join(counts))
        if combined and not as_json:
            log.info("next, the plans:\n  ablation-planner show %s", shlex.quote(str(output)))
        raise SystemExit(1 if facts["unread"] or not facts["plans"] else 0)


def _add_facts(facts: dict[str, list[dict[str, object]]], result: CombineResult) -> None:
    """Add the facts of a result, and log what is not combined."""
    match result:
        case PlanOutput(record, _, path):
            members = record.parameters["members"]
            facts["plans"].append(
                {"paper_id": record.paper.id, "task": record.task, "path": str(path), "members": members}
            )
        case SinglePlan(paper_id, task, member):
            log.info("%s: only %s has a plan for the %s task, so nothing is combined", paper_id, member, task)
            facts["single"].append({"paper_id": paper_id, "task": task, "member": member})
        case UnreadFile(name, reason):
            log.warning("%s: %s", name, reason)
            facts["unread"].append({"file": name, "reason": reason})
