"""What tests of a whole run share: papers, the program and the provider as processes, and waiting for what they do."""

import json
import os
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

PATIENCE = 60.0  # seconds until what is waited for is taken for lost


@dataclass(frozen=True)
class Served:
    """A provider: where it is, and what it was asked."""

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

    def start(self, *words: str, prefix: tuple[str, ...] = (), **how: Any) -> subprocess.Popen[str]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "planner", *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
            **{**streams, **how},
        )
        self.started.append(process)
        return process

    def run(self, *words: str, code: int = 0, **how: Any) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **how)
        out, err = process.communicate(timeout=600)
        assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def here(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it in this process, which saves its start: for calls that nothing is to kill."""
        with chdir(self.folder):
            done = CliRunner().invoke(cli, words, prog_name="ablation-planner")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == code, f"exit code {done.exit_code}\n{done.output}"
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    def status(self, run: str = "run", *more: str) -> Any:
        return json.loads(self.here("status", run, "--json", *more).stdout)

    def end(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


def until(what: Callable[[], bool], process: subprocess.Popen[str] | None = None, patience: float = PATIENCE) -> None:
    """Wait for a condition; a process that ends meanwhile, or a minute without it, fails the test."""
    end = time.monotonic() + patience
    while not what():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the program ended before what was waited for: {process.communicate()}")
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def make_papers(folder: Path, count: int, words: int = 150) -> Path:
    """So many small papers, each with another text."""
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
