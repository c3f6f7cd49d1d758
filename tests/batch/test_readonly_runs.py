"""A finished run that may be read and not written."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from planner.batch.ledger.schema import query_ledger
from tests.batch.program import Program, make_papers


@pytest.fixture
def locked(program: Program) -> Iterator[Path]:
    """A run in a folder that another user can reach, since root may write everywhere."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        program.folder = folder
        make_papers(folder / "papers", 3)
        program.invoke("batch", "papers", "-o", "run", "--model", "extractive", code=1)
        (folder / "run").chmod(0o555)
        yield folder / "run"
        (folder / "run").chmod(0o755)


def read_as_another_user(path: Path) -> int:
    """Return the number of papers in a ledger, as a user who may not write; the exit status carries it."""
    child = os.fork()
    if child == 0:
        number = 255
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            ((number,),) = query_ledger(path, "SELECT count(*) FROM papers")
        finally:
            os._exit(number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_run_that_cannot_be_written_is_read(locked: Path) -> None:
    assert read_as_another_user(locked / "ledger.sqlite") == 3
    assert not [path.name for path in locked.iterdir() if path.name.endswith(("-wal", "-shm"))]


def test_a_log_that_cannot_be_taken_in_is_an_error_and_not_passed_over(locked: Path) -> None:
    locked.chmod(0o755)
    (locked / "ledger.sqlite-wal").write_bytes(b"x" * 5000)
    locked.chmod(0o555)
    assert read_as_another_user(locked / "ledger.sqlite") == 255
