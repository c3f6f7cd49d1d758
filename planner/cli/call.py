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
from planner.batch.client import ASSUMED_REPLY_TOKENS
from planner.batch.cluster.shards import Shard, is_shard_folder, load_ids_by_place
from planner.batch.corpus import assign_ids, collect_entries
from planner.batch.engine import LocalEngine
from planner.batch.estimate import estimate_run
from planner.batch.job import BatchJob, ModelClient, RunLimits
from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import BATCH_PRICE_SHARE
from planner.batch.manifest import Corpus
from planner.batch.run_folder import RunFolder
from planner.batch.status import read_ledger_status
from planner.chat import ModelInfo, Usage
from planner.cli.bounds import BatchServiceOptions, LimitOptions
from planner.cli.cluster import BATCH_SERVICE_ENGINE, EngineOptions, open_engine
from planner.cli.console import InterruptHandler, log
from planner.cli.mirror import open_arxiv
from planner.cli.models import log_destination, open_model
from planner.cli.options import EndpointOptions, ModelSpec
from planner.cli.progress import format_estimate_json, format_estimate_text, show_progress
from planner.cli.saved import (
    RUN_SPEC_KEY,
    RunSpec,
    dump_run_spec,
    parse_run_spec,
    refuse_while_submitted,
    withdraw_unsubmitted,
)
from planner.cli.shards import choose_run_folder, select_shard_corpus
from planner.errors import UsageError
from planner.models.retry import RetryPolicy
from planner.names import build_trajectory_path
from planner.papers.arxiv import ArxivClient
from planner.planning.question import PlanSettings
from planner.reading.process import make_reader_factory
from planner.sanitize import make_json_printable, make_printable

if TYPE_CHECKING:
    from planner.batch.service.engine import ServiceEngine

