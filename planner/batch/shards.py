"""Divide a run into shards: copies of the program on one shared folder, each with its papers and its own ledger.

A shard is a run in `RUN/shards/i-of-n/`; `planner.batch.merging` merges the shards into RUN.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from planner.batch.entry import Corpus
from planner.batch.run import RunFolder
from planner.batch.schema import opened_to_read
from planner.errors import RunError, UsageError

_WRITTEN: Final = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,5})", re.ASCII)
_FOLDER: Final = re.compile(r"([1-9]\d{0,5})-of-([1-9]\d{0,5})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """One of `of` parts of a corpus; `number` counts from 1."""

    of: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `i/n`.

        Raises:
            UsageError: if it is not of that form, or i is not from 1 to n.
        """
        match = _WRITTEN.fullmatch(text.strip())
        if match is None or int(match[1]) > int(match[2]):
            raise UsageError(f"--shard {text!r}: write i/n with i from 1 to n, as in --shard 1/3")
        return cls(int(match[2]), int(match[1]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.number}-of-{self.of}"

    def holds(self, paper: str) -> bool:
        """Return whether the paper of this id belongs to this shard; the answer is the same on every machine."""
        digest = hashlib.blake2b(paper.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest) % self.of == self.number - 1

    def part(self, corpus: Corpus) -> Corpus:
        """Return the papers of a corpus that this shard plans."""
        return replace(corpus, entries=tuple(entry for entry in corpus.entries if self.holds(entry.id)))

    def folder(self, run: RunFolder) -> RunFolder:
        """Return the folder of the shard's ledger and files."""
        return RunFolder(run.path / "shards" / self.name)


def is_shard(run: RunFolder) -> bool:
    """Return whether a folder is that of a shard."""
    return run.path.parent.name == "shards" and _FOLDER.fullmatch(run.path.name) is not None


def shards_of(run: RunFolder) -> list[Shard]:
    """Return the shards that have begun, in order: those with a ledger that is not empty, as an early kill leaves it.

    Raises:
        RunError: if they are parts of different divisions.
    """
    folder = run.path / "shards"
    matches = [_FOLDER.fullmatch(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    found = sorted(Shard(int(m[2]), int(m[1])) for m in matches if m)
    begun = [shard for shard in found if _has_begun(shard.folder(run).ledger)]
    if len(divisions := sorted({shard.of for shard in begun})) > 1:
        names = ", ".join(shard.name for shard in begun)
        raise RunError(
            f"{folder} holds parts of different divisions, into {' and into '.join(map(str, divisions))}: {names}; "
            "keep the shards of one division there, and move the others away"
        )
    return begun


def missing(shards: list[Shard]) -> list[Shard]:
    """Return the shards of the same division that have not begun."""
    return [each for n in range(shards[0].of) if (each := Shard(shards[0].of, n + 1)) not in shards] if shards else []


def refuse_other_division(run: RunFolder, shard: Shard) -> None:
    """Refuse a shard of another division: papers would be in other shards, and paid for again.

    Raises:
        RunError: if the run is divided into another number of shards.
    """
    for other in shards_of(run):
        if other.of != shard.of:
            raise RunError(
                f"{run.path} is divided into {other.of} shards; go on with --shard i/{other.of}, or merge it and go on "
                "without --shard, or choose another folder with -o"
            )


def ids_in(run: RunFolder) -> dict[str, str]:
    """Return the id of every place that the run or one of its shards has ever named."""
    ledgers = [*(shard.folder(run).ledger for shard in shards_of(run)), run.ledger]
    return {place: name for ledger in ledgers if _has_begun(ledger) for place, name in _ids(ledger)}


def _has_begun(ledger: Path) -> bool:
    return ledger.is_file() and ledger.stat().st_size > 0


def _ids(ledger: Path) -> Iterator[tuple[str, str]]:
    with opened_to_read(ledger) as db:
        yield from db.execute("SELECT place, id FROM papers").fetchall()
