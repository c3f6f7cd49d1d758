"""`batch`, `status` and `export`: a corpus, how far it is, and its plans in other forms."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

import click
from pydantic import JsonValue

from planner import __version__
from planner.batch.asking import LIKELY_COMPLETION
from planner.batch.corpus import gather, with_ids
from planner.batch.entry import Corpus
from planner.batch.estimate import Estimate, estimate
from planner.batch.export import FORMS, export_run
from planner.batch.job import Asked, Bounds, Job
from planner.batch.ledger import Ledger
from planner.batch.local import LocalEngine
from planner.batch.overview import read_overview
from planner.batch.reading import processes
from planner.batch.run import RunFolder
from planner.batch.shards import Shard, ids_in
from planner.batch.status import read_status
from planner.batch.worker import command
from planner.chat import ModelCard, Usage
from planner.cli.cluster import EngineOptions, engaged, engine_options
from planner.cli.models import asked_model
from planner.cli.options import (
    EndpointOptions,
    ModelOptions,
    TalkOptions,
    TaskOptions,
    endpoint_options,
    gathered,
    talk_options,
    task_options,
)
from planner.cli.shards import folder_of, part_of, shard_option
from planner.cli.signals import Interrupt, interruptible
from planner.cli.sources import arxiv_access
from planner.cli.talk import log, talking
from planner.cli.view import showing
from planner.cli.wording import duration
from planner.controls import printable, printable_json
from planner.errors import UsageError
from planner.papers.arxiv import Arxiv
from planner.pipeline import Settings
from planner.retrying import RetryPolicy
from planner.trajectory.paths import relative_path

# With 30 % of all requests failing, one paper in 15,000 is given up.
_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class BoundOptions:
    """What a run may use."""

    concurrency: int
    rpm: float | None
    tpm: float | None
    max_cost: float | None
    max_papers: int | None


_bound_options = gathered(
    "bounded",
    BoundOptions,
    click.option(
        "--concurrency",
        type=click.IntRange(1, 4096),
        default=32,
        show_default=True,
        envvar="ABLATION_PLANNER_CONCURRENCY",
        show_envvar=True,
        help="At most so many requests at once; fewer while the endpoint says it is too much.",
    ),
    click.option(
        "--rpm", type=click.FloatRange(min=0, min_open=True), help="Requests a minute.  [from the endpoint's headers]"
    ),
    click.option(
        "--tpm", type=click.FloatRange(min=0, min_open=True), help="Tokens a minute.  [from the endpoint's headers]"
    ),
    click.option(
        "--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Never pass this cost, whatever happens."
    ),
    click.option("--max-papers", type=click.IntRange(min=1), help="Plan at most so many papers this time."),
)


@click.command(epilog="Example: ablation-planner batch papers/ -o run --model gpt-4o --max-cost 20")
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS…")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="RUN",
    help="Folder of the run; the same command goes on from what it holds.",
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    envvar="ABLATION_PLANNER_MODEL",
    show_envvar=True,
    help="As for `plan`; give it again for several models.",
)
@task_options
@endpoint_options
@_bound_options
@click.option(
    "--offline",
    is_flag=True,
    envvar="ABLATION_PLANNER_OFFLINE",
    show_envvar=True,
    help="Send nothing to anyone, and fetch nothing.",
)
@click.option("--retry-failed", is_flag=True, help="Try again what failed before.")
@engine_options
@shard_option
@click.option("--dry-run", is_flag=True, help="Read the corpus, say what it would take, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@talk_options
def batch(
    corpus: tuple[str, ...],
    output: Path,
    models: tuple[str, ...],
    asked: TaskOptions,
    asking: EndpointOptions,
    bounded: BoundOptions,
    offline: bool,
    retry_failed: bool,
    shard: Shard | None,
    where: EngineOptions,
    dry_run: bool,
    as_json: bool,
    talk: TalkOptions,
) -> None:
    """Plan every paper of a CORPUS: folders, globs, manifests (.jsonl .csv .parquet), arXiv ids, lists of these, or -.

    It may be stopped at any moment, also by force; the same command goes on, and pays for nothing twice.
    """
    call = _Call(
        corpus,
        RunFolder(output),
        models or ("",),
        asked.settings,
        asking,
        bounded,
        offline,
        retry_failed,
        as_json,
        shard,
        where,
    )
    with talking(talk):
        raise SystemExit(interruptible(call.estimate()) if dry_run else asyncio.run(call.plan(quiet=talk.quiet)))


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--failed", is_flag=True, help="The reasons of failures, grouped.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(run: Path, failed: bool, as_json: bool) -> None:
    """Show how far a RUN is, also while it is under way."""
    found = read_overview(RunFolder(run))
    if as_json:
        click.echo(printable_json(json.dumps(found.as_json(failed=failed), ensure_ascii=False, indent=1)))
    else:
        click.echo(printable(found.as_text(failed=failed)))


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--to", "form", type=click.Choice(FORMS), required=True, help="The form.")
@click.argument("target", type=click.Path(path_type=Path))
def export(run: Path, form: str, target: Path) -> None:
    """Write the plans of a RUN to TARGET: a folder as AblationBench has it, a CSV file, or a JSONL file."""
    for line in export_run(RunFolder(run), form, target):
        click.echo(printable(line), err=True)
    click.echo(printable(str(target)))


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of `batch`."""

    named: tuple[str, ...]
    run: RunFolder
    models: tuple[str, ...]
    settings: Settings
    asking: EndpointOptions
    bounded: BoundOptions
    offline: bool
    retry_failed: bool
    as_json: bool
    shard: Shard | None
    where: EngineOptions

    async def estimate(self) -> int:
        """Say what the corpus would take; the exit code tells whether all of it can be read."""
        async with AsyncExitStack() as stack:
            models = await self._asked(stack)
            corpus = with_ids(self._gathered(), {})
            corpus = self.shard.part(corpus) if self.shard else corpus
            estimates = await estimate(corpus, models, self._bounds(), processes(command(self._arxiv())))
        click.echo(_estimate_json(corpus, estimates) if self.as_json else printable(_estimate_text(corpus, estimates)))
        return 1 if _is_faulty(corpus) or any(each.unreadable for each in estimates) else 0

    async def plan(self, *, quiet: bool) -> int:
        """Plan what is pending; the exit code is 1 when any paper has no plan, 130 or 143 when stopped."""
        async with AsyncExitStack() as stack:
            models = await self._asked(stack)
            corpus = self._gathered()
            run = folder_of(self.run, self.shard)
            stack.enter_context(run.held())
            corpus = part_of(self.run, with_ids(corpus, ids_in(self.run)), self.shard)
            shared_disk = self.shard is not None or run.on_shared_disk
            ledger = await stack.enter_async_context(Ledger(run.ledger, shared_disk=shared_disk))
            patience = RetryPolicy(attempts=_ATTEMPTS, max_wait=self.asking.max_wait)
            models, readers = await stack.enter_async_context(engaged(self.where, models, self._arxiv()))
            job = Job(corpus, models, self._bounds(), readers, patience, self.retry_failed)
            run.describe(self._facts(corpus, models))
            code = await self._worked(LocalEngine(job, run, ledger), run, quiet=quiet)
        return code or (1 if _is_faulty(corpus) else 0)

    async def _worked(self, engine: LocalEngine, run: RunFolder, *, quiet: bool) -> int:
        interrupt = Interrupt(engine.stop)
        try:
            with interrupt.heard():
                async with showing(engine.progress, quiet=quiet):
                    await engine.plan()
        except asyncio.CancelledError:
            log.error("stopped at once; the same command goes on from here")
            return interrupt.exit_code
        found = read_status(run)
        log.info("%s", found.as_text())
        if self.as_json:
            click.echo(printable_json(json.dumps(found.as_json(), ensure_ascii=False, indent=1)))
        if engine.progress.stopping:
            log.error("stopped: %s; the same command goes on from here", engine.progress.stopping)
        return interrupt.exit_code or (1 if found.failed or engine.progress.stopping else 0)

    async def _asked(self, stack: AsyncExitStack) -> tuple[Asked, ...]:
        found = []
        for name in dict.fromkeys(self.models):
            options = ModelOptions(**asdict(self.asking), model=name)
            model = await stack.enter_async_context(
                asked_model(
                    options,
                    self.settings,
                    offline=self.offline,
                    connections=self.bounded.concurrency,
                    cap=self._cap(),
                )
            )
            if self.bounded.max_cost is not None and model.price(Usage(1, 1)) is None:
                raise UsageError(
                    f"--max-cost needs a price, and none is known for {model.card.asked!r}: add --price IN,OUT"
                )
            settings = replace(self.settings, window=self.settings.window or model.window)
            found.append(Asked(model.card, settings, model.sender, model.price, model.host, model.remote))
        _refuse_same_files([each.card for each in found])
        return tuple(found)

    def _gathered(self) -> Corpus:
        corpus = gather(self.named, sys.stdin.read() if "-" in self.named else None)
        for problem in corpus.problems:
            log.warning("%s: %s", problem.source, problem.what)
        if corpus.passed_over:
            log.info("%d files are no papers and were passed over", corpus.passed_over)
        if not corpus.entries:
            raise UsageError(f"{', '.join(self.named)}: no papers there; give PDF, LaTeX, Markdown, HTML or text")
        return corpus

    def _bounds(self) -> Bounds:
        bounded = self.bounded
        return Bounds(bounded.concurrency, bounded.rpm, bounded.tpm, bounded.max_cost, bounded.max_papers, self._cap())

    def _cap(self) -> int | None:
        """What bounds a reply, in tokens: without it a cost limit could not be held.

        The price data know no model's maximum, so what hardly any reply passes stands in for it.
        """
        return None if self.bounded.max_cost is None else self.asking.max_tokens or LIKELY_COMPLETION

    def _arxiv(self) -> Arxiv:
        return arxiv_access(offline=self.offline)

    def _facts(self, corpus: Corpus, models: tuple[Asked, ...]) -> dict[str, JsonValue]:
        return {
            "program_version": __version__,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "corpus": list(self.named),
            "papers": len(corpus.entries),
            "task": self.settings.task.value,
            "k": self.settings.k,
            "models": [
                {
                    "planner": each.card.planner,
                    "name": each.card.name,
                    "asked": each.card.asked,
                    "endpoint": each.card.endpoint,
                    "parameters": dict(each.card.parameters),
                }
                for each in models
            ],
            "limits": asdict(self.bounded),
            **({"shard": str(self.shard)} if self.shard else {}),
        }


