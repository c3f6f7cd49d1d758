"""`merge`, and `--shard` of `batch`: a run divided into shards."""

from pathlib import Path
from typing import Any

import click

from planner.batch.entry import Corpus
from planner.batch.merging import Merged, merge, refuse_submitted, refuse_unmerged, seed
from planner.batch.overview import read_overview
from planner.batch.run import RunFolder
from planner.batch.shards import Shard, refuse_other_division
from planner.cli.options import TalkOptions, talk_options
from planner.cli.talk import log, talking
from planner.controls import printable
from planner.errors import UsageError


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


def folder_of(run: RunFolder, shard: Shard | None) -> RunFolder:
    """Return the folder that a call of `batch` works in.

    Raises:
        RunError: if the call would pay for what another shard of the run has, or may have, paid for.
    """
    if shard is None:
        refuse_unmerged(run)
        return run
    refuse_submitted(run)
    refuse_other_division(run, shard)
    return shard.folder(run)


def part_of(run: RunFolder, corpus: Corpus, shard: Shard | None) -> Corpus:
    """Return the papers of a call; copy what the run already has of them to its shard."""
    if shard is None:
        return corpus
    part = shard.part(corpus)
    log.info("shard %s: %d of %d papers", shard, len(part.entries), len(corpus.entries))
    seed(run, shard, (entry.id for entry in part.entries))
    return part


@click.command("merge")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@talk_options
def merge_command(run: Path, talk: TalkOptions) -> None:
    """Merge the shards of a RUN into it. Merging again adds what is new; exit code 1 while a shard is missing."""
    with talking(talk):
        merged = merge(RunFolder(run))
        _tell(merged)
        click.echo(printable(read_overview(RunFolder(run)).as_text()))
        raise SystemExit(0 if merged.whole else 1)


def _tell(merged: Merged) -> None:
    for shard, joined in merged.joined.items():
        log.info("%s: %d new plannings, %d new requests", shard.name, joined.plannings, joined.requests)
    for problem in merged.problems:
        log.warning("%s", problem)
    for shard, why in merged.running.items():
        log.warning("%s was left out: %s; merge again when it has ended", shard.name, why)
    for shard in merged.missing:
        log.warning("%s has not begun: batch --shard %s", shard.name, shard)
