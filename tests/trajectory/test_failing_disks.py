"""A disk that is full, a folder that refuses, a program that is killed: the old file or the new one, never a part."""

import errno
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from planner.files import write_file_atomically
from tests.conftest import ROOT

OLD, NEW = "old " * 100, "new " * 100_000

# Past the limit a write fails as on a full disk; the signal that would end the process is Python's to ignore.
FULL = """
import resource, sys
from pathlib import Path
from planner.files import write_file_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    write_file_atomically(Path(sys.argv[1]), "new " * 100_000, durable=sys.argv[3] == "durable")
except OSError as error:
    sys.exit(error.errno)
"""

# The program dies between writing its draft and giving it its name.
KILLED = """
import os, signal, sys
from pathlib import Path
from planner.files import write_file_atomically
sys.addaudithook(lambda event, _: os.kill(os.getpid(), signal.SIGKILL) if event == "os.rename" else None)
write_file_atomically(Path(sys.argv[1]), "new " * 100_000)
"""


def elsewhere(program: str, *words: str) -> int:
    """Run a few lines in a process of their own; how it ended."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is there already, alone in its folder."""
    path = tmp_path / "folder" / "paper.md"
    write_file_atomically(path, OLD)
    return path


@pytest.mark.parametrize("limit", [0, 1000, 399_999])
@pytest.mark.parametrize("durable", ["durable", "not durable"])
def test_on_a_full_disk_the_old_file_stays_and_no_draft_does(path: Path, limit: int, durable: str) -> None:
    assert elsewhere(FULL, str(path), str(limit), durable) == errno.EFBIG
    assert path.read_text(encoding="utf-8") == OLD
    assert list(path.parent.iterdir()) == [path]


def test_where_the_disk_holds_it_the_new_file_is_whole(path: Path) -> None:
    assert elsewhere(FULL, str(path), str(len(NEW)), "durable") == 0
    assert path.read_text(encoding="utf-8") == NEW
    assert list(path.parent.iterdir()) == [path]


def test_a_kill_before_the_name_is_given_leaves_the_old_file(path: Path) -> None:
    assert elsewhere(KILLED, str(path)) < 0
    assert path.read_text(encoding="utf-8") == OLD
    drafts = [other for other in path.parent.iterdir() if other != path]
    assert [(draft.name[0], draft.suffix) for draft in drafts] == [(".", ".tmp")], "hidden, so that nobody reads it"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to the administrator")
def test_a_folder_that_may_not_be_written(path: Path) -> None:
    path.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            write_file_atomically(path, NEW)
        assert path.read_text(encoding="utf-8") == OLD
    finally:
        path.parent.chmod(0o700)
    assert list(path.parent.iterdir()) == [path]


def test_a_file_where_a_folder_belongs_is_left_alone(path: Path) -> None:
    with pytest.raises(OSError, match=r"paper\.md"):
        write_file_atomically(path / "below" / "x.md", NEW)
    assert path.read_text(encoding="utf-8") == OLD


def test_a_name_that_no_file_system_holds(path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        write_file_atomically(path.with_name("x" * 300), NEW)
    assert list(path.parent.iterdir()) == [path]


def test_text_that_is_no_text_is_refused_before_anything_is_touched(path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_file_atomically(path.parent / "new folder" / "x.md", "half a pair: \udc80")
    assert list(path.parent.iterdir()) == [path]


def test_readers_see_one_whole_file_or_the_other(path: Path) -> None:
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text(encoding="utf-8"))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(30):
        write_file_atomically(path, NEW, durable=False)
        write_file_atomically(path, OLD, durable=False)
    done.set()
    reader.join()
    assert seen
    assert seen <= {OLD, NEW}


def test_many_writers_leave_one_whole_file_and_no_drafts(path: Path) -> None:
    texts = [f"{number} " * 20_000 for number in range(8)]
    writers = [threading.Thread(target=write_file_atomically, args=(path, text)) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_text(encoding="utf-8") in texts
    assert list(path.parent.iterdir()) == [path]


def test_what_a_link_points_to_through_a_folder_is_the_folder_meant(tmp_path: Path) -> None:
    """A link at the file is replaced; a folder that the user has linked elsewhere is where the user wants it."""
    (tmp_path / "big disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "big disk", target_is_directory=True)
    write_file_atomically(tmp_path / "out" / "x.md", "text")
    assert (tmp_path / "big disk" / "x.md").read_text(encoding="utf-8") == "text"
    assert (tmp_path / "out").is_symlink()


def test_a_full_disk_is_named_with_what_it_lacks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill)
    with pytest.raises(OSError, match=rf"12,345 bytes are needed and [\d,]+ are free: '{re.escape(str(path))}'$"):
        write_file_atomically(path, "x" * 12_345)
    assert path.read_text(encoding="utf-8") == OLD
    assert [each.name for each in path.parent.iterdir()] == [path.name]
