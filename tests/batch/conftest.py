import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.batch.program import Program, Serve, Served
from tests.conftest import ROOT


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a provider as a process: `serve("--faults", "0.3")`; each has its own journal."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Served:
        journal = tmp_path / f"journal{len(started)}.jsonl"
        command = [sys.executable, "-m", "tests.server.provider", "--journal", str(journal), *options]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        return Served(process.stdout.readline().strip(), journal)

    yield start
    for process in started:
        process.communicate("", timeout=10)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """Start `ablation-planner` as a process in the test's folder; what is still running at the end is killed."""
    started = Program(tmp_path)
    yield started
    started.kill_all()
