"""The commands `vote`, the majority of several judges, and `judge-eval`, a judge against human labels."""

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
from eval.vote import NO_MAJORITY, NO_VOTE, vote_on_files, vote_on_runs
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
    judged_runs = asyncio.run(load_judged_runs(judged, gold, plans, task, system))
    majority = vote_on_runs(judged_runs)
    write_judged_run(output, majority, k)
    (result,) = compute_results([majority], k)
    agreements = compare_judges(compute_results(judged_runs, k))
    _print_vote(result, agreements, tuple(_list_vote_warnings(majority)), output, as_json=as_json)


def _vote_on_files(judged: tuple[Path, ...], output: Path, *, as_json: bool) -> None:
    votes = vote_on_files(judged)
    for paper_id, majority in votes.papers.items():
        write_verdicts(output / f"{paper_id}.jsonl", majority.verdicts)
    ties = [f"{paper_id}: {name}" for paper_id, majority in votes.papers.items() for name in majority.tied_names]
    if as_json:
        facts = {"output": str(output), "papers": len(votes.papers), "missing": votes.missing_files, "ties": ties}
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo(f"{len(votes.papers)} papers voted on; {len(ties)} items without a majority, counted as no")
    click.echo(f"{votes.missing_files} missing files; no numbers without --gold and --plans")
    click.echo(f"wrote {make_printable(str(output))}")


def _print_vote(
    result: RunResult, agreements: Sequence[JudgeAgreement], warnings: tuple[str, ...], output: Path, *, as_json: bool
) -> None:
    if as_json:
        agreement = [
            {
                "a": judges.a.label,
                "b": judges.b.label,
                "items": judges.agreement.item_count,
                "same": judges.agreement.same_share,
                "kappa": judges.agreement.kappa,
            }
            for judges in agreements
        ]
        facts = {**build_result_json(result, output), "agreement": agreement, "told": warnings}
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    print_result(result, output, as_json=False)
    ties = sum(NO_MAJORITY in warning for warning in warnings)
    summary = f"{ties} items without a majority, counted as no; {len(warnings) - ties} missing votes"
    for line in (*map(_format_agreement, agreements), summary):
        click.echo(make_printable(line))


def _list_vote_warnings(majority: JudgedRun) -> Iterator[str]:
    """Yield a line for each tie and each missing vote."""
    for paper in majority.record.papers:
        for warning in paper.warnings:
            if warning.startswith((NO_VOTE, NO_MAJORITY)):
                yield f"{paper.id}: {warning}"


def _format_agreement(judges: JudgeAgreement) -> str:
    agreement = judges.agreement
    same, kappa = format_percent(agreement.same_share), format_number(agreement.kappa)
    return (
        f"{judges.a.label} and {judges.b.label}: same verdict on {same} of {agreement.item_count} items, kappa {kappa}"
    )


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
    agreements = [compare_with_labels(plan, verdicts) for plan in read_labelled_plans(labels)]
    published = average_scores([a.published_scores for a in agreements])
    judged = average_scores([a.judged_scores for a in agreements if a.judged_scores is not None])
    if as_json:
        click.echo(json.dumps(_build_json(agreements, published, judged), ensure_ascii=False))
        return
    for line in _format_lines(agreements, published, judged):
        click.echo(make_printable(line))


def _format_lines(agreements: Sequence[LabelAgreement], published: MeanScores, judged: MeanScores) -> Iterator[str]:
    labels, missing = sum(a.label_count for a in agreements), sum(a.missing_count for a in agreements)
    yield f"{len(agreements)} instances, {labels} labels; {missing} labels without a verdict"
    for title, scores in (("published", published), ("judged alone", judged)):
        yield f"{title} (n = {scores.f1.n})"
        for name, mean in (("precision", scores.precision), ("recall", scores.recall), ("F1", scores.f1)):
            numbers = f"{format_number(mean.mean)} \u00b1 {format_number(mean.deviation)}"
            yield f"  {name:10}{numbers}   95 % {format_interval(mean)}"


def _build_json(agreements: Sequence[LabelAgreement], published: MeanScores, judged: MeanScores) -> dict[str, object]:
    return {
        "instances": len(agreements),
        "labels": sum(a.label_count for a in agreements),
        "missing": sum(a.missing_count for a in agreements),
        "published": _build_means_json(published),
        "judged": _build_means_json(judged),
        "by_instance": [
            {
                "id": agreement.id,
                "published": agreement.published_scores,
                "judged": agreement.judged_scores,
                "labels": agreement.label_count,
                "missing": agreement.missing_count,
            }
            for agreement in agreements
        ],
    }


def _build_means_json(scores: MeanScores) -> dict[str, object]:
    return {
        "precision": build_mean_json(scores.precision),
        "recall": build_mean_json(scores.recall),
        "f1_score": build_mean_json(scores.f1),
    }
