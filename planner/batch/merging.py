"""Merge the shards of a run into the run: their ledgers and their files."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue, TypeAdapter

from planner.batch.files import Present, trajectory_of, write_planning
from planner.batch.joining import Joined, beside, conflicts, join, mark, new_plannings
from planner.batch.ledger import ALL, HOLDS, KeptPlannings
from planner.batch.parts import COLLECTED
from planner.batch.run import InUseError, RunFolder, telling
from planner.batch.schema import connect, opened_to_read
from planner.batch.shards import Shard, missing, shards_of
from planner.chat import ModelCard
from planner.errors import OutputError, RunError

_CARD: Final = TypeAdapter(ModelCard)
_MARK: Final = "merged "


class _SubmittedError(RunError):
    """A shard has requests at a batch service, whose results are not known yet."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of a merge: what each shard added, or why it was left out; `problems` has one line each."""

    joined: Mapping[Shard, Joined]
    running: Mapping[Shard, str]
    missing: tuple[Shard, ...]
    problems: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """True if every shard was merged: none is missing, and none is still running."""
        return not self.running and not self.missing


def merge(run: RunFolder) -> Merged:
    """Merge the shards of a run into it; merging again adds what is new since.

    Raises:
        RunError: if there are no shards, their settings differ, or a file cannot be read or written.
    """
    shards = shards_of(run)
    if not shards:
        raise RunError(f"{run.path} has no shards to merge: plan some with `batch --shard i/n -o {run.path}`")
    refuse_differences(run, shards)
    refuse_strangers(run, shards)
    joined, running, problems = {}, {}, list[str]()
    with ExitStack() as stack:
        stack.enter_context(run.held())
        db = stack.enter_context(closing(connect(run.ledger, shared_disk=run.on_shared_disk)))
        for shard in shards:
            try:
                joined[shard] = _merge_one(db, run, shard, problems)
            except InUseError:
                running[shard] = "it is still running"
            except _SubmittedError as error:
                running[shard] = str(error)
        _write_missing(db, run, problems)
        _describe(run, shards)
    return Merged(joined, running, tuple(missing(shards)), tuple(problems))


def unmerged(run: RunFolder) -> list[Shard]:
    """Return the shards that hold something that the run's ledger lacks.

    Raises:
        RunError: if a ledger cannot be read.
    """
    marks = {}
    if run.ledger.is_file():
        with opened_to_read(run.ledger) as db:
            marks = dict(db.execute("SELECT name, value FROM run WHERE name GLOB ?", (f"{_MARK}*",)))
    return [shard for shard in shards_of(run) if marks.get(_MARK + shard.name) != _mark_of(shard.folder(run))]


def refuse_unmerged(run: RunFolder) -> None:
    """Refuse a run whose shards are not merged, since it would pay for their requests again.

    Raises:
        RunError: if a shard is not merged.
    """
    if shards := unmerged(run):
        names = ", ".join(shard.name for shard in shards)
        raise RunError(f"{run.path} has shards that are not merged ({names}); first: ablation-planner merge {run.path}")


def refuse_submitted(run: RunFolder) -> None:
    """Refuse shards while the run itself has requests at a batch service, which they would pay for again.

    Raises:
        RunError: if there are such requests, or they are about to be submitted.
    """
    if run.ledger.is_file() and (requests := _submitted(run)):
        raise RunError(
            f"{requests} requests of {run.path} are on their way through a batch service, and its shards would pay for "
            f"them again; first: ablation-planner collect {run.path}"
        )


def seed(run: RunFolder, shard: Shard, papers: Iterable[str]) -> None:
    """Copy into a shard what the run has on its papers, so that nothing is paid for again.

    Raises:
        RunError: if a ledger cannot be read or written.
    """
    if run.ledger.is_file():
        with closing(connect(shard.folder(run).ledger, shared_disk=True)) as db, beside(db, run.ledger, papers):
            join(db)


def refuse_differences(run: RunFolder, shards: list[Shard]) -> None:
    """Refuse shards with different settings: they are not parts of one run.

    Raises:
        RunError: if they differ; the text says which and in what.
    """
    manners = {shard: _manner(shard.folder(run)) for shard in shards}
    for fact in sorted({fact for manner in manners.values() for fact in manner}, key=_last_the_hash):
        by_value: dict[str, list[str]] = {}
        for shard, manner in manners.items():
            by_value.setdefault(manner.get(fact, "none"), []).append(shard.name)
        if len(by_value) > 1:
            said = "; ".join(f"{value} in {', '.join(names)}" for value, names in by_value.items())
            raise RunError(f"the shards of {run.path} differ in {fact}: {said}; run the odd ones again like the others")