def _refuse_same_files(cards: list[ModelCard]) -> None:
    """Two models whose trajectories would lie in one folder would overwrite each other."""
    folders: dict[PurePosixPath, str] = {}
    for card in cards:
        folder = relative_path(card.planner, card.name, "x").parent
        if folder in folders:
            raise UsageError(
                f"{folders[folder]} and {card.asked} would write to the same folder {folder}; use two runs"
            )
        folders[folder] = card.asked


def _is_faulty(corpus: Corpus) -> bool:
    return any(not problem.harmless for problem in corpus.problems)


def _estimate_text(corpus: Corpus, estimates: list[Estimate]) -> str:
    lines = [f"{entry.id}\t{entry.kind}\t{entry.source}" for entry in corpus.entries]
    lines += [f"unreadable\t{reason}" for reason in estimates[0].unreadable]
    for each in estimates:
        cost = "?" if each.cost is None else f"${each.cost:.2f}"
        to = f"to {each.asked.host}" if each.asked.host else "nothing is sent"
        lines.append(
            f"{each.asked.card.name}: {each.papers:,} papers, about {each.prompt_tokens:,} tokens, about {cost}, "
            f"about {duration(each.seconds)}, {to}"
        )
    return "\n".join(lines)


def _estimate_json(corpus: Corpus, estimates: list[Estimate]) -> str:
    whole = {
        "papers": [{"id": e.id, "kind": e.kind, "source": e.source} for e in corpus.entries],
        "problems": [{"source": p.source, "what": p.what} for p in corpus.problems],
        "unreadable": estimates[0].unreadable,
        "models": [
            {
                "model": each.asked.card.name,
                "papers": each.papers,
                "tokens": each.prompt_tokens,
                "cost": each.cost,
                "seconds": each.seconds,
                "host": each.asked.host,
            }
            for each in estimates
        ],
    }
    return printable_json(json.dumps(whole, ensure_ascii=False, indent=1))
