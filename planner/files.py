"""Write files atomically (completely or not at all), and read files, streams and folders of a limited size."""

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

MAX_FOLDER_DEPTH: Final = 100  # levels of nested folders that are searched
DRAFT_NAME: Final = re.compile(r"\.[0-9a-f]{16}\.tmp")  # of a file that is still being written
_MAX_LINKS: Final = 40  # symbolic links in a row that Linux follows
_CHUNK_BYTES: Final = 1_000_000
_SPECIAL_FILES: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def describe_os_error(error: Exception) -> str:
    """Return the text of an error. The number and the file name of an `OSError` are left out."""
    return getattr(error, "strerror", None) or str(error)


def read_bounded_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file that has at most `max_bytes` bytes.

    Raises:
        OSError: if the file is larger, is not a regular file, or cannot be read; `strerror` says which.
    """
    require_regular_file(path)
    if path.stat().st_size > max_bytes:  # a large file is refused before it is read
        raise _make_size_error(max_bytes, str(path))
    with path.open("rb") as file:
        return read_bounded_stream(file, max_bytes, str(path))


def require_regular_file(path: Path) -> None:
    """Raise an error if a path is no regular file, since reading a pipe or a device may never end.

    Raises:
        OSError: if `path` is a folder, a pipe, a socket or a device, or a link to one; `strerror` says which.
    """
    mode = path.stat().st_mode
    if special := next((name for is_kind, name in _SPECIAL_FILES if is_kind(mode)), ""):
        raise OSError(errno.EINVAL, f"it is {special}, not a file", str(path))


def read_bounded_stream(stream: BinaryIO, max_bytes: int, name: str) -> bytes:
    """Return the content of a stream up to its end. `name` is the stream's name in an error.

    Raises:
        OSError: if the stream has more than `max_bytes` bytes or cannot be read; `strerror` says which.
    """
    chunks, size = [], 0
    while chunk := stream.read(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise _make_size_error(max_bytes, name)
    return b"".join(chunks)


def _make_size_error(max_bytes: int, name: str) -> OSError:
    return OSError(errno.EFBIG, f"it has over {max_bytes:,} bytes", name)


def walk_folders(
    root: Path, on_error: Callable[[OSError], None] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each folder with the names of its folders and files, as `os.walk` does. Do not follow links.

    Folders more than `MAX_FOLDER_DEPTH` levels below `root` are skipped. `on_error` is called for each folder that
    cannot be read, and for each folder that contains skipped folders.
    """
    for name, folders, names in os.walk(root, onerror=on_error):
        folder = Path(name)
        if folders and len(folder.parts) - len(root.parts) >= MAX_FOLDER_DEPTH:
            folders.clear()
            if on_error:
                on_error(OSError(errno.ELOOP, f"folders over {MAX_FOLDER_DEPTH} levels deep are not searched", name))
        yield folder, folders, names


def path_exists(path: Path | str) -> bool:
    """Return whether a path exists; return False for a path that is too long or invalid."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def read_stdin(max_bytes: int) -> bytes:
    """Return the content of stdin up to its end; raise the errors of `read_bounded_stream`."""
    return read_bounded_stream(sys.stdin.buffer, max_bytes, "stdin")


def write_file_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Write a file and create its folders. After a crash, the file has either its old or its new content.

    Text is written as UTF-8. A symbolic link at `path` is replaced, not followed. A pipe or a device is written to,
    even through a link. If `durable` is false, a power cut may leave the file empty, since its content is not
    synchronised to the disk.

    Raises:
        OSError: if the file cannot be written. Its old content stays. The error names `path` and, if the disk is full,
            the space that is needed.
        UnicodeEncodeError: if the text holds an unpaired surrogate.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    if is_pipe_or_device(path):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as device:
            device.write(data)
        return
    draft = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        try:
            _write_new_file(draft, data, durable)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_new_file(draft, data, durable)
        draft.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        if isinstance(error, OSError):
            _name_path(error, path, len(data))
        raise
    if durable:
        _sync_folder(path.parent)


def _name_path(error: OSError, path: Path, size: int) -> None:
    """Set the file name in an error to `path`. If the disk is full, add to the text how much space is needed."""
    error.filename = str(path)
    del error.filename2  # the text would show a None
    if error.errno == errno.ENOSPC:
        error.strerror = f"{error.strerror}: {describe_disk_space(path, size)}"


def describe_disk_space(path: Path, needed_bytes: int) -> str:
    """Return a sentence with the bytes that a file needs and the bytes that are free on its disk."""
    import shutil

    free = shutil.disk_usage(next(folder for folder in path.absolute().parents if folder.is_dir())).free
    return f"{needed_bytes:,} bytes are needed and {free:,} are free"


def write_temporary_file(content: str, suffix: str) -> Path:
    """Write a text to a new temporary file that only its owner can read, and return the file's path.

    Raises:
        OSError: if the file cannot be written.
    """
    import tempfile

    handle, name = tempfile.mkstemp(suffix, "ablation-planner-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode())
    except OSError:
        Path(name).unlink()
        raise
    return Path(name)


class FileLock:
    """A lock on a file. It ends when the process ends, even if the process is killed."""

    def __init__(self, path: Path) -> None:
        self._path, self._handle = path, -1

    def try_acquire(self) -> bool:
        """Create and lock the file, or return False if the file is already locked.

        Raises:
            OSError: if the file cannot be created or locked.
        """
        import fcntl

        self._path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            is_locked = False
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_locked = self._has_name()  # otherwise, the last holder deleted the file between the two calls
            except BlockingIOError:
                return False
            finally:
                if not is_locked:
                    os.close(self._handle)
            if is_locked:
                return True

    def delete_and_release(self) -> None:
        """Delete the file and release the lock, which must be held."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._handle)

    def _has_name(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._handle), self._path.stat())
        except FileNotFoundError:
            return False


def is_pipe_or_device(path: Path) -> bool:
    """Return whether a path is a pipe, a socket, a device or a name for an open file, such as /dev/stdout."""
    for _ in range(_MAX_LINKS):
        folder = path.parent.resolve()
        if folder == Path("/dev") or folder.is_relative_to("/proc"):
            return path.exists()
        if not path.is_symlink():
            break
        path = folder / path.readlink()
    return path.exists() and not path.is_file() and not path.is_dir()


def _write_new_file(path: Path, data: bytes, durable: bool) -> None:
    with path.open("xb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Synchronise a folder to the disk, if the system can. New names in it then survive a power cut."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
