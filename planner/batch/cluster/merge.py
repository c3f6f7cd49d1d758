"""Merge the ledgers and files of shards (parts of a run) into the run."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from planner.batch.ledger.records import (
    ALL_PAIRS,
    IS_VALID,
    AttachedLedger,
    LedgerReader,
    MergeCounts,
    compute_change_mark,
)
from planner.batch.ledger.schema import connect_ledger, convert_ledger_errors, query_ledger
from planner.batch.ledger.submissions import COLLECTED
from planner.batch.ledger.writer import store_kept_replies
from planner.batch.run_folder import (
    InUseError,
    RunFolder,
    Shard,
    list_begun_shards,
    list_missing_shards,
)
from planner.chat import ModelInfo
from planner.errors import RunError

_MODEL_INFO: Final = TypeAdapter(ModelInfo)
_MERGED_PREFIX: Final = "merged "
_SETTINGS_HASH_FACT: Final = "the settings (prompts, --cut-at and others, shown as a hash)"


class _SubmittedError(RunError):
    """The error that a batch service still has requests of a shard."""


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The result of a merge. `reasons_by_unfinished_shard` are shards that were left out, each with the reason."""

    counts_by_shard: Mapping[Shard, MergeCounts]
    reasons_by_unfinished_shard: Mapping[Shard, str]
    missing_shards: tuple[Shard, ...]
    problems: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """True if every shard was merged."""
        return not self.reasons_by_unfinished_shard and not self.missing_shards


def merge_shards(run: RunFolder) -> MergeResult:
    """Merge the shards of a run into the run; a second merge adds only new records.

    Raises:
        RunError: if there are no shards, if their settings differ, or if a file cannot be read or written.
    """
    shards = list_begun_shards(run)
    if not shards:
        raise RunError(f"{run.path} has no shards to merge: plan some with `batch --shard i/n -o {run.path}`")
    _refuse_unequal_shard_settings(run, shards)
    _refuse_papers_of_other_shards(run, shards)
    joined, running, problems = {}, {}, list[str]()
    with ExitStack() as stack:
        stack.enter_context(run.lock_folder())
        db = stack.enter_context(_open_ledger(run.ledger_path, shared_disk=run.is_on_shared_disk))
        for shard in shards:
            try:
                joined[shard] = _merge_one(db, run, shard, problems)
            except InUseError:
                running[shard] = "it is still running"
            except _SubmittedError as error:
                running[shard] = str(error)
        infos = {key: _MODEL_INFO.validate_json(card) for key, card in db.execute("SELECT key, card FROM models")}
        results = db.execute(f"SELECT p.id, m.key, n.outcome {ALL_PAIRS} AND {IS_VALID}").fetchall()
        reader = LedgerReader(run.ledger_path, db)
        for paper, model in run.iterate_results_without_files(infos, results):
            problems += filter(None, [run.restore_plan_files(reader.load_latest_record(paper, model))])
        _write_description(run, shards)
    return MergeResult(joined, running, tuple(list_missing_shards(shards)), tuple(problems))


def list_unmerged_shards(run: RunFolder) -> list[Shard]:
    """Return the shards that were never merged, or that have changed after they were merged.

    Raises:
        RunError: if a ledger cannot be read.
    """
    marks = {}
    if run.has_begun:
        marks = dict(
            query_ledger(run.ledger_path, "SELECT name, value FROM run WHERE name GLOB ?", f"{_MERGED_PREFIX}*")
        )
    return [
        shard
        for shard in list_begun_shards(run)
        if marks.get(_MERGED_PREFIX + shard.name) != compute_change_mark(shard.locate_folder(run).ledger_path)
    ]


def refuse_unmerged_shards(run: RunFolder) -> None:
    """Refuse a run if a shard is not merged, since the run would pay for the shard's requests again.

    Raises:
        RunError: if a shard is not merged.
    """
    if shards := list_unmerged_shards(run):
        names = ", ".join(shard.name for shard in shards)
        raise RunError(f"shards of {run.path} are not merged ({names}); merge first: ablation-planner merge {run.path}")


def refuse_submitted_requests(run: RunFolder) -> None:
    """Refuse shards while a batch service has requests of the run; the shards would pay for these requests again.

    Raises:
        RunError: if a request is at a batch service, or is about to be submitted.
    """
    if run.has_begun and (requests := _count_submitted_requests(run)):
        raise RunError(
            f"{requests} requests of {run.path} are on their way through a batch service, and shards would pay for "
            f"them again; collect the results first: ablation-planner collect {run.path}"
        )


def copy_results_to_shard(run: RunFolder, shard: Shard, paper_ids: Iterable[str]) -> None:
    """Copy the run's results for `paper_ids` to a shard; the shard need not pay for them again.

    Raises:
        RunError: if a ledger cannot be read or written.
    """
    if run.has_begun:
        with (
            _open_ledger(shard.locate_folder(run).ledger_path, shared_disk=True) as db,
            AttachedLedger.attach(db, run.ledger_path, paper_ids) as run_ledger,
        ):
            run_ledger.merge_records()


def reuse_replies(run: RunFolder, earlier_run: RunFolder) -> None:
    """Copy the replies of the run `earlier_run` into `run`; `run` need not pay for these requests again.

    Raises:
        RunError: if a ledger cannot be read or written.
    """
    if earlier_run.has_begun:
        with (
            run.lock_folder(),
            _open_ledger(run.ledger_path, shared_disk=run.is_on_shared_disk) as db,
            AttachedLedger.attach(db, earlier_run.ledger_path) as earlier_ledger,
        ):
            earlier_ledger.copy_replies()


