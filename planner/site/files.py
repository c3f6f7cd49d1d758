"""Files of a site."""

from pathlib import Path


def put(path: Path, text: str) -> None:
    """Write a file as UTF-8; create its folders, and replace a symbolic link at `path` instead of following it.

    A site can be built again at any time, so this does not wait for the disk.

    Raises:
        OSError: if the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
