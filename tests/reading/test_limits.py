"""Papers that need too much: each is one named failure, the same in every command."""

import json
import sys
import time
from functools import partialmethod
from pathlib import Path

import pytest

from planner.errors import PaperError
from planner.reading.process import IsolatedReader
from planner.reading.request import ReadLimits, ReadRequest
from tests.cli.conftest import Run, run, work_folder
from tests.papers.build import MAIN
from tests.reading.build import CRASHING, read_all, read_misbehaving

__all__ = ["run", "work_folder"]

HEAVY = "\\documentclass{article}\\begin{document}\\section{A}" + "\\ours{} $x_{1}$ {a} % c\n" * 700_000
needs_memory_limit = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")


def read_heavy(folder: Path, limits: ReadLimits) -> str:
    (folder / "heavy.tex").write_text(HEAVY, encoding="utf-8")
    (result,) = read_all(ReadRequest(str(folder / "heavy.tex")), limits=limits)
    assert isinstance(result, PaperError)
    return str(result)


def test_a_paper_that_takes_too_long_is_stopped_and_named(tmp_path: Path) -> None:
    started = time.monotonic()
    assert "heavy.tex' took over 0.5 seconds to read" in read_heavy(tmp_path, ReadLimits(seconds=0.5))
    assert time.monotonic() - started < 8


@needs_memory_limit
def test_a_paper_that_needs_too_much_memory_is_stopped_and_named(tmp_path: Path) -> None:
    limits = ReadLimits(seconds=60, cpu_seconds=60, memory_bytes=300_000_000)
    assert "heavy.tex' needs over 0.3 GB of memory" in read_heavy(tmp_path, limits)


@needs_memory_limit
def test_a_paper_that_needs_too_much_cpu_is_stopped_and_named() -> None:
    limits = ReadLimits(seconds=30, cpu_seconds=1)
    assert "'spin' took over 30 seconds" in read_misbehaving("spin", limits=limits)[0]
    assert read_misbehaving("a", "b", limits=limits) == ["", ""]


def test_a_reader_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "'write' crashed the process that read it" in read_misbehaving("write")[0]
    assert not (tmp_path / "written").read_bytes()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("crash", "'crash' crashed the process that read it (exit code -11)"),
        ("exit", "'exit' crashed the process that read it (exit code 3)"),
        ("bug", "'bug' crashed the process that read it (exit code 1: KeyError: 'of the reader')"),
        ("huge", "'huge' needs over 1.0 GB of memory"),
        ("deep", "'deep' is nested too deeply"),
        ("hang", "'hang' took over 2 seconds"),
        ("bad", "bad: no text"),
    ],
)
def test_plan_and_batch_give_the_same_reason(
    source: str, reason: str, run: Run, work_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work_folder / source).write_text(MAIN, encoding="utf-8")
    made = partialmethod(IsolatedReader.__init__, limits=ReadLimits(seconds=2.0), command=CRASHING)
    monkeypatch.setattr(IsolatedReader, "__init__", made)
    run("plan", source, "-o", "planned", "--model", "extractive")
    run("batch", source, "-o", "run", "--model", "extractive", "-q")
    reasons = [
        json.loads(record.read_text(encoding="utf-8"))["reason"]
        for folder in ("planned", "run/trajectories")
        for record in (work_folder / folder).rglob("*.json")
    ]
    assert len(reasons) == 2
    assert reasons[0] == reasons[1]
    assert reason in reasons[0]
