"""The folders of runs and shards, with a ledger, trajectories, `run.json` and a lock.

A shard is a part of a run that one of several machines plans. It is a run of its own in `RUN/shards/i-of-n/` on a
shared disk. `planner.batch.cluster.merge` merges the shards into RUN.
"""

import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from pydantic import JsonValue

from planner.batch.ledger.schema import query_ledger
from planner.batch.manifest import Corpus
from planner.chat import ModelInfo
from planner.errors import Outcome, OutputError, RunError, UsageError
from planner.files import DRAFT_NAME, read_bounded_file, write_file_atomically
from planner.names import RECORD_SUFFIX, TRAJECTORY_SUFFIX, build_model_folder_path, sanitize_file_name
from planner.planning.output import rebuild_trajectory_from_record, write_plan_files
from planner.planning.record import PlanRecord
from planner.trajectory.format import Trajectory

FORMAT_VERSION: Final = "ablation-planner-run-1"

# File systems that several machines share; SQLite's write-ahead log is not safe there.
_SHARED_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "fuse.sshfs"}
)
_MAX_DESCRIPTION_BYTES: Final = 100_000_000  # bytes of a `run.json`, which names every argument of its command
_STATUS_SECONDS: Final = 0.1  # longer than `status` holds the lock
_SHARD_OPTION: Final = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,5})", re.ASCII)
_SHARD_FOLDER: Final = re.compile(r"([1-9]\d{0,5})-of-([1-9]\d{0,5})", re.ASCII)