# With 30 % of all requests failing, one paper in 15,000 is given up.
_MAX_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class BatchSession:
    """A call of `batch`, or of a command that continues a run; if it names no sources, the corpus is that of the run.

    `addresses` are the addresses of the models, by name, in the call that began the run.
    """

    sources: tuple[str, ...]
    run: RunFolder
    models: tuple[str, ...]
    settings: PlanSettings
    endpoint: EndpointOptions
    limits: LimitOptions
    offline: bool
    retry_failed: bool
    as_json: bool
    shard: Shard | None
    engine_options: EngineOptions
    batch_service: BatchServiceOptions
    addresses: Mapping[str, str] = field(default_factory=dict)

    async def print_estimate(self) -> int:
        """Print what the corpus would take; return 0 if all of it can be read, otherwise 1."""
        async with AsyncExitStack() as stack:
            models = await self._open_models(stack)
            if self.engine_options.engine == BATCH_SERVICE_ENGINE:
                models = tuple(replace(each, price=partial(_price_at_service, each)) for each in models)
            corpus = assign_ids(self._collect_corpus(), {})
            corpus = self.shard.select_papers(corpus) if self.shard else corpus
            estimates = await estimate_run(
                corpus, models, self._build_limits(), make_reader_factory(self._open_arxiv())
            )
        click.echo(
            format_estimate_json(corpus, estimates)
            if self.as_json
            else make_printable(format_estimate_text(corpus, estimates))
        )
        return 1 if _has_problems(corpus) or any(each.paper_errors for each in estimates) else 0

    async def plan_papers(self, *, quiet: bool) -> int:
        """Plan what is pending; return 0, or 1 if any paper has no plan, or 130 or 143 if stopped by a signal."""
        async with self.open_run() as opened:
            job, ledger, run = opened.job, opened.ledger, opened.run
            if self.batch_service.prepare:
                await ledger.begin_call(
                    self.settings.task, job.corpus.entries, [model.ledger_model for model in job.models]
                )
                return 1 if _has_problems(job.corpus) else 0
            for model in job.models:
                log_destination(model.host, model.info)
            if self.engine_options.engine == BATCH_SERVICE_ENGINE:
                code = await self._plan_through_service(opened, quiet=quiet)
            else:
                await withdraw_unsubmitted(ledger, run)
                code = await self._run_engine(LocalEngine(job, run, ledger), run, quiet=quiet)
            self._print_summary(run)
        return code or (1 if _has_problems(job.corpus) else 0)

    @asynccontextmanager
    async def open_run(self) -> AsyncIterator["OpenRun"]:
        """Open the run, locked against other processes, and save the call for commands that continue the run."""
        async with AsyncExitStack() as stack:
            models = await self._open_models(stack)
            corpus = self._collect_corpus() if self.sources else None
            run = choose_run_folder(self.run, self.shard)
            stack.enter_context(run.lock_folder())
            if corpus is not None:
                corpus = select_shard_corpus(self.run, assign_ids(corpus, load_ids_by_place(self.run)), self.shard)
            shared_disk = is_shard_folder(run) or run.is_on_shared_disk
            ledger = await stack.enter_async_context(Ledger(run.ledger_path, shared_disk=shared_disk))
            if corpus is not None:
                there = (
                    [each.ledger_model.key for each in models]
                    if self.engine_options.engine == BATCH_SERVICE_ENGINE
                    else []
                )
                refuse_while_submitted(ledger, run, there)
            patience = RetryPolicy(max_failures=_MAX_ATTEMPTS, max_wait=self.endpoint.max_wait)
            asked, readers = await stack.enter_async_context(
                open_engine(self.engine_options, models, self._open_arxiv())
            )
            if corpus is not None:
                run.write_description(self._describe_run(corpus, models))
                await ledger.write_fact(RUN_SPEC_KEY, dump_run_spec(self._build_run_spec(models)))
            corpus = corpus or ledger.load_corpus()
            yield OpenRun(
                BatchJob(corpus, asked, self._build_limits(), readers, patience, self.retry_failed), ledger, run
            )

    async def _plan_through_service(self, open_run: "OpenRun", *, quiet: bool) -> int:
        """Plan through the batch service; with --finish-live, send live what it has left unanswered in the end."""
        from planner.batch.service.engine import PollOptions, ServiceEngine  # imports the SDK, which takes 0.4 s

        job, run, ledger = open_run.job, open_run.run, open_run.ledger
        course = PollOptions(wait=self.batch_service.wait, finish_live=self.batch_service.finish_live)
        if self.batch_service.poll:
            course = replace(course, first_pause=self.batch_service.poll, longest_pause=self.batch_service.poll)
        engine = ServiceEngine(job if self.sources else _limit_to_begun_papers(job), run, ledger, course)
        code = await self._run_engine(engine, run, quiet=quiet)
        if waiting := ledger.submissions.count_submitted_requests():
            log.info("%d requests are at the batch service; get them with: collect %s", waiting, run.path)
        elif not engine.progress.stop_reason and course.finish_live:
            code = await self._run_engine(LocalEngine(job, run, ledger), run, quiet=quiet)
        elif job.retry_failed and (saved := ledger.read_fact(RUN_SPEC_KEY)):
            await ledger.write_fact(RUN_SPEC_KEY, dump_run_spec(replace(parse_run_spec(saved), retry_failed=False)))
        return code

    async def _run_engine(self, engine: "LocalEngine | ServiceEngine", run: RunFolder, *, quiet: bool) -> int:
        interrupt = InterruptHandler(engine.stop)
        try:
            with interrupt.handle_signals():
                async with show_progress(engine.progress, quiet=quiet):
                    await engine.plan()
        except asyncio.CancelledError:
            log.error("stopped at once; run the same command again to continue")
            return interrupt.exit_code
        if engine.progress.stop_reason:
            log.error("stopped: %s; run the same command again to continue", engine.progress.stop_reason)
        failed = read_ledger_status(run).failed
        return interrupt.exit_code or (1 if failed or engine.progress.stop_reason else 0)

    def _print_summary(self, run: RunFolder) -> None:
        found = read_ledger_status(run)
        log.info("%s", found.as_text())
        if self.as_json:
            click.echo(make_json_printable(json.dumps(found.as_json(), ensure_ascii=False, indent=1)))

    def _build_run_spec(self, models: tuple[ModelClient, ...]) -> RunSpec:
        endpoints = {name: each.info.endpoint for name, each in zip(dict.fromkeys(self.models), models, strict=True)}
        asking = replace(self.endpoint, base_url=())  # an address may hold a password
        templates = self.settings.templates.resolve() if self.settings.templates else None
        settings = replace(self.settings, templates=templates)
        return RunSpec(str(Path.cwd()), endpoints, settings, asking, self.limits, self.retry_failed)

    async def _open_models(self, stack: AsyncExitStack) -> tuple[ModelClient, ...]:
        found = []
        for name in dict.fromkeys(self.models):
            asking = replace(
                self.endpoint, base_url=self.endpoint.base_url or _wrap_address(self.addresses.get(name, ""))
            )
            options = ModelSpec(**asdict(asking), model=name)
            model = await stack.enter_async_context(
                open_model(
                    options,
                    self.settings,
                    offline=self.offline,
                    max_connections=self.limits.concurrency,
                    reply_limit=self._find_reply_limit(),
                    with_batch_service=self.engine_options.engine == BATCH_SERVICE_ENGINE,
                )
            )
            if self.limits.max_cost is not None and model.price(Usage(1, 1)) is None:
                raise UsageError(
                    f"--max-cost needs a price, and none is known for {model.info.asked!r}: add --price IN,OUT"
                )
            found.append(model)
        _refuse_shared_folder([each.info for each in found])
        return tuple(found)

    def _collect_corpus(self) -> Corpus:
        corpus = collect_entries(self.sources, sys.stdin.read() if "-" in self.sources else None)
        for problem in corpus.problems:
            log.warning("%s: %s", problem.source, problem.reason)
        if corpus.skipped_files:
            log.info("%d files are not papers and were skipped", corpus.skipped_files)
        if not corpus.entries:
            raise UsageError(f"{', '.join(self.sources)}: no papers found; give PDF, LaTeX, Markdown, HTML or text")
        return corpus

    def _build_limits(self) -> RunLimits:
        bounded = self.limits
        return RunLimits(
            bounded.concurrency,
            bounded.rpm,
            bounded.tpm,
            bounded.max_cost,
            bounded.max_papers,
            self._find_reply_limit(),
        )

    def _find_reply_limit(self) -> int | None:
        """Return the most tokens of a reply, which a cost limit needs; None if there is no cost limit.

        The price data hold no model's maximum; the default is a length that hardly any reply exceeds.
        """
        return None if self.limits.max_cost is None else self.endpoint.max_tokens or ASSUMED_REPLY_TOKENS

    def _open_arxiv(self) -> ArxivClient:
        return open_arxiv(offline=self.offline)

    def _describe_run(self, corpus: Corpus, models: tuple[ModelClient, ...]) -> dict[str, JsonValue]:
        return {
            "program_version": __version__,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "corpus": list(self.sources),
            "papers": len(corpus.entries),
            "task": self.settings.task.value,
            "k": self.settings.k,
            "models": [
                {
                    "planner": each.info.planner,
                    "name": each.info.name,
                    "asked": each.info.asked,
                    "endpoint": each.info.endpoint,
                    "parameters": dict(each.info.parameters),
                }
                for each in models
            ],
            "limits": asdict(self.limits),
            **({"shard": str(self.shard)} if self.shard else {}),
        }


