"""The command `judge-eval`: compare a judge with human labels."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from eval.commands.options import FOLDER, json_option
from eval.commands.summaries import mean_json
from eval.figures import amount, interval
from eval.judge_eval import Agreement, Means, agreement, means, read_labels
from planner.controls import printable


@click.command(
    "judge-eval",
    epilog="Example: python -m eval judge-eval judged --labels judge-eval/test.parquet",
)
@click.argument("verdicts", type=FOLDER)
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
    found = [agreement(instance, verdicts) for instance in read_labels(labels)]
    published = means([one.published for one in found])
    judged = means([one.judged for one in found if one.judged is not None])
    if as_json:
        click.echo(json.dumps(_json(found, published, judged), ensure_ascii=False))
        return
    for line in _lines(found, published, judged):
        click.echo(printable(line))


def _lines(found: Sequence[Agreement], published: Means, judged: Means) -> list[str]:
    labels, missing = sum(one.labels for one in found), sum(one.missing for one in found)
    lines = [f"{len(found)} instances, {labels} labels; {missing} labels without a verdict"]
    for title, values in (("published", published), ("judged alone", judged)):
        lines.append(f"{title} (n = {values.f1.n})")
        for name, mean in (("precision", values.precision), ("recall", values.recall), ("F1", values.f1)):
            lines.append(f"  {name:10}{amount(mean.mean)} \u00b1 {amount(mean.deviation)}   95 % {interval(mean)}")
    return lines


def _json(found: Sequence[Agreement], published: Means, judged: Means) -> dict[str, object]:
    return {
        "instances": len(found),
        "labels": sum(one.labels for one in found),
        "missing": sum(one.missing for one in found),
        "published": _means_json(published),
        "judged": _means_json(judged),
        "by_instance": [
            {
                "id": one.id,
                "published": one.published,
                "judged": one.judged,
                "labels": one.labels,
                "missing": one.missing,
            }
            for one in found
        ],
    }


def _means_json(values: Means) -> dict[str, object]:
    return {
        "precision": mean_json(values.precision),
        "recall": mean_json(values.recall),
        "f1_score": mean_json(values.f1),
    }
