"""Write files atomically: a file is complete or does not exist. Read files, streams and folders of a bounded size."""

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
    """Return the text of an error, without the error number and the file name of an `OSError`."""
    return getattr(error, "strerror", None) or str(error)


def read_bounded_file(path: Path, max_bytes: int) -> bytes:
    """Read a file of at most `max_bytes` bytes.

    Raises:
        OSError: if the file is larger, is not a regular file, or cannot be read; `strerror` is one sentence.
    """
    if refuse_special_file(path) > max_bytes:  # a large file is refused before it is read
        raise _make_size_error(max_bytes, str(path))
    with path.open("rb") as file:
        return read_bounded_stream(file, max_bytes, str(path))


def refuse_special_file(path: Path) -> int:
    """Return the size of a regular file. Refuse anything else, since reading a pipe or a device may never end.

    Raises:
        OSError: if the path, or the target of a link at the path, is no regular file; `strerror` is one sentence.
    """
    facts = path.stat()
    if special := next((name for is_kind, name in _SPECIAL_FILES if is_kind(facts.st_mode)), ""):
        raise OSError(errno.EINVAL, f"it is {special}, not a file", str(path))
    return facts.st_size


def read_bounded_stream(stream: BinaryIO, max_bytes: int, name: str) -> bytes:
    """Read a stream of at most `max_bytes` bytes to its end; errors call the stream `name`.

    Raises:
        OSError: if the stream has more bytes or cannot be read; `strerror` is one sentence.
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
    """Yield each folder with the names of its folders and files, as `os.walk` does, without following links.

    Folders more than `MAX_FOLDER_DEPTH` levels below `root` are skipped. `on_error` is called once for each folder that
    contains skipped folders, and once for each folder that cannot be read.
    """
    for name, folders, names in os.walk(root, onerror=on_error):
        folder = Path(name)
        if folders and len(folder.parts) - len(root.parts) >= MAX_FOLDER_DEPTH:
            folders.clear()
            if on_error:
                on_error(OSError(errno.ELOOP, f"folders nested over {MAX_FOLDER_DEPTH} deep are not searched", name))
        yield folder, folders, names


def path_exists(path: Path | str) -> bool:
    """Return whether a path exists. A path that is too long or contains a null character does not exist."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def read_stdin(max_bytes: int) -> bytes:
    """Read stdin to its end; the errors are those of `read_bounded_stream`."""
    return read_bounded_stream(sys.stdin.buffer, max_bytes, "stdin")


def write_file_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Write a file (text as UTF-8) and create its folders; no reader sees half of it, and no crash leaves half of it.

    A symbolic link at `path` is replaced, not followed. A pipe or a device, even one behind a link, is written to and
    never replaced. Permissions are those of any new file. If `durable` is false, the file is not synchronised to the
    disk: it survives a kill of the process, but may be empty after a power cut.

    Raises:
        OSError: if the file cannot be written; an earlier file stays untouched. The error names the path and, on a full
            disk, the bytes that are needed and those that are free.
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
    """Make an error name `path` instead of its temporary copy and, on a full disk, state the space that is needed."""
    error.filename = str(path)
    del error.filename2  # the text would show a None
    if error.errno == errno.ENOSPC:
        error.strerror = f"{error.strerror}: {describe_free_space(path, size)}"


def describe_free_space(path: Path, size: int) -> str:
    """Return a sentence that says how many bytes are needed for a file, and how many are free on its disk."""
    import shutil

    free = shutil.disk_usage(next(folder for folder in path.absolute().parents if folder.is_dir())).free
    return f"{size:,} bytes are needed and {free:,} are free"


def write_temporary_file(content: str, suffix: str) -> Path:
    """Write a text to a new file in the temporary folder and return its path; only its owner may read the file.

    Raises:
        OSError: if no temporary folder can be written.
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


def try_lock_file(path: Path) -> int | None:
    """Create a file and its folders, and lock the file. Return its handle, or None if the file is locked already.

    The lock ends with the process, so a file that a killed process leaves behind can be locked again.

    Raises:
        OSError: if the file cannot be created or locked.
    """
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _has_name(path, handle):  # else the last holder deleted it between the two calls
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _has_name(path: Path, handle: int) -> bool:
    """Return whether an open file is still the file at a path."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def delete_and_unlock_file(path: Path, handle: int) -> None:
    """Delete a file that `try_lock_file` locked, and end its lock."""
    with contextlib.suppress(OSError):
        path.unlink()
    os.close(handle)


def is_pipe_or_device(path: Path) -> bool:
    """Return whether a path is a pipe, a socket or a device, or a name of an open file such as /dev/stdout."""
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
    """Synchronise a folder to the disk, if the system can, so that a new file's name survives a power cut."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
