"""Write files atomically: a file is complete or does not exist."""

import contextlib
import os
import secrets
from pathlib import Path


def write_file_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Write a file (text as UTF-8) and create its folders; no reader sees half of it, and no crash leaves half of it.

    A symbolic link at `path` is replaced, never followed. Permissions are those of any new file. Without `durable` the
    file is not synchronised to the disk: it survives a kill, but may be empty after a power cut.

    Raises:
        OSError: if the file cannot be written; an earlier file stays untouched.
        UnicodeEncodeError: if the text holds an unpaired surrogate.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    draft = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        try:
            _write_new_file(draft, data, durable)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_new_file(draft, data, durable)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def _write_new_file(path: Path, data: bytes, durable: bool) -> None:
    with path.open("xb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Synchronise a folder to the disk so that a new name lasts. Not every system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
