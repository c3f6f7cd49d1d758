"""The program and the provider as processes, for tests of whole runs."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from planner.cli import cli
from tests.conftest import ROOT
from tests.server.provider import Entry, read_journal

MAX_WAIT = 60.0  # seconds
ROOM = 20_000  # bytes


@dataclass(frozen=True)
class Served:
    """A provider: its address, and the journal of its requests."""

    url: str
    journal: Path

    @property
    def entries(self) -> list[Entry]:
        return read_journal(self.journal) if self.journal.exists() else []

    @property
    def count(self) -> int:
        return self.journal.read_bytes().count(b"\n") if self.journal.exists() else 0

    @property
    def cost(self) -> float:
        return sum(entry.cost for entry in self.entries)


Serve = Callable[..., Served]


@dataclass
class Program:
    """Runs the command line in a folder of its own."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str, prefix: tuple[str, ...] = (), **options: Any) -> subprocess.Popen[str]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "planner", *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
            **{**streams, **options},
        )
        self.started.append(process)
        return process

    def run(self, *words: str, code: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=600)
        assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def invoke(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it in this process, which saves the start of another: for calls that no test kills."""
        with chdir(self.folder):
            done = CliRunner().invoke(cli, words, prog_name="ablation-planner")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == code, f"exit code {done.exit_code}\n{done.output}"
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    def status(self, run: str = "run", *more: str) -> Any:
        return json.loads(self.invoke("status", run, "--json", *more).stdout)

    def kill_all(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


def wait_until(
    condition: Callable[[], bool], process: subprocess.Popen[str] | None = None, max_wait: float = MAX_WAIT
) -> None:
    """Wait for a condition; fail if the process ends first, or after `max_wait` seconds."""
    end = time.monotonic() + max_wait
    while not condition():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the program ended too early: {process.communicate()}")
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def fill_disk(process: subprocess.Popen[str]) -> None:
    """Let a program write no byte past the first 20,000 of any file, as on a disk that is all but full."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (ROOM, ROOM))


def make_papers(folder: Path, count: int, words: int = 150) -> Path:
    """Write `count` small papers, each with another text."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        body = " ".join(f"gate{number} bounds the residual of layer {n}" for n in range(words // 7))
        text = (
            f"# Paper {number}\n\n## Abstract\n\nWe gate {number}.\n\n## Method\n\n{body}\n\n## Experiments\n\n{body}\n"
        )
        (folder / f"paper{number:04}.md").write_text(text, encoding="utf-8")
    return folder


def trajectories(run: Path) -> dict[str, bytes]:
    """Every trajectory of a run, by its path."""
    root = run / "trajectories"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.md"))}
