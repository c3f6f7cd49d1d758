"""Open and lock a run with its models and papers, and plan the papers with an engine."""

import logging
from collections.abc import AsyncIterator, Container, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Final, Protocol

from pydantic import JsonValue

from planner import __version__
from planner.batch.cluster.merge import (
    copy_results_to_shard,
    refuse_submitted_requests,
    refuse_unmerged_shards,
)
from planner.batch.cluster.pool import WorkerPool
from planner.batch.corpus import assign_paper_ids, collect_corpus_without_ids
from planner.batch.engine import LocalEngine, ModelEstimate, estimate_remaining_requests
from planner.batch.ledger.records import load_latest_results
from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import RECORDED
from planner.batch.manifest import MAX_STDIN_LIST_BYTES, Corpus
from planner.batch.run_folder import RunFolder, is_shard_folder, load_paper_ids_by_place, refuse_other_shard_count
from planner.batch.spec import (
    RAY_ENGINE,
    RUN_SPEC_KEY,
    BatchJob,
    RunModel,
    RunSpec,
    build_run_model,
    dump_spec_for_ledger,
    inherit_run_settings,
)
from planner.batch.status import Progress
from planner.chat import ModelInfo, Usage
from planner.details import format_count
from planner.errors import RunError, UsageError
from planner.files import read_stdin
from planner.models.connect import build_prompt_file_client, open_model
from planner.names import build_trajectory_path
from planner.papers.arxiv import ArxivClient
from planner.reading.process import ReaderFactory, create_isolated_readers

# The least number of papers that are read at once, so that a machine that joins later finds some to read.
_MIN_READERS: Final = 16

log = logging.getLogger(__name__)


