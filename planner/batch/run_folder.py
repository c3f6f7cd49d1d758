"""The folder of a run: its ledger, its trajectories, a readable `run.json`, and a lock against other processes."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from planner.errors import RunError
from planner.files import write_file_atomically

FORMAT_VERSION: Final = "ablation-planner-run-1"

# File systems that several machines share; SQLite's write-ahead log is not safe there.
_SHARED_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "fuse.sshfs"}
)


class InUseError(RunError):
    """Another process is using the run."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run, and the paths in it."""

    path: Path

    @property
    def ledger_path(self) -> Path:
        """The ledger, a SQLite file."""
        return self.path / "ledger.sqlite"

    @property
    def trajectory_folder(self) -> Path:
        """The folder of trajectories, laid out as published."""
        return self.path / "trajectories"

    @property
    def request_folder(self) -> Path:
        """The folder for files of requests that wait for a batch service."""
        return self.path / "service"

    @property
    def is_on_shared_disk(self) -> bool:
        """True if the folder lies on a network file system, as far as this system tells."""
        return _find_file_system(self.path.resolve()) in _SHARED_FILE_SYSTEMS

    def write_description(self, facts: Mapping[str, JsonValue]) -> None:
        """Write `run.json`, for people and programs that do not read ledgers.

        Raises:
            RunError: if the folder cannot be written.
        """
        with convert_os_errors(self.path):
            text = json.dumps({"format_version": FORMAT_VERSION, **facts}, ensure_ascii=False, indent=1)
            write_file_atomically(self.path / "run.json", text + "\n")

    @contextmanager
    def lock_folder(self) -> Iterator[None]:
        """Create the folder if there is none, and lock it against every other process within the block.

        Raises:
            InUseError: if another process has locked it.
            RunError: if it cannot be written.
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
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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


@contextmanager
def convert_os_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into an error that says what to do about it.

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
    """Return the type of the file system of a path, "" if it is unknown."""
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
