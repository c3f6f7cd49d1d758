"""`--engine`: the machines that read papers and send requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from planner.batch.job import Asked
from planner.batch.outpost import Orders
from planner.batch.pool import Pool, PooledModel, PooledReader
from planner.batch.ray_cluster import LOCAL, workers_on_ray
from planner.batch.reading import Readers, command, processes
from planner.cli.options import gathered
from planner.cli.talk import log
from planner.papers.arxiv import Arxiv

SERVICE: Final = "openai-batch"
ENGINES: Final = ("local", SERVICE, "ray")
# The fewest papers on their way to and from readers, so that a machine that joins later finds some to read.
_LEAST_READERS: Final = 16


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The engine that does the work, and the address of its cluster."""

    engine: str
    ray_address: str


engine_options = gathered(
    "where",
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
        default=LOCAL,
        show_default=True,
        metavar="HOST:PORT",
        envvar="ABLATION_PLANNER_RAY_ADDRESS",
        show_envvar=True,
        help="Address of the cluster's head node; local: a new cluster on this machine, for this run.",
    ),
)


@asynccontextmanager
async def engaged(
    where: EngineOptions, models: tuple[Asked, ...], arxiv: Arxiv
) -> AsyncIterator[tuple[tuple[Asked, ...], Readers]]:
    """Yield the models and the paper readers as the chosen engine provides them.

    Raises:
        UsageError: if Ray is not installed.
        RunError: if there is no such cluster, or it has no worker.
    """
    if where.engine != "ray":
        yield models, processes(command(arxiv))
        return
    told = {asked.record.key: asked.remote for asked in models if asked.remote is not None}
    async with workers_on_ray(Orders(told, arxiv, str(Path.cwd())), where.ray_address) as pool:
        log.info("%d workers so far on %d machines", len(pool), len(pool.places))
        yield tuple(_elsewhere(asked, pool) for asked in models), lambda papers: _readers(pool, papers)


def _elsewhere(asked: Asked, pool: Pool) -> Asked:
    if asked.remote is None:
        return asked  # the built-in planner sends nothing
    model = PooledModel(pool, asked.card, asked.record.key)
    return replace(asked, sender=lambda _: model, prepare=lambda: None)


def _readers(pool: Pool, papers: int) -> list[PooledReader]:
    return [PooledReader(pool) for _ in range(min(papers, max(_LEAST_READERS, 2 * len(pool))))]
