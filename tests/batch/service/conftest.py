import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.batch.program import Program, make_papers
from tests.conftest import ROOT
from tests.server.batches import Entry, read_journal


@dataclass(frozen=True)
class Service:
    """A batch service: where it is, and what came of every request that was submitted to it."""

    url: str
    journal: Path

    @property
    def entries(self) -> list[Entry]:
        return read_journal(self.journal) if self.journal.exists() else []


ServeBatches = Callable[..., Service]


@pytest.fixture
def serve_batches(tmp_path: Path) -> Iterator[ServeBatches]:
    """Start a batch service as a process: `serve_batches("--odd")`."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Service:
        journal = tmp_path / f"service{len(started)}.jsonl"
        command = [sys.executable, "-m", "tests.server.batches", "--journal", str(journal), *options]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        return Service(process.stdout.readline().strip(), journal)

    yield start
    for process in started:
        process.communicate("", timeout=10)


@dataclass(frozen=True)
class Corpus:
    """Papers, and the program that plans them."""

    program: Program
    folder: Path

    def batch(self, service: Service, *more: str, run: str = "run", code: int = 0) -> str:
        """Plan the corpus through the batch service; what was said."""
        command = ("batch", "papers", "-o", run, "--model", "m", "--base-url", service.url)
        return self.program.invoke(*command, "--engine", "openai-batch", "--poll", "0.02", *more, code=code).stderr

    def live(self, service: Service, *more: str, run: str = "live", code: int = 0) -> str:
        """Plan the corpus live."""
        command = ("batch", "papers", "-o", run, "--model", "m", "--base-url", service.url)
        return self.program.invoke(*command, *more, code=code).stderr


@pytest.fixture
def corpus(program: Program, tmp_path: Path) -> Corpus:
    """Twelve small papers."""
    make_papers(tmp_path / "papers", 12)
    return Corpus(program, tmp_path)