class Engine(Protocol):
    """An engine, which plans the papers of a run; `progress` counts the results."""

    progress: Progress

    async def plan_papers(self) -> None:
        """Plan papers until all have a result, a limit is reached, or `stop` is called."""

    def stop(self, reason: str) -> None:
        """Send no more requests."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """An open, locked run with its ledger, and the job of the command."""

    job: BatchJob
    run: RunFolder
    ledger: Ledger


@asynccontextmanager
async def open_run(spec: RunSpec, arxiv_client: ArxivClient) -> AsyncIterator[OpenRun]:
    """Open a run, and lock it against other processes within the block; a command that names papers saves its options.

    Raises:
        UsageError: if the command cannot be carried out with these options.
        RunError: if the run cannot be used, or if the command would pay for requests twice.
    """
    spec = inherit_run_settings(spec)
    async with AsyncExitStack() as stack:
        models = await _open_models(spec, stack)
        corpus = _collect_corpus(spec.sources) if spec.sources else None
        run = _choose_run_folder(spec)
        stack.enter_context(run.lock_folder())
        if corpus is not None:
            corpus = _select_shard_papers(spec, assign_paper_ids(corpus, load_paper_ids_by_place(spec.run)))
        shared_disk = is_shard_folder(run) or run.is_on_shared_disk
        ledger = await stack.enter_async_context(Ledger(run.ledger_path, shared_disk=shared_disk))
        if corpus is not None:
            ledger.refuse_other_task(spec.settings.task)
            collected = [model.ledger_model.model_key for model in models] if spec.uses_batch_service else []
            _refuse_while_submitted(ledger, run, collected)
        engine_models, readers = await stack.enter_async_context(_open_engine(spec, models, arxiv_client))
        if corpus is not None:
            run.write_run_json(_describe_run(spec, run.read_run_json(), corpus, models))
            await ledger.write_fact(RUN_SPEC_KEY, dump_spec_for_ledger(spec, models))
        try:
            yield OpenRun(BatchJob(spec, corpus or ledger.load_corpus(), engine_models, readers), run, ledger)
        except RunError as error:
            if kept := ledger.describe_kept_replies():
                raise RunError(f"{error}; {kept}") from error
            raise


async def collect_corpus_and_model_estimates(
    spec: RunSpec, arxiv_client: ArxivClient, *, estimate_finished_papers: bool = False
) -> tuple[Corpus, list[ModelEstimate]]:
    """Return (corpus, one estimate for each model); `estimate_finished_papers` estimates papers with a result too."""
    spec = inherit_run_settings(spec)
    async with AsyncExitStack() as stack:
        models = await _open_models(spec, stack)
        corpus = assign_paper_ids(_collect_corpus(spec.sources), load_paper_ids_by_place(spec.run))
        corpus = spec.shard.select_papers(corpus) if spec.shard else corpus
        job = BatchJob(spec, corpus, models, partial(create_isolated_readers, arxiv_client))
        folders = [spec.run, *([spec.shard.locate_folder(spec.run)] if spec.shard else [])]
        results = {} if estimate_finished_papers else load_latest_results(folder.ledger_path for folder in folders)
        return corpus, await estimate_remaining_requests(job, results)


async def record_corpus(opened_run: OpenRun) -> None:
    """Record the papers and the models of a run, and send nothing."""
    job = opened_run.job
    models = [model.ledger_model for model in job.models]
    await opened_run.ledger.begin_command(job.spec.settings.task, job.corpus.entries, models)


async def yield_planning_engines(opened_run: OpenRun) -> AsyncIterator[Engine]:
    """Yield the engines that plan the papers of a run, in turn; the caller lets each one plan before it takes the next.

    There is a second engine if --finish-live is given: it sends the requests that the batch service left unanswered.
    """
    job, run, ledger = opened_run.job, opened_run.run, opened_run.ledger
    spec = job.spec
    if not spec.uses_batch_service:
        for number in await ledger.submissions.withdraw_unsent_submissions():  # their requests are sent live
            from planner.batch.service.submit import build_submission_path

            build_submission_path(run.request_folder, number).unlink(missing_ok=True)
        if spec.prompt_folders:
            from planner.batch.service.exchange import PromptReplyFileEngine

            yield PromptReplyFileEngine(job, run, ledger)
        else:
            yield LocalEngine(job, run, ledger)
        return
    from planner.batch.service.engine import BatchServiceEngine

    begins_papers = spec.sources or spec.limits.max_papers is None
    limited = spec if begins_papers else replace(spec, limits=replace(spec.limits, max_papers=0))
    engine = BatchServiceEngine(replace(job, spec=limited), run, ledger)
    yield engine
    if waiting := ledger.submissions.count_submitted_requests():
        requests = format_count(waiting, "request")
        log.info("at the batch service: %s; get the results with `ablation-planner collect %s`", requests, run.path)
    elif not engine.progress.stop_reason and spec.submission.finish_live:
        yield LocalEngine(job, run, ledger)
    elif spec.retry_failed:
        await ledger.write_fact(RUN_SPEC_KEY, dump_spec_for_ledger(replace(spec, retry_failed=False), job.models))


async def _open_models(spec: RunSpec, stack: AsyncExitStack) -> tuple[RunModel, ...]:
    models = []
    for model_spec in spec.models:
        if spec.prompt_folders:
            client = build_prompt_file_client(model_spec, spec.prompt_folders)
        else:
            opening = open_model(
                model_spec,
                offline=spec.offline,
                max_connections=spec.limits.concurrency,
                max_reply_tokens=spec.max_reply_tokens,
                with_batch_service=spec.uses_batch_service,
                sends_requests=spec.sends_requests,
            )
            client = await stack.enter_async_context(opening)
        if spec.sends_requests and spec.limits.max_cost is not None and client.compute_cost(Usage(1, 1)) is None:
            raise UsageError(
                f"--max-cost needs a price, and none is known for {client.info.asked!r}: add --price IN,OUT, in USD per"
                " million tokens, as in 0.15,0.60"
            )
        models.append(build_run_model(client, spec.settings))
    _refuse_shared_folder([model.info for model in models])
    return tuple(models)


def _refuse_shared_folder(infos: Sequence[ModelInfo]) -> None:
    """Refuse two models that would write their trajectories to the same folder."""
    folders: dict[PurePosixPath, str] = {}
    for info in infos:
        folder = build_trajectory_path(info.planner, info.name, "x").parent
        if folder in folders:
            raise UsageError(
                f"{folders[folder]} and {info.asked} would write to the same folder {folder}; use two runs"
            )
        folders[folder] = info.asked


def _collect_corpus(sources: tuple[str, ...]) -> Corpus:
    stdin_text = read_stdin(MAX_STDIN_LIST_BYTES).decode("utf-8-sig", "surrogateescape") if "-" in sources else None
    corpus = collect_corpus_without_ids(sources, stdin_text)
    for problem in corpus.problems:
        log.warning("%s: %s", problem.source, problem.reason)
    if count := corpus.skipped_file_count:
        more = count - len(corpus.first_skipped_names)
        names = ", ".join(corpus.first_skipped_names) + (f" and {more:,} more" if more else "")
        log.info("skipped %s that are no papers, judged by name: %s", format_count(count, "file"), names)
    if not corpus.entries:
        raise UsageError(f"no papers found in {', '.join(sources)}: give PDF, LaTeX, Markdown, HTML or text")
    return corpus


def _choose_run_folder(spec: RunSpec) -> RunFolder:
    """Return the folder in which the command works; refuse a command that could pay for requests again."""
    if spec.shard is None:
        refuse_unmerged_shards(spec.run)
        return spec.run
    refuse_submitted_requests(spec.run)
    refuse_other_shard_count(spec.run, spec.shard)
    return spec.shard.locate_folder(spec.run)


def _select_shard_papers(spec: RunSpec, corpus: Corpus) -> Corpus:
    """Return the papers that the command plans; if it plans a shard, copy their results from the run to the shard."""
    if spec.shard is None:
        return corpus
    selected = spec.shard.select_papers(corpus)
    papers = format_count(len(corpus.entries), "paper")
    log.info("shard %s: %d of %s", spec.shard, len(selected.entries), papers)
    copy_results_to_shard(spec.run, spec.shard, (entry.id for entry in selected.entries))
    return selected


def _refuse_while_submitted(ledger: Ledger, run: RunFolder, collected_models: Container[str]) -> None:
    """Refuse a command while a batch service has requests of the run, which could be lost or paid for again.

    Requests to `collected_models` are allowed, since the command collects their results.
    """
    waiting = [
        submission
        for submission in ledger.submissions.list_open_submissions()
        if submission.state != RECORDED and submission.model not in collected_models
    ]
    if waiting:
        requests, models = sum(each.request_count for each in waiting), sorted({each.model for each in waiting})
        raise RunError(
            f"{format_count(requests, 'request')} of {run.path} to {', '.join(models)}: still at a batch service; "
            f"collect the results first: ablation-planner collect {run.path} (add --finish-live to send unanswered "
            "requests directly)"
        )


def _describe_run(
    spec: RunSpec, earlier: Mapping[str, JsonValue], corpus: Corpus, models: tuple[RunModel, ...]
) -> dict[str, JsonValue]:
    """Return the new content of `run.json`; `earlier` is the old content, whose start time is kept."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "program_version": __version__,
        "started": earlier.get("started", now),
        "last_call": now,
        "folder": str(spec.base_folder),
        "words": list(spec.command_words),
        "corpus": list(spec.sources),
        "papers": len(corpus.entries),
        "task": spec.settings.task.value,
        "k": spec.settings.k,
        "models": [asdict(model.info) | {"parameters": dict(model.info.parameters)} for model in models],
        "limits": asdict(spec.limits),
        **({"shard": str(spec.shard)} if spec.shard else {}),
    }


