"""`merge_shards`, and `--shard` of `batch`: a run divided into shards."""

from pathlib import Path
from typing import Any

import click

from planner.batch.cluster.merge import (
    MergeResult,
    merge_shards,
    refuse_submitted_requests,
    refuse_unmerged_shards,
    seed_shard,
)
from planner.batch.cluster.shards import Shard, refuse_other_division
from planner.batch.manifest import Corpus
from planner.batch.run_folder import RunFolder
from planner.batch.status import read_run_status
from planner.cli.console import log, log_to
from planner.cli.options import LogOptions, log_options
from planner.errors import UsageError
from planner.sanitize import make_printable


class _ShardType(click.ParamType[Shard]):
    name = "i/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        try:
            return value if isinstance(value, Shard) else Shard.parse(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


shard_option = click.option(
    "--shard",
    type=_ShardType(),
    metavar="I/N",
    envvar="ABLATION_PLANNER_SHARD",
    show_envvar=True,
    help="Plan shard I of N, in RUN/shards; run the command once for each shard, then `merge RUN`.",
)


def choose_run_folder(run: RunFolder, shard: Shard | None) -> RunFolder:
    """Return the folder that a call of `batch` works in.

    Raises:
        RunError: if the call would pay for what another shard of the run has, or may have, paid for.
    """
    if shard is None:
        refuse_unmerged_shards(run)
        return run
    refuse_submitted_requests(run)
    refuse_other_division(run, shard)
    return shard.locate_folder(run)


def select_shard_corpus(run: RunFolder, corpus: Corpus, shard: Shard | None) -> Corpus:
    """Return the papers of a call; copy what the run already has of them to its shard."""
    if shard is None:
        return corpus
    part = shard.select_papers(corpus)
    log.info("shard %s: %d of %d papers", shard, len(part.entries), len(corpus.entries))
    seed_shard(run, shard, (entry.id for entry in part.entries))
    return part


@click.command("merge")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@log_options
def merge_command(run: Path, log_settings: LogOptions) -> None:
    """Merge the shards of a RUN into it. Merging again adds what is new; exit code 1 while a shard is missing."""
    with log_to(log_settings):
        merged = merge_shards(RunFolder(run))
        _log_merge(merged)
        click.echo(make_printable(read_run_status(RunFolder(run)).as_text()))
        raise SystemExit(0 if merged.is_complete else 1)


def _log_merge(merged: MergeResult) -> None:
    for shard, joined in merged.counts_by_shard.items():
        log.info("%s: %d new plannings, %d new requests", shard.name, joined.results, joined.requests)
    for problem in merged.problems:
        log.warning("%s", problem)
    for shard, why in merged.running_shards.items():
        log.warning("%s was left out: %s; merge again when it has ended", shard.name, why)
    for shard in merged.missing_shards:
        log.warning("%s has not begun: batch --shard %s", shard.name, shard)