def _limit_to_begun_papers(job: BatchJob) -> BatchJob:
    """Return a job that only collects: if the saved call had --max-papers, it begins no further papers."""
    most = None if job.limits.max_papers is None else 0
    return replace(job, limits=replace(job.limits, max_papers=most))


def _wrap_address(address: str) -> tuple[str, ...]:
    return (address,) if address else ()


def _price_at_service(client: ModelClient, usage: Usage) -> float | None:
    """Return the price at the batch service in USD, None if no price is known."""
    live = client.price(usage)
    return None if live is None else live * BATCH_PRICE_SHARE


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that is locked against other processes, with its job and its ledger."""

    job: BatchJob
    ledger: Ledger
    run: RunFolder


def _refuse_shared_folder(cards: list[ModelInfo]) -> None:
    """Refuse two models that would write to one folder, where they would overwrite each other."""
    folders: dict[PurePosixPath, str] = {}
    for card in cards:
        folder = build_trajectory_path(card.planner, card.name, "x").parent
        if folder in folders:
            raise UsageError(
                f"{folders[folder]} and {card.asked} would write to the same folder {folder}; use two runs"
            )
        folders[folder] = card.asked


def _has_problems(corpus: Corpus) -> bool:
    return any(not problem.harmless for problem in corpus.problems)
