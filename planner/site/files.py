"""Files of a site."""

from pathlib import Path


def put(path: Path, text: str) -> None:
    """Write a file anew, as UTF-8; folders are made, and a symbolic link at `path` is replaced, never followed.

    A site can be made again at any time, so nothing waits for the disk.

    Raises:
        OSError: the file could not be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