@contextmanager
def _open_ledger(path: Path, *, shared_disk: bool) -> Iterator[sqlite3.Connection]:
    """Open a ledger for writing within the block; first store the replies that were kept in files beside it.

    Raises:
        RunError: if the ledger cannot be used.
    """
    with closing(connect_ledger(path, shared_disk=shared_disk)) as connection, convert_ledger_errors(path):
        store_kept_replies(connection, path)
        yield connection


def _refuse_unequal_shard_settings(run: RunFolder, shards: list[Shard]) -> None:
    """Refuse shards that were planned with different settings.

    Raises:
        RunError: if the settings differ; the text names a setting and the shards.
    """
    settings = {shard: _read_settings(shard.locate_folder(run)) for shard in shards}
    for fact in sorted(
        {fact for values in settings.values() for fact in values},
        key=lambda fact: (fact.startswith(_SETTINGS_HASH_FACT), fact),
    ):
        by_value: dict[str, list[str]] = {}
        for shard, values in settings.items():
            by_value.setdefault(values.get(fact, "none"), []).append(shard.name)
        if len(by_value) > 1:
            listed = "; ".join(f"{value} in {', '.join(names)}" for value, names in by_value.items())
            raise RunError(f"the shards of {run.path} differ in {fact}: {listed}; run all with the same settings")


def _refuse_papers_of_other_shards(run: RunFolder, shards: list[Shard]) -> None:
    """Refuse a shard that holds papers of another shard; its folder is perhaps a renamed copy.

    Raises:
        RunError: if a shard holds papers of another shard.
    """
    for shard in shards:
        folder = shard.locate_folder(run)
        rows = query_ledger(folder.ledger_path, "SELECT id FROM papers WHERE position IS NOT NULL")
        if strangers := [str(paper) for (paper,) in rows if not shard.has_paper(str(paper))]:
            raise RunError(
                f"{folder.path} holds papers of other shards, such as {strangers[0]!r}; it may be a copy of another "
                f"shard's folder; run shard {shard} again (batch --shard {shard}), then merge"
            )


def _merge_one(db: sqlite3.Connection, run: RunFolder, shard: Shard, problems: list[str]) -> MergeCounts:
    part = shard.locate_folder(run)
    with (
        part.lock_folder(),
        _open_ledger(part.ledger_path, shared_disk=True) as part_db,
        AttachedLedger.attach(db, part.ledger_path) as part_ledger,
    ):
        if requests := _count_submitted_requests(part):
            raise _SubmittedError(f"{requests} requests of the shard are at a batch service")
        for paper, here, there in part_ledger.list_ids_of_different_papers():
            raise RunError(
                f"the id {paper} belongs to {here} in the run, but to {there} in shard {shard.name}; "
                f"run shard {shard} again (batch --shard {shard}), then merge"
            )
        kept = LedgerReader(part.ledger_path, part_db)
        # The files are written first, so that a recorded result has its files; the next merge writes missing files.
        for paper, model in part_ledger.list_unmerged_results():
            problems += filter(None, [run.restore_plan_files(kept.load_latest_record(paper, model))])
        joined = part_ledger.merge_records()
        mark = compute_change_mark(part.ledger_path)
        db.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", (_MERGED_PREFIX + shard.name, mark))
    if joined.requests_paid_twice:
        problems.append(
            f"shard {shard.name}: {joined.requests_paid_twice:,} requests were paid for in another shard too, since "
            "both shards have papers with the same text; the run counts their cost once"
        )
    return joined


def _write_description(run: RunFolder, shards: list[Shard]) -> None:
    """Write the run's `run.json`: the content of the first shard's `run.json`, with the names of all shards."""
    facts = shards[0].locate_folder(run).read_run_json() | {"shards": [shard.name for shard in shards]}
    of_one_shard = ("format_version", "shard", "papers", "words")
    run.write_run_json({name: value for name, value in facts.items() if name not in of_one_shard})


def _read_settings(shard_run: RunFolder) -> dict[str, str]:
    """Return the settings of the last command on a shard, by name."""
    path = shard_run.ledger_path
    tasks = query_ledger(path, "SELECT value FROM run WHERE name = 'task'")
    rows = query_ledger(path, "SELECT key, card, asked FROM models WHERE position IS NOT NULL ORDER BY key")
    if not all(isinstance(value, str) for row in (*rows, *tasks) for value in row):
        raise RunError(f"the ledger {path} is damaged: the names of its models, or its task, cannot be read")
    with convert_ledger_errors(path):
        models = [(key, _MODEL_INFO.validate_json(card), asked) for key, card, asked in rows]
    if not tasks:
        return {}
    facts = {
        "task": tasks[0][0],
        "models": ", ".join(key for key, _, _ in models),
        "k": str(shard_run.read_run_json().get("k", "?")),
    }
    for key, card, asked in models:
        facts |= {f"the endpoint of {key}": card.endpoint, f"the parameters of {key}": str(dict(card.parameters))}
        facts[f"{_SETTINGS_HASH_FACT} of {key}"] = asked
    return facts


def _count_submitted_requests(run: RunFolder) -> int:
    query = "SELECT coalesce(sum(requests), 0) FROM parts WHERE state <> ?"
    return int(query_ledger(run.ledger_path, query, COLLECTED)[0][0])