class InUseError(RunError):
    """The error that another process is using the run."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run, and the paths in it."""

    path: Path

    @property
    def ledger_path(self) -> Path:
        """The path of the ledger, a SQLite file."""
        return self.path / "ledger.sqlite"

    @property
    def has_begun(self) -> bool:
        """True if the run has a ledger; an empty ledger does not count, as a kill leaves it if it comes too early."""
        return self.ledger_path.is_file() and self.ledger_path.stat().st_size > 0

    @property
    def trajectory_folder(self) -> Path:
        """The folder in which the trajectories are written."""
        return self.path / "trajectories"

    @property
    def request_folder(self) -> Path:
        """The folder for files with requests to a batch service."""
        return self.path / "service"

    @property
    def is_on_shared_disk(self) -> bool:
        """True if the folder is known to be on a network file system."""
        return _find_file_system(self.path.resolve()) in _SHARED_FILE_SYSTEMS

    @property
    def is_in_use(self) -> bool:
        """True if a process has locked the folder to work on the run."""
        import fcntl

        try:
            handle = os.open(self.path / ".lock", os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return isinstance(error, BlockingIOError)
        finally:
            os.close(handle)
        return False

    def read_run_json(self) -> dict[str, JsonValue]:
        """Return the content of `run.json`, {} if the file is missing or damaged."""
        try:
            facts = json.loads(read_bounded_file(self.path / "run.json", _MAX_DESCRIPTION_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def write_run_json(self, facts: Mapping[str, JsonValue]) -> None:
        """Write `run.json`, which describes the run to people and other programs.

        Raises:
            RunError: if the folder cannot be written.
        """
        with convert_os_errors(self.path):
            text = json.dumps({"format_version": FORMAT_VERSION, **facts}, ensure_ascii=False, indent=1)
            write_file_atomically(self.path / "run.json", text + "\n")

    def write_plan_files(self, record: PlanRecord, trajectory: Trajectory | None) -> None:
        """Write the record of a paper and, if there is a plan, its trajectory.

        Raises:
            RunError: if the folder cannot be written.
        """
        with convert_os_errors(self.path):
            write_plan_files(self.trajectory_folder, record, trajectory)

    def iterate_results_without_files(
        self, infos: Mapping[str, ModelInfo], results: Iterable[tuple[str, str, Outcome]]
    ) -> Iterator[tuple[str, str]]:
        """Yield (paper, model) for each of `results` whose files are missing.

        `results` are (paper, model, outcome). Models that are not in `infos` are left out.
        """
        present: dict[str, frozenset[str]] = {}
        for model, info in infos.items():
            folder = self.trajectory_folder / build_model_folder_path(info.planner, info.name)
            if folder.is_dir():
                _delete_drafts(folder)
                present[model] = _list_complete_files(folder)
        for paper, model, outcome in results:
            endings = (RECORD_SUFFIX, TRAJECTORY_SUFFIX) if outcome == Outcome.PLANNED else (RECORD_SUFFIX,)
            needed = {f"{sanitize_file_name(paper)}{ending}" for ending in endings}
            if model in infos and not needed <= present.get(model, frozenset()):
                yield paper, model

    def restore_plan_files(self, record: PlanRecord) -> str | None:
        """Write the files of a paper from the replies in its record; return the problem if there is no plan in them.

        Raises:
            RunError: if the folder cannot be written.
        """
        try:
            trajectory = rebuild_trajectory_from_record(record)
        except OutputError as error:
            return f"the reply about paper {record.paper.id} can no longer be read as a plan: {error}"
        self.write_plan_files(record, trajectory)
        return None

    @contextmanager
    def lock_folder(self) -> Iterator[None]:
        """Lock the folder against other processes within the block; if the folder is missing, create it.

        Raises:
            InUseError: if another process has locked the folder.
            RunError: if the folder cannot be written.
        """
        with convert_os_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with convert_os_errors(self.path / ".lock"):
                self._lock_file(handle)
            yield
        finally:
            os.close(handle)

    def _lock_file(self, handle: int) -> None:
        try:
            _lock_patiently(handle)
        except BlockingIOError:
            holder = os.read(handle, 200).decode("utf-8", "replace").strip() or "another process"
            raise InUseError(
                f"{self.path} is in use by {holder}; wait for it, or choose another folder with -o"
            ) from None
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be locked: {error.strerror}; choose a folder on another disk"
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)


def _delete_drafts(folder: Path) -> None:
    """Delete the files in a folder that were only half written."""
    with os.scandir(folder) as items:
        for item in items:
            if DRAFT_NAME.fullmatch(item.name):
                Path(item.path).unlink(missing_ok=True)


def _list_complete_files(folder: Path) -> frozenset[str]:
    """Return the names of the files in a folder that are not empty."""
    with os.scandir(folder) as items:
        return frozenset(item.name for item in items if item.is_file() and item.stat().st_size)


def _lock_patiently(handle: int) -> None:
    """Lock a file; try twice, since the command `status` locks it for a moment."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_STATUS_SECONDS)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def convert_os_errors(path: Path) -> Iterator[None]:
    """Convert an `OSError` in the block to a `RunError` that tells the user what to do.

    Raises:
        RunError: if the block raises OSError.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(
            f"{error.filename or path} cannot be written: {reason}; "
            "fix that, then run the same command again to continue"
        ) from error


def _find_file_system(path: Path) -> str:
    """Return the type of the file system on which `path` lies, such as "nfs"; "" if it is unknown."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    longest, file_system = "", ""
    for line in mounts.splitlines():
        _, mount_point, kind, *_ = line.split(" ")
        if path.is_relative_to(mount_point.replace("\\040", " ")) and len(mount_point) >= len(longest):
            longest, file_system = mount_point, kind
    return file_system


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """One of `shard_count` parts of a corpus; `number` counts from 1."""

    shard_count: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that `text` names in the form `i/n`.

        Raises:
            UsageError: if the text does not have this form, or i is not from 1 to n.
        """
        match = _SHARD_OPTION.fullmatch(text.strip())
        if match is None or int(match[1]) > int(match[2]):
            raise UsageError(f"--shard {text!r}: write i/n with i from 1 to n, as in --shard 1/3")
        return cls(int(match[2]), int(match[1]))

    def __str__(self) -> str:
        return f"{self.number}/{self.shard_count}"

    @property
    def name(self) -> str:
        """The name of the shard's folder."""
        return f"{self.number}-of-{self.shard_count}"

    def has_paper(self, paper_id: str) -> bool:
        """Return whether the paper with this id belongs to the shard; every machine gives the same answer."""
        digest = hashlib.blake2b(paper_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest) % self.shard_count == self.number - 1

    def select_papers(self, corpus: Corpus) -> Corpus:
        """Return the papers of a corpus that this shard plans."""
        return replace(corpus, entries=tuple(entry for entry in corpus.entries if self.has_paper(entry.id)))

    def locate_folder(self, run: RunFolder) -> RunFolder:
        """Return the folder of the shard within the folder of the run."""
        return RunFolder(run.path / "shards" / self.name)


def is_shard_folder(run: RunFolder) -> bool:
    """Return whether `run` is the folder of a shard."""
    return run.path.parent.name == "shards" and _SHARD_FOLDER.fullmatch(run.path.name) is not None


def list_begun_shards(run: RunFolder) -> list[Shard]:
    """Return the shards that have begun (their ledger exists and is not empty), sorted.

    Raises:
        RunError: if the run was divided into different numbers of shards.
    """
    folder = run.path / "shards"
    matches = [_SHARD_FOLDER.fullmatch(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    found = sorted(Shard(int(m[2]), int(m[1])) for m in matches if m)
    begun = [shard for shard in found if shard.locate_folder(run).has_begun]
    if len(divisions := sorted({shard.shard_count for shard in begun})) > 1:
        names = ", ".join(shard.name for shard in begun)
        raise RunError(
            f"the run was divided into {' and also into '.join(map(str, divisions))} shards, and {folder} holds shards "
            f"of each division ({names}): keep the shards of only one division there, and move the others elsewhere"
        )
    return begun


def list_missing_shards(begun_shards: list[Shard]) -> list[Shard]:
    """Return the shards that have not begun; `begun_shards` (at least one) are the shards that have begun."""
    count = begun_shards[0].shard_count
    return [shard for number in range(1, count + 1) if (shard := Shard(count, number)) not in begun_shards]


def refuse_other_shard_count(run: RunFolder, shard: Shard) -> None:
    """Refuse a shard if the run is divided into another number of shards, since papers would be paid for again.

    Raises:
        RunError: if the run is divided into another number of shards.
    """
    begun_shards = list_begun_shards(run)
    if begun_shards and (count := begun_shards[0].shard_count) != shard.shard_count:
        raise RunError(
            f"{run.path} is divided into {count} shards; go on with --shard i/{count}, or merge the shards and go on "
            "without --shard, or choose another folder with -o"
        )


def load_paper_ids_by_place(run: RunFolder) -> dict[str, str]:
    """Return the ids of all papers that the run and its shards ever had, by path or arXiv id."""
    # Damage is reported later, when the ledger is opened for writing.
    query = "SELECT place, id FROM papers WHERE typeof(place) = 'text' AND typeof(id) = 'text'"
    folders = [*(shard.locate_folder(run) for shard in list_begun_shards(run)), run]
    ledgers = (folder.ledger_path for folder in folders if folder.has_begun)
    return {place: name for ledger in ledgers for place, name in query_ledger(ledger, query)}
