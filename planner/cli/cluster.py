"""`--engine`: the machines that read papers and send requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from planner.batch.cluster.pool import PooledModel, WorkerPool
from planner.batch.cluster.ray import LOCAL_CLUSTER, open_ray_pool
from planner.batch.cluster.worker import WorkerConfig
from planner.batch.job import ModelClient
from planner.cli.console import log
from planner.cli.options import option_group
from planner.papers.arxiv import ArxivClient
from planner.reading.process import ReaderFactory, make_reader_factory

BATCH_SERVICE_ENGINE: Final = "openai-batch"
ENGINES: Final = ("local", BATCH_SERVICE_ENGINE, "ray")
# The fewest papers on their way to and from readers, so that a machine that joins later finds some to read.
_MIN_READERS: Final = 16


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The engine that does the work, and the address of its cluster."""

    engine: str
    ray_address: str


engine_options = option_group(
    "engine",
    EngineOptions,
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="local",
        show_default=True,
        envvar="ABLATION_PLANNER_ENGINE",
        show_envvar=True,
        help="local: this machine; openai-batch: the provider's batch service, at half the price, within a day; "
        "ray: a Ray cluster reads the papers and sends the requests.",
    ),
    click.option(
        "--ray-address",
        default=LOCAL_CLUSTER,
        show_default=True,
        metavar="HOST:PORT",
        envvar="ABLATION_PLANNER_RAY_ADDRESS",
        show_envvar=True,
        help="Address of the cluster's head node; local: a new cluster on this machine, for this run.",
    ),
)


@asynccontextmanager
async def open_engine(
    options: EngineOptions, models: tuple[ModelClient, ...], arxiv: ArxivClient
) -> AsyncIterator[tuple[tuple[ModelClient, ...], ReaderFactory]]:
    """Yield the models and the paper readers as the chosen engine provides them.

    Raises:
        UsageError: if Ray is not installed.
        RunError: if there is no such cluster, or it has no worker.
    """
    if options.engine != "ray":
        yield models, make_reader_factory(arxiv)
        return
    told = {asked.ledger_model.key: asked.remote for asked in models if asked.remote is not None}
    async with open_ray_pool(WorkerConfig(told, arxiv, str(Path.cwd())), options.ray_address) as pool:
        log.info("%d workers so far on %d machines", len(pool), len(pool.workers_by_machine))
        moved = tuple(_move_to_cluster(asked, pool) for asked in models)
        yield moved, lambda papers: [pool] * min(papers, max(_MIN_READERS, 2 * len(pool)))


def _move_to_cluster(client: ModelClient, pool: WorkerPool) -> ModelClient:
    if client.remote is None:
        return client  # the built-in planner sends nothing
    model = PooledModel(pool, client.info, client.ledger_model.key)
    return replace(client, make_model=lambda _: model, warm_up=lambda: None)
