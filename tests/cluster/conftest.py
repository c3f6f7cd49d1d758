import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.batch.conftest import program, serve
from tests.conftest import ROOT

__all__ = ["program", "serve"]


@dataclass
class TwoNodes:
    """A cluster: where it is, where Ray keeps its files, and the process that holds it."""

    address: str
    files: Path
    process: subprocess.Popen[str]

    def tell(self, what: str) -> None:
        """`kill` the second node, or `add` a third, and wait until that is done."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@pytest.fixture
def ray_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of Ray's own, so that no other cluster of this machine is met; short, as its sockets lie there."""
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'ablation-planner[ray]')")
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def two_nodes(ray_files: Path, key: str) -> Iterator[TwoNodes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": key}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.two_nodes"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    yield TwoNodes(process.stdout.readline().strip(), ray_files, process)
    process.communicate(timeout=120)


@pytest.fixture
def key() -> str:
    """The key in the environment of the machines, and nowhere else."""
    return "sk-only-the-machines-know-7f3a9c"
