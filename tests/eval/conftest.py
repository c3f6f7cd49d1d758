"""The commands as a user has them: a working folder, and `python -m eval` in it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eval.__main__ import main
from tests.conftest import ROOT

Run = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(workdir: Path) -> Run:
    """Run a command in this process, in the working folder."""

    def invoke(*words: object, env: dict[str, str] | None = None) -> Result:
        result = CliRunner().invoke(main, list(map(str, words)), env=env, prog_name="python -m eval")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture
def start(workdir: Path) -> Start:
    """Start a command as a process of its own, in the working folder."""

    def popen(*words: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "eval", *map(str, words)],
            cwd=workdir,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return popen
