"""The command `baseline`: run the built-in planner on labelled papers and judge its plans offline."""

import asyncio
from pathlib import Path

import click

from eval.baseline import find_labelled_papers, plan_labelled_papers
from eval.commands.options import EXISTING_FOLDER, json_option, output_option, print_result
from eval.gold import read_gold
from eval.judging import judge_run_offline
from eval.plans import read_system
from eval.runs import write_judged_run
from eval.scoring import RunResult, compute_results
from planner.schema import DEFAULT_K, MAX_K, Task


@click.command(epilog="Example: python -m eval baseline ../shared/papers/labelled -o baseline")
@click.argument("papers", type=EXISTING_FOLDER)
@output_option("plans, verdicts and numbers", required=True)
@click.option("-k", type=click.IntRange(1, MAX_K), default=DEFAULT_K[Task.AUTHOR], show_default=True)
@json_option
def baseline(papers: Path, output: Path, k: int, as_json: bool) -> None:
    """Plan the labelled PAPERS with the built-in planner and score the plans offline; no model is used.

    A label is <id>.json beside its paper, with `id`, `ablations`, and `method_end`: the heading where the method ends.
    """
    result = asyncio.run(_measure_baseline(papers, output, k))
    print_result(result, output, as_json=as_json)
    raise SystemExit(1 if result.coverage.scored < result.coverage.papers else 0)


async def _measure_baseline(papers: Path, output: Path, k: int) -> RunResult:
    await plan_labelled_papers(find_labelled_papers(papers), output / "plans", k)
    judged_run = await judge_run_offline(read_gold(papers, Task.AUTHOR), read_system(output / "plans", Task.AUTHOR))
    write_judged_run(output, judged_run, k)
    (result,) = compute_results([judged_run], k)
    return result
