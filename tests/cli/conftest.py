"""The command line as a user has it: a folder of one's own, a paper in it, and no key."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli import cli
from tests.conftest import ROOT

DEMO = ROOT / "planner" / "demo" / "paper.md"
Run = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with `paper.md` in it."""
    folder = tmp_path / "work_folder"
    folder.mkdir()
    (folder / "paper.md").write_bytes(DEMO.read_bytes())
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(work_folder: Path) -> Run:
    """Run the program in this process, in the working folder."""

    def invoke(*words: str, stdin: str | bytes | None = None, env: Mapping[str, str] | None = None) -> Result:
        result = CliRunner().invoke(cli, words, input=stdin, env=env, prog_name="ablation-planner")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def start(work_folder: Path) -> Start:
    """Start the program as a process of its own, in the working folder."""

    def popen(*words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "planner", *words],
            cwd=work_folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return popen