@asynccontextmanager
async def _open_engine(
    spec: RunSpec, models: tuple[RunModel, ...], arxiv_client: ArxivClient
) -> AsyncIterator[tuple[tuple[RunModel, ...], ReaderFactory]]:
    """Yield (models, function that makes paper readers) for the engine that the command names."""
    if spec.engine.engine != RAY_ENGINE:
        yield models, partial(create_isolated_readers, arxiv_client)
        return
    from planner.batch.cluster.ray import WorkerConfig, open_ray_pool

    remote = {model.ledger_model.model_key: model.client.worker_spec for model in models if model.client.worker_spec}
    async with open_ray_pool(
        WorkerConfig(remote, arxiv_client, str(spec.base_folder)), spec.engine.ray_address
    ) as pool:
        workers, machines = len(pool), len(pool.worker_counts_by_machine)
        log.info("the cluster has %s on %s so far", format_count(workers, "worker"), format_count(machines, "machine"))
        moved = tuple(_move_to_cluster(model, pool) for model in models)
        yield moved, lambda papers: [pool] * min(papers, max(_MIN_READERS, 2 * len(pool)))


def _move_to_cluster(model: RunModel, pool: WorkerPool) -> RunModel:
    if model.client.worker_spec is None:
        return model  # the built-in planner sends nothing
    pooled = pool.make_model(model.info, model.ledger_model.model_key)
    return replace(model, client=replace(model.client, model=pooled, warm_up=lambda: None))
