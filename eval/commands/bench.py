"""The command `bench`: score runs on the open bench, given a folder with the PDFs of its papers."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from eval.agreement import describe_offline_judge
from eval.bench_papers import BenchPaper, find_bench_papers, judge_bench_run, plan_bench_papers, read_bench_papers
from eval.commands.options import EXISTING_FOLDER, build_result_json, json_option
from eval.runs import JudgedRun
from eval.scoring import RunResult, compute_results
from eval.statistics import Mean, format_interval, format_number
from planner.sanitize import make_printable
from planner.schema import DEFAULT_K, MAX_K, Task


@click.command(epilog="Example: python -m eval bench trajectories --papers pdfs")
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=EXISTING_FOLDER)
@click.option("--papers", required=True, type=EXISTING_FOLDER, help="Folder with the PDFs of the bench.")
@click.option("-k", type=click.IntRange(1, MAX_K), default=DEFAULT_K[Task.AUTHOR], show_default=True)
@json_option
def bench(runs: tuple[Path, ...], papers: Path, k: int, as_json: bool) -> None:
    """Score RUNs on the 20 labelled papers of eval/bench, and print the table for a README.

    A RUN is a run folder or a folder of trajectories, judged offline, or a folder that `judge` wrote. Without any, the
    built-in planner plans the papers. The PDFs are known by their checksums; missing ones are named and left out.
    """
    bench_papers = read_bench_papers()
    folder = find_bench_papers(papers, bench_papers)
    for sentence in folder.missing:
        click.echo(make_printable(sentence), err=True)
    judged_runs = asyncio.run(_judge_runs(runs, folder.found, bench_papers, k))
    results = compute_results(judged_runs, k)
    if as_json:
        click.echo(json.dumps({"missing": folder.missing, "runs": [build_result_json(result) for result in results]}))
    else:
        click.echo(make_printable("\n".join(_format_lines(results, k, len(bench_papers)))))
    raise SystemExit(1 if folder.missing or any(_count_unscored(result) for result in results) else 0)


async def _judge_runs(
    runs: Sequence[Path], found: Mapping[str, Path], papers: Sequence[BenchPaper], k: int
) -> list[JudgedRun]:
    if runs:
        return [judged for folder in runs for judged in await judge_bench_run(folder, found)]
    with TemporaryDirectory() as folder:
        await plan_bench_papers(found, papers, Path(folder), k)
        return await judge_bench_run(Path(folder), found)


def _format_lines(results: Sequence[RunResult], k: int, paper_count: int) -> Iterator[str]:
    yield f"| system | judge | papers | precision@{k} | recall@{k} | F1@{k} |"
    yield "|---|---|---|---|---|---|"
    for result in results:
        summary = result.summary
        means = " | ".join(map(_format_mean, (summary.precision, summary.recall, summary.f1)))
        papers = f"{result.coverage.scored} of {paper_count}"
        yield f"| {result.record.system} | {result.record.judge} | {papers} | {means} |"
    for sentence in describe_offline_judge(result.record for result in results):
        yield f"\n{sentence}"


def _format_mean(mean: Mean) -> str:
    return f"{format_number(mean.mean)} ({format_interval(mean)})"


def _count_unscored(result: RunResult) -> int:
    return result.coverage.papers - result.coverage.scored