def refuse_strangers(run: RunFolder, shards: list[Shard]) -> None:
    """Refuse a shard that holds papers of another, such as a renamed copy; its own papers would stay unplanned.

    Raises:
        RunError: if a shard holds papers of another.
    """
    for shard in shards:
        with opened_to_read(shard.folder(run).ledger) as db:
            papers = [paper for (paper,) in db.execute("SELECT id FROM papers WHERE position IS NOT NULL")]
        if strangers := [paper for paper in papers if not shard.holds(paper)]:
            raise RunError(
                f"{shard.folder(run).path} holds papers of other shards, such as {strangers[0]!r}: was it copied? "
                f"Run it again (batch --shard {shard}), then merge"
            )


def _merge_one(db: sqlite3.Connection, run: RunFolder, shard: Shard, problems: list[str]) -> Joined:
    part = shard.folder(run)
    with part.held(), closing(connect(part.ledger, shared_disk=True)) as other, beside(db, part.ledger):
        if requests := _submitted(part):
            raise _SubmittedError(f"{requests} of its requests are at a batch service")
        for paper, here, there in conflicts(db):
            raise RunError(
                f"{paper} is {here} in the run and {there} in {shard.name}; run that shard again, then merge"
            )
        kept = KeptPlannings(other)
        # The files go first, so that a recorded result has its files; the next merge writes those that are missing.
        for paper, model in new_plannings(db):
            _write(run, kept, paper, model, problems)
        joined = join(db)
        db.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", (_MARK + shard.name, mark(other)))
    if joined.paid_twice:
        problems.append(
            f"{shard.name}: {joined.paid_twice:,} requests were paid for in another shard too, "
            "as papers there have the same text; their cost is counted once"
        )
    return joined


def _write(run: RunFolder, kept: KeptPlannings, paper: str, model: str, problems: list[str]) -> None:
    sidecar = kept.one(paper, model)
    try:
        trajectory = trajectory_of(sidecar)
    except OutputError as error:
        problems.append(f"{paper}: its reply can no longer be read as a plan: {error}")
        return
    with telling(run.path):
        write_planning(run.trajectories, sidecar, trajectory)


def _write_missing(db: sqlite3.Connection, run: RunFolder, problems: list[str]) -> None:
    present, kept = Present(run.trajectories), KeptPlannings(db)
    cards = {key: _CARD.validate_json(card) for key, card in db.execute("SELECT key, card FROM models")}
    for paper, model, outcome in db.execute(f"SELECT p.id, m.key, n.outcome {ALL} AND {HOLDS}").fetchall():
        if not present.has(cards[model], paper, trajectory=outcome == "planned"):
            _write(run, kept, paper, model, problems)


def _describe(run: RunFolder, shards: list[Shard]) -> None:
    """Write the run's `run.json`: the facts of the first shard, and the names of all shards."""
    facts = _facts(shards[0].folder(run)) | {"shards": [shard.name for shard in shards]}
    run.describe({name: value for name, value in facts.items() if name not in ("format_version", "shard", "papers")})


def _manner(part: RunFolder) -> dict[str, str]:
    """Return the settings of a shard's last call, by name."""
    with opened_to_read(part.ledger) as db:
        task = db.execute("SELECT value FROM run WHERE name = 'task'").fetchone()
        models = db.execute("SELECT key, card, asked FROM models WHERE position IS NOT NULL ORDER BY key").fetchall()
    if task is None:
        return {}
    facts = {"task": task[0], "models": ", ".join(key for key, _, _ in models), "k": str(_facts(part).get("k", "?"))}
    for key, text, asked in models:
        card = _CARD.validate_json(text)
        facts |= {f"the endpoint of {key}": card.endpoint, f"the parameters of {key}": str(dict(card.parameters))}
        facts[f"{_SETTINGS} of {key}"] = asked
    return facts


_SETTINGS: Final = "the settings (prompts, --cut-at, as a hash)"


def _last_the_hash(fact: str) -> tuple[bool, str]:
    return fact.startswith(_SETTINGS), fact


def _facts(part: RunFolder) -> dict[str, JsonValue]:
    try:
        facts = json.loads((part.path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _submitted(part: RunFolder) -> int:
    with opened_to_read(part.ledger) as db:
        return int(
            db.execute("SELECT coalesce(sum(requests), 0) FROM parts WHERE state <> ?", (COLLECTED,)).fetchone()[0]
        )


def _mark_of(part: RunFolder) -> str:
    with opened_to_read(part.ledger) as db:
        return mark(db)
