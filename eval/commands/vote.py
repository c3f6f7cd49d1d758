"""The command `vote_on_runs`: take the majority of several judges of the same plans."""
# MERGED-DOC """The command `judge-eval`: compare a judge with human labels."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from eval.commands.options import (
    EXISTING_FOLDER,
    build_mean_json,
    build_result_json,
    gold_option,
    json_option,
    k_option,
    output_option,
    print_result,
    system_option,
    task_option,
)
from eval.judge_eval import LabelAgreement, MeanScores, average_scores, compare_with_labels, read_labelled_plans
from eval.judging import load_judged_runs
from eval.report.reliability import JudgeAgreement, compare_judges
from eval.runs import RUN_FILE, JudgedRun, write_judged_run
from eval.scoring import RunResult, compute_results
from eval.statistics import format_interval, format_number, format_percent
from eval.verdicts import write_verdicts
from eval.vote import NO_MAJORITY, NO_VOTE, vote_on_files
from eval.vote import vote_on_runs as majority
from planner.sanitize import make_printable
from planner.schema import Task


@click.command(epilog="Example: python -m eval vote judged/gpt-4o judged/claude judged/o3 -o judged/majority")
@click.argument("judged", nargs=-1, required=True, type=EXISTING_FOLDER)
@output_option("the majority's verdicts and numbers", required=True)
@gold_option()
@click.option("--plans", type=EXISTING_FOLDER, help="The plans, for folders of verdicts that another program wrote.")
@task_option
@system_option
@k_option
@json_option
def vote(
    judged: tuple[Path, ...],
    output: Path,
    gold: Path | None,
    plans: Path | None,
    task: Task | None,
    system: str,
    k: int | None,
    as_json: bool,
) -> None:
    """Take the majority of the verdicts in the JUDGED folders, two or more.

    A verdict wins with more than half of the votes on its ablation; a tie counts as no. For folders that another
    program wrote, add --gold and --plans to get numbers; without them only the majority's files are written.
    """
    if not all((folder / RUN_FILE).exists() for folder in judged) and (gold is None or plans is None):
        _vote_on_files(judged, output, as_json=as_json)
        return
    judgings = asyncio.run(load_judged_runs(judged, gold, plans, task, system))
    voted = majority(judgings)
    write_judged_run(output, voted, k)
    (row,) = compute_results([voted], k)
    _print_vote(
        row, compare_judges(compute_results(judgings, k)), tuple(_vote_warnings(voted)), output, as_json=as_json
    )


def _vote_on_files(judged: tuple[Path, ...], output: Path, *, as_json: bool) -> None:
    voted = vote_on_files(judged)
    for paper_id, found in voted.papers.items():
        write_verdicts(output / f"{paper_id}.jsonl", found.verdicts)
    ties = [f"{paper_id}: {name}" for paper_id, found in voted.papers.items() for name in found.tied_names]
    if as_json:
        told = {"output": str(output), "papers": len(voted.papers), "missing": voted.missing_files, "ties": ties}
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    click.echo(f"{len(voted.papers)} papers voted on; {len(ties)} items without a majority, counted as no")
    click.echo(f"{voted.missing_files} missing files; no numbers without --gold and --plans")
    click.echo(f"wrote {make_printable(str(output))}")


def _print_vote(
    row: RunResult, found: Sequence[JudgeAgreement], told: tuple[str, ...], output: Path, *, as_json: bool
) -> None:
    if as_json:
        agreed = [
            {"a": a.a.label, "b": a.b.label, "items": a.item_count, "same": a.same_share, "kappa": a.kappa}
            for a in found
        ]
        click.echo(
            json.dumps({**build_result_json(row, output), "agreement": agreed, "told": told}, ensure_ascii=False)
        )
        return
    print_result(row, output, as_json=False)
    ties = sum(NO_MAJORITY in line for line in told)
    missing = f"{ties} items without a majority, counted as no; {len(told) - ties} missing votes"
    for line in (*map(_format_agreement, found), missing):
        click.echo(make_printable(line))


def _vote_warnings(voted: JudgedRun) -> Iterator[str]:
    """Yield a line for each tie and each missing vote."""
    for paper in voted.run.papers:
        for warning in paper.warnings:
            if warning.startswith((NO_VOTE, NO_MAJORITY)):
                yield f"{paper.id}: {warning}"


def _format_agreement(found: JudgeAgreement) -> str:
    same, kappa = format_percent(found.same_share), format_number(found.kappa)
    return f"{found.a.label} and {found.b.label}: same verdict on {same} of {found.item_count} items, kappa {kappa}"


@click.command(
    "judge-eval",
    epilog="Example: python -m eval judge-eval judged --labels judge-eval/test.parquet",
)
@click.argument("verdicts", type=EXISTING_FOLDER)
@click.option(
    "--labels",
    required=True,
    type=click.Path(path_type=Path, exists=True),
    help="Parquet, JSONL or JSON with `id` and `labels`, like AblationBench's judge-eval sets.",
)
@json_option
def judge_eval(verdicts: Path, labels: Path, as_json: bool) -> None:
    """Compare VERDICTS, a folder of <model>/<paper id>.jsonl, with human labels.

    The published numbers count a missing verdict as no, and a plan without verdicts as 0; the others leave both out.
    """
    found = [compare_with_labels(instance, verdicts) for instance in read_labelled_plans(labels)]
    published = average_scores([one.published_scores for one in found])
    judged = average_scores([one.judged_scores for one in found if one.judged_scores is not None])
    if as_json:
        click.echo(json.dumps(_build_json(found, published, judged), ensure_ascii=False))
        return
    for line in _format_lines(found, published, judged):
        click.echo(make_printable(line))


def _format_lines(found: Sequence[LabelAgreement], published: MeanScores, judged: MeanScores) -> list[str]:
    labels, missing = sum(one.label_count for one in found), sum(one.missing_count for one in found)
    lines = [f"{len(found)} instances, {labels} labels; {missing} labels without a verdict"]
    for title, values in (("published", published), ("judged alone", judged)):
        lines.append(f"{title} (n = {values.f1.n})")
        for name, mean in (("precision", values.precision), ("recall", values.recall), ("F1", values.f1)):
            lines.append(
                f"  {name:10}{format_number(mean.mean)} \u00b1 {format_number(mean.deviation)}   95 % {format_interval(mean)}"
            )
    return lines


def _build_json(found: Sequence[LabelAgreement], published: MeanScores, judged: MeanScores) -> dict[str, object]:
    return {
        "instances": len(found),
        "labels": sum(one.label_count for one in found),
        "missing": sum(one.missing_count for one in found),
        "published": _build_means_json(published),
        "judged": _build_means_json(judged),
        "by_instance": [
            {
                "id": one.id,
                "published": one.published_scores,
                "judged": one.judged_scores,
                "labels": one.label_count,
                "missing": one.missing_count,
            }
            for one in found
        ],
    }


def _build_means_json(values: MeanScores) -> dict[str, object]:
    return {
        "precision": build_mean_json(values.precision),
        "recall": build_mean_json(values.recall),
        "f1_score": build_mean_json(values.f1),
    }
