"""A call of `batch`, from options to exit code: lock the run, connect to its models, and start its engine."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import click
from pydantic import JsonValue

from planner import __version__
from planner.batch.asking import LIKELY_COMPLETION
from planner.batch.corpus import gather, with_ids
from planner.batch.entry import Corpus
from planner.batch.estimate import estimate
from planner.batch.job import Asked, Bounds, Job
from planner.batch.ledger import Ledger
from planner.batch.local import LocalEngine
from planner.batch.parts import SHARE
from planner.batch.reading import command, processes
from planner.batch.run import RunFolder
from planner.batch.shards import Shard, ids_in, is_shard
from planner.batch.status import read_status
from planner.chat import ModelCard, Usage
from planner.cli.bounds import BoundOptions, SubmissionOptions
from planner.cli.cluster import SERVICE, EngineOptions, engaged
from planner.cli.estimates import estimate_json, estimate_text
from planner.cli.mirror import arxiv_access
from planner.cli.models import asked_model, say_where
from planner.cli.options import (
    EndpointOptions,
    ModelOptions,
)
from planner.cli.saved import SAVED, SavedCall, load_saved, refuse_while_submitted, save, withdraw
from planner.cli.shards import folder_of, part_of
from planner.cli.signals import Interrupt
from planner.cli.talk import log
from planner.cli.view import showing
from planner.controls import printable, printable_json
from planner.errors import UsageError
from planner.papers.arxiv import Arxiv
from planner.posing import Settings
from planner.retrying import RetryPolicy
from planner.trajectory.paths import relative_path

if TYPE_CHECKING:
    from planner.batch.service.engine import ServiceEngine

# With 30 % of all requests failing, one paper in 15,000 is given up.
_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class Call:
    """A call of `batch`, or of a command that continues a run; if it names no sources, the corpus is that of the run.

    `endpoints` are the addresses of the models, by name, in the call that began the run.
    """

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
    submission: SubmissionOptions
    endpoints: Mapping[str, str] = field(default_factory=dict)

    async def estimate(self) -> int:
        """Print what the corpus would take; return 0 if all of it can be read, otherwise 1."""
        async with AsyncExitStack() as stack:
            models = await self._asked(stack)
            if self.where.engine == SERVICE:
                models = tuple(replace(each, price=partial(_price_there, each)) for each in models)
            corpus = with_ids(self._gathered(), {})
            corpus = self.shard.part(corpus) if self.shard else corpus
            estimates = await estimate(corpus, models, self._bounds(), processes(command(self._arxiv())))
        click.echo(estimate_json(corpus, estimates) if self.as_json else printable(estimate_text(corpus, estimates)))
        return 1 if _is_faulty(corpus) or any(each.unreadable for each in estimates) else 0

    async def plan(self, *, quiet: bool) -> int:
        """Plan what is pending; return 0, or 1 if any paper has no plan, or 130 or 143 if stopped by a signal."""
        async with self.opened() as opened:
            job, ledger, run = opened.job, opened.ledger, opened.run
            if self.submission.prepare:
                await ledger.begin(self.settings.task, job.corpus.entries, [model.record for model in job.models])
                return 1 if _is_faulty(job.corpus) else 0
            for model in job.models:
                say_where(model.host, model.card)
            if self.where.engine == SERVICE:
                code = await self._submitted(opened, quiet=quiet)
            else:
                await withdraw(ledger, run)
                code = await self._worked(LocalEngine(job, run, ledger), run, quiet=quiet)
            self._summarise(run)
        return code or (1 if _is_faulty(job.corpus) else 0)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Opened"]:
        """Open the run, locked against other processes, and save the call for commands that continue the run."""
        async with AsyncExitStack() as stack:
            models = await self._asked(stack)
            corpus = self._gathered() if self.named else None
            run = folder_of(self.run, self.shard)
            stack.enter_context(run.held())
            if corpus is not None:
                corpus = part_of(self.run, with_ids(corpus, ids_in(self.run)), self.shard)
            shared_disk = is_shard(run) or run.on_shared_disk
            ledger = await stack.enter_async_context(Ledger(run.ledger, shared_disk=shared_disk))
            if corpus is not None:
                there = [each.record.key for each in models] if self.where.engine == SERVICE else []
                refuse_while_submitted(ledger, run, there)
            patience = RetryPolicy(attempts=_ATTEMPTS, max_wait=self.asking.max_wait)
            asked, readers = await stack.enter_async_context(engaged(self.where, models, self._arxiv()))
            if corpus is not None:
                run.describe(self._facts(corpus, models))
                await ledger.remember(SAVED, save(self._saved(models)))
            corpus = corpus or ledger.corpus()
            yield Opened(Job(corpus, asked, self._bounds(), readers, patience, self.retry_failed), ledger, run)

    async def _submitted(self, opened: "Opened", *, quiet: bool) -> int:
        """Plan through the batch service; with --finish-live, send live what it has left unanswered in the end."""
        from planner.batch.service.engine import Course, ServiceEngine  # imports the SDK, which takes 0.4 s

        job, run, ledger = opened.job, opened.run, opened.ledger
        course = Course(wait=self.submission.wait, finish_live=self.submission.finish_live)
        if self.submission.poll:
            course = replace(course, first=self.submission.poll, longest=self.submission.poll)
        engine = ServiceEngine(job if self.named else _of_begun(job), run, ledger, course)
        code = await self._worked(engine, run, quiet=quiet)
        if waiting := ledger.parts.submitted_requests():
            log.info("%d requests are at the batch service; get them with: collect %s", waiting, run.path)
        elif not engine.progress.stopping and course.finish_live:
            code = await self._worked(LocalEngine(job, run, ledger), run, quiet=quiet)
        elif job.retry_failed and (saved := ledger.recall(SAVED)):
            await ledger.remember(SAVED, save(replace(load_saved(saved), retry_failed=False)))
        return code

    async def _worked(self, engine: "LocalEngine | ServiceEngine", run: RunFolder, *, quiet: bool) -> int:
        interrupt = Interrupt(engine.stop)
        try:
            with interrupt.heard():
                async with showing(engine.progress, quiet=quiet):
                    await engine.plan()
        except asyncio.CancelledError:
            log.error("stopped at once; run the same command again to continue")
            return interrupt.exit_code
        if engine.progress.stopping:
            log.error("stopped: %s; run the same command again to continue", engine.progress.stopping)
        failed = read_status(run).failed
        return interrupt.exit_code or (1 if failed or engine.progress.stopping else 0)

    def _summarise(self, run: RunFolder) -> None:
        found = read_status(run)
        log.info("%s", found.as_text())
        if self.as_json:
            click.echo(printable_json(json.dumps(found.as_json(), ensure_ascii=False, indent=1)))

    def _saved(self, models: tuple[Asked, ...]) -> SavedCall:
        endpoints = {name: each.card.endpoint for name, each in zip(dict.fromkeys(self.models), models, strict=True)}
        asking = replace(self.asking, base_url=())  # an address may hold a password
        templates = self.settings.templates.resolve() if self.settings.templates else None
        settings = replace(self.settings, templates=templates)
        return SavedCall(str(Path.cwd()), endpoints, settings, asking, self.bounded, self.retry_failed)

    async def _asked(self, stack: AsyncExitStack) -> tuple[Asked, ...]:
        found = []
        for name in dict.fromkeys(self.models):
            asking = replace(self.asking, base_url=self.asking.base_url or _alone(self.endpoints.get(name, "")))
            options = ModelOptions(**asdict(asking), model=name)
            model = await stack.enter_async_context(
                asked_model(
                    options,
                    self.settings,
                    offline=self.offline,
                    connections=self.bounded.concurrency,
                    cap=self._cap(),
                    batches=self.where.engine == SERVICE,
                )
            )
            if self.bounded.max_cost is not None and model.price(Usage(1, 1)) is None:
                raise UsageError(
                    f"--max-cost needs a price, and none is known for {model.card.asked!r}: add --price IN,OUT"
                )
            found.append(model)
        _refuse_same_files([each.card for each in found])
        return tuple(found)

    def _gathered(self) -> Corpus:
        corpus = gather(self.named, sys.stdin.read() if "-" in self.named else None)
        for problem in corpus.problems:
            log.warning("%s: %s", problem.source, problem.what)
        if corpus.passed_over:
            log.info("%d files are not papers and were skipped", corpus.passed_over)
        if not corpus.entries:
            raise UsageError(f"{', '.join(self.named)}: no papers found; give PDF, LaTeX, Markdown, HTML or text")
        return corpus

    def _bounds(self) -> Bounds:
        bounded = self.bounded
        return Bounds(bounded.concurrency, bounded.rpm, bounded.tpm, bounded.max_cost, bounded.max_papers, self._cap())

    def _cap(self) -> int | None:
        """Return the most tokens of a reply, which a cost limit needs; None if there is no cost limit.

        The price data hold no model's maximum; the default is a length that hardly any reply exceeds.
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


def _of_begun(job: Job) -> Job:
    """Return a job that only collects: if the saved call had --max-papers, it begins no further papers."""
    most = None if job.bounds.max_papers is None else 0
    return replace(job, bounds=replace(job.bounds, max_papers=most))


def _alone(address: str) -> tuple[str, ...]:
    return (address,) if address else ()


def _price_there(asked: Asked, usage: Usage) -> float | None:
    """Return the price at the batch service in USD, None if no price is known."""
    live = asked.price(usage)
    return None if live is None else live * SHARE


@dataclass(frozen=True, slots=True)
class Opened:
    """A run that is locked against other processes, with its job and its ledger."""

    job: Job
    ledger: Ledger
    run: RunFolder


def _refuse_same_files(cards: list[ModelCard]) -> None:
    """Refuse two models that would write to one folder, where they would overwrite each other."""
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
