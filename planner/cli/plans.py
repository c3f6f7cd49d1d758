"""`plan`, `demo` and `parse`: commands that write a trajectory."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Self

import click

from planner.batch.job import Asked
from planner.chat import Completion, ModelCard, Prompt
from planner.cli.models import EXTRACTIVE, asked_model, patient, say_where
from planner.cli.options import (
    ModelOptions,
    PaperOptions,
    TalkOptions,
    TaskOptions,
    model_options,
    paper_options,
    talk_options,
    task_options,
)
from planner.cli.signals import interruptible
from planner.cli.sources import MissingPaperError, read_paper, refuse_missing
from planner.cli.talk import log, talking
from planner.cli.trajectories import as_text
from planner.controls import printable
from planner.errors import Outcome, PaperError, TrajectoryError, UsageError
from planner.gauge import Gauge
from planner.outputs import Output, plan_into, unreadable_into
from planner.papers.characters import decode
from planner.papers.ids import paper_id
from planner.posing import Settings
from planner.sidecar import Sidecar

output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("trajectories"),
    show_default=True,
    envvar="ABLATION_PLANNER_OUTPUT",
    show_envvar=True,
    help="Folder for the trajectories.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per paper instead of a path.")


@click.command(epilog="Example: ablation-planner plan paper.pdf --model gpt-4o --task author -k 5")
@click.argument("papers", nargs=-1, required=True, metavar="PAPER…")
@paper_options
@task_options
@model_options
@output_option
@click.option("--force", is_flag=True, help="Send a request again even if it was already answered.")
@json_option
@talk_options
def plan(
    papers: tuple[str, ...],
    about: PaperOptions,
    asked: TaskOptions,
    asking: ModelOptions,
    output: Path,
    force: bool,
    as_json: bool,
    talk: TalkOptions,
) -> None:
    """Plan the missing ablations of each PAPER: a file, a folder, an archive, an arXiv id, or - for stdin.

    Writes a trajectory for each and prints its path.
    """
    if len(papers) > 1 and (about.title or about.abstract or about.paper_id):
        raise UsageError("--title, --abstract and --id describe one paper; give one PAPER, or a manifest to `batch`")
    with talking(talk):
        report = partial(_report, as_json=as_json)
        raise SystemExit(interruptible(_plan_all(papers, about, asked.settings, asking, output, force, report)))


@click.command(epilog="Example: ablation-planner demo --task author")
@task_options
@model_options
@output_option
@talk_options
def demo(asked: TaskOptions, asking: ModelOptions, output: Path, talk: TalkOptions) -> None:
    """Plan a paper that comes with the program, and show the plan.

    Uses the built-in planner unless you name a model.
    """
    with talking(talk), as_file(files("planner") / "demo" / "paper.md") as paper:
        asking = replace(asking, model=asking.model or EXTRACTIVE)  # a key alone must not demand a model
        work = _plan_all((str(paper),), PaperOptions(), asked.settings, asking, output, False, _show)
        raise SystemExit(interruptible(work))


@click.command(epilog="Example: ablation-planner parse reply.txt --paper paper.pdf --model my-chat-model")
@click.argument("reply", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--paper", required=True, help="The paper that the reply is about.")
@click.option("--model", default="pasted", show_default=True, help="The model that wrote the reply, for the heading.")
@paper_options
@task_options
@output_option
@json_option
@talk_options
def parse(
    reply: str,
    paper: str,
    model: str,
    about: PaperOptions,
    asked: TaskOptions,
    output: Path,
    as_json: bool,
    talk: TalkOptions,
) -> None:
    """Parse a REPLY from any source (- for stdin), validate it, and write the trajectory."""
    if not model.strip():
        raise UsageError("--model is empty; name the model that wrote the reply, as in --model my-chat-model")
    if paper == reply == "-":
        raise UsageError("REPLY and --paper cannot both be read from stdin; give one of them as a file")
    refuse_missing((paper,))
    with talking(talk):
        settings = replace(asked.settings, reasks=0)
        read = read_paper(paper, about)
        # A pasted reply is always new: for a corrected one, the recorded reply must not be used.
        done = asyncio.run(plan_into(output, read, _Pasted.read(reply, model), settings, _unpriced, anew=True))
        _report(paper, done, as_json)
        raise SystemExit(0 if done.planning.outcome is Outcome.PLANNED else 1)


class _Pasted:
    """A model that returns one reply which the user fetched by hand; its finish reason is unknown."""

    def __init__(self, model: str, text: str, notes: tuple[str, ...]) -> None:
        self._completion = Completion(text, model=model, notes=notes)
        self.card = ModelCard("lm-planner", model, model)

    @classmethod
    def read(cls, reply: str, model: str) -> Self:
        data = sys.stdin.buffer.read() if reply == "-" else Path(reply).read_bytes()
        return cls(model, *decode(data, reply))

    async def complete(self, prompt: Prompt) -> Completion:  # noqa: ARG002 - the user sent it by hand
        return self._completion


def _unpriced(_: Completion) -> None:
    return None


async def _plan_all(
    sources: tuple[str, ...],
    about: PaperOptions,
    settings: Settings,
    asking: ModelOptions,
    output: Path,
    force: bool,
    report: Callable[[str, Output], None],
) -> int:
    """Plan one paper after the other; return 0 if all of them were planned, otherwise 1."""
    refuse_missing(sources)
    code = 0
    async with asked_model(asking, settings, offline=about.offline) as model:
        say_where(model.host, model.card)
        desk = _Desk(output, model, asking.max_wait, force)
        for number, source in enumerate(sources, start=1):
            log.info("%sreading %s", f"[{number}/{len(sources)}] " if len(sources) > 1 else "", source)
            try:
                done = await desk.plan(source, about)
            except (MissingPaperError, TrajectoryError, OSError) as error:
                log.error("%s", error)
                code = 1
                continue
            report(source, done)
            code = code if done.planning.outcome is Outcome.PLANNED else 1
    return code


class _Desk:
    """A planner of the papers of one call, which share a model, an output folder and a token counter."""

    def __init__(self, output: Path, asked: Asked, max_wait: float, force: bool) -> None:
        self._output = output
        self._asked = asked
        self._max_wait = max_wait
        self._force = force
        self._gauge = Gauge()
        self._taken: set[str] = set()

    async def plan(self, source: str, about: PaperOptions) -> Output:
        try:
            paper = read_paper(source, about)
        except MissingPaperError:
            raise
        except PaperError as error:
            named = self._distinct(paper_id("", given=about.paper_id, name="stdin" if source == "-" else source))
            return unreadable_into(self._output, source, error, self._asked.card, self._asked.settings, named=named)
        paper = replace(paper, id=self._distinct(paper.id))
        asked, price = self._asked, self._asked.price
        return await plan_into(
            self._output,
            paper,
            patient(asked.sender(paper), self._max_wait),
            asked.settings,
            lambda completion: price(completion.usage),
            anew=self._force,
            gauge=self._gauge,
        )

    def _distinct(self, name: str) -> str:
        """Return the id, with a number added if another paper of this call has it."""
        names = (name, *(f"{name}-{number}" for number in range(2, len(self._taken) + 3)))
        chosen = next(name for name in names if name not in self._taken)
        self._taken.add(chosen)
        return chosen


def _report(source: str, done: Output, as_json: bool = False) -> None:
    """Report a result: the path or the JSON object on stdout, warnings and the reason on stderr."""
    sidecar = done.sidecar
    for warning in sidecar.warnings:
        log.warning("%s: %s", source, warning)
    for left_out in sidecar.paper.left_out:
        log.info("%s: left out %r, %d characters: %s", source, left_out.heading, left_out.chars, left_out.why)
    if done.planning.trajectory:
        count = len(done.planning.trajectory.plan.ablations)
        log.info("planned %d ablation%s%s", count, "" if count == 1 else "s", _spent(sidecar))
    else:
        log.error("%s: %s: %s (details in %s)", source, sidecar.outcome, sidecar.reason, done.sidecar_path)
    if as_json:
        click.echo(json.dumps(_summary(source, done)))  # ASCII, whatever the terminal's encoding
    elif done.planning.trajectory:
        click.echo(printable(str(done.path)))


def _show(source: str, done: Output) -> None:
    _report(source, done)
    if done.planning.trajectory:
        click.echo(printable("\n" + as_text(done.planning.trajectory)))


def _summary(source: str, done: Output) -> dict[str, object]:
    sidecar = done.sidecar
    return {
        "source": source,
        "paper_id": sidecar.paper.id,
        "title": sidecar.paper.title,
        "outcome": sidecar.outcome.value,
        "reason": sidecar.reason,
        "trajectory": str(done.path) if done.planning.trajectory else None,
        "sidecar": str(done.sidecar_path),
        "cost": sidecar.cost,
        "warnings": list(sidecar.warnings),
    }


def _spent(sidecar: Sidecar) -> str:
    if not sidecar.endpoint:
        return ""
    cost = "?" if sidecar.cost is None else f"${sidecar.cost:.4f}"
    tokens = [sidecar.usage.prompt_tokens, sidecar.usage.completion_tokens]
    shown = " + ".join("?" if count is None else f"{count:,}" for count in tokens)
    return f" ({shown} tokens, {cost})"
