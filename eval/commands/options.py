"""The options, the error handling and the printing of results that several commands share."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click

from eval.agreement import describe_offline_judge
from eval.masked import count_unchecked_papers, summarize_masked_scores
from eval.scoring import RunResult
from eval.statistics import Mean, format_number
from planner.cli.options import CommandFunction
from planner.errors import PlannerError, UsageError
from planner.sanitize import make_printable
from planner.schema import Task

EXISTING_FOLDER: Final = click.Path(path_type=Path, exists=True, file_okay=False)

_METRICS: Final = (
    ("precision", "precision"),
    ("recall", "recall"),
    ("F1", "f1"),
    ("nDCG, published", "ndcg"),
    ("nDCG, plan order", "plan_ndcg"),
)


class CommandGroup(click.Group):
    """A command group that turns each of the program's errors into one line: exit code 2 for wrong usage, else 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and raise its errors as click exceptions."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise click.UsageError(make_printable(str(error))) from error
        except PlannerError as error:
            raise click.ClickException(make_printable(str(error))) from error
        except OSError as error:
            raise click.ClickException(
                make_printable(f"{error.filename or 'file'}: {error.strerror or error}")
            ) from error


task_option = click.option(
    "--task", type=click.Choice(Task, case_sensitive=False), help="The task, where the files hold both."
)
system_option = click.option(
    "--system", default="", metavar="NAME", help="Model, as gpt-4o, or a part of a system's name."
)
k_option = click.option("-k", type=click.IntRange(min=1), help="Score the first K ablations of each plan.  [all]")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
plots_option = click.option(
    "--plots/--no-plots", default=True, show_default=True, help="Draw pictures; needs matplotlib (extra `eval`)."
)


def gold_option(*, required: bool = False) -> Callable[[CommandFunction], CommandFunction]:
    """Return the option --gold, the file that plans are scored against."""
    return click.option(
        "--gold",
        required=required,
        type=click.Path(path_type=Path, exists=True),
        help="Parquet, JSONL or JSON: AblationBench's data, or id, title, and ablations, reviews or answers.",
    )


def output_option(contents: str, *, required: bool = False) -> Callable[[CommandFunction], CommandFunction]:
    """Return the option -o, the folder to which a command writes."""
    folder = click.Path(path_type=Path, file_okay=False)
    return click.option("-o", "--output", required=required, type=folder, help=f"Folder for {contents}.")


def print_result(result: RunResult, folder: Path, *, as_json: bool) -> None:
    """Print the numbers of one run, as lines or as one JSON object."""
    if as_json:
        click.echo(json.dumps(build_result_json(result, folder), ensure_ascii=False))
    else:
        click.echo(make_printable("\n".join(_format_lines(result, folder))))


def build_result_json(result: RunResult, folder: Path | None = None) -> dict[str, Any]:
    """Return the numbers of one run as a JSON object; unknown values are null."""
    coverage = {name: getattr(result.coverage, name) for name in ("scored", "unscored", "failed", "absent")}
    return {
        "system": result.record.system,
        "task": result.record.task.value,
        "judge": result.record.judge,
        "repetition": result.record.repetition,
        "output": str(folder) if folder else None,
        "coverage": coverage,
        "k": result.summary.k,
        **{name: build_mean_json(getattr(result.summary, name)) for _, name in _METRICS},
        "by_k": [
            {"k": summary.k, **{name: build_mean_json(getattr(summary, name)) for _, name in _METRICS}}
            for summary in result.by_k
        ],
        **({"masked": _build_masked_json(result)} if result.record.is_masked else {}),
        **({"trust": " ".join(trust)} if (trust := describe_offline_judge([result.record])) else {}),
        "plan_cost": result.plan_cost,
        "judge_cost": result.judge_cost,
        "reasons": {paper.id: paper.reason for paper in result.record.papers if paper.reason},
    }


def _build_masked_json(result: RunResult) -> dict[str, Any]:
    means = {name: build_mean_json(mean) for name, mean in summarize_masked_scores(result.masked_scores).items()}
    return {**means, "unchecked": count_unchecked_papers(result.masked_scores)}


def build_mean_json(mean: Mean | None) -> dict[str, Any] | None:
    """Return a mean as a JSON object, None where there is no mean."""
    if mean is None or not mean.n:
        return None
    return {"mean": mean.mean, "sd": mean.deviation, "low": mean.low, "high": mean.high, "n": mean.n}


def _format_lines(result: RunResult, folder: Path) -> Iterator[str]:
    record, papers, k = result.record, result.coverage, result.summary.k
    yield f"{record.system}, {record.task} task, judged by {record.judge}" + ("" if k is None else f", k = {k}")
    yield (
        f"{papers.scored} of {papers.papers} papers scored; {papers.unscored} unscored, {papers.failed} failed, "
        f"{papers.absent} absent"
    )
    yield f"{'':18}{'mean':>6}{'sd':>7}   95 % interval"
    for label, mean in _list_means(result):
        numbers = f"{format_number(mean.mean):>6}{format_number(mean.deviation):>7}"
        yield f"{label:18}{numbers}   {mean.low:.2f} to {mean.high:.2f}"
    if unchecked := count_unchecked_papers(result.masked_scores):
        yield f"already reported is unknown for {unchecked} of {len(result.masked_scores)} papers"
    yield from describe_offline_judge([record])
    yield f"wrote {folder}"


def _list_means(result: RunResult) -> Iterator[tuple[str, Mean]]:
    """Yield the name and the mean of each measure that is known for any paper."""
    means = {label: getattr(result.summary, name) for label, name in _METRICS}
    masked = {name.replace("_", " "): mean for name, mean in summarize_masked_scores(result.masked_scores).items()}
    return ((label, mean) for label, mean in {**means, **masked}.items() if mean is not None and mean.n)
