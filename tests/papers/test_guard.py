"""Readers in a process under limits."""

import sys
import time
from pathlib import Path

import pytest

from planner.errors import PaperError
from planner.papers.guard import Limits, guarded
from planner.papers.load import load
from planner.papers.read import Source, read
from tests.papers.build import BODY, MAIN, gzipped, latex_paper, tarred, tree

HEAVY = "\\documentclass{article}\\begin{document}\\section{A}" + "\\ours{} $x_{1}$ {a} % c\n" * 700_000


def test_a_guarded_reader_finds_what_the_bare_one_finds(tmp_path: Path) -> None:
    source = Source(str(latex_paper(tmp_path)))
    assert guarded()(source) == read(source)
    packed = Source("x.tar.gz", tarred({"main.tex": MAIN.encode(), "sections/intro.tex": BODY.encode()}))
    assert guarded()(packed) == read(packed)


def test_errors_come_through_as_they_are(tmp_path: Path) -> None:
    tree(tmp_path, {"README.md": "x"})
    with pytest.raises(PaperError, match="holds no paper"):
        load(str(tmp_path), reader=guarded())
    with pytest.raises(PaperError, match="no file or folder"):
        load(str(tmp_path / "nothing"), reader=guarded())


def test_what_takes_too_long_is_stopped_and_named() -> None:
    started = time.monotonic()
    with pytest.raises(PaperError, match=r"'slow\.tex' took over 0\.5 seconds"):
        guarded(Limits(seconds=0.5))(Source("slow.tex", HEAVY.encode()))
    assert time.monotonic() - started < 8


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_what_takes_too_much_memory_is_stopped_and_named() -> None:
    with pytest.raises(PaperError, match=r"needs over 0\.3 GB"):
        guarded(Limits(seconds=60, memory=300_000_000))(Source("big.tex", HEAVY.encode()))


def test_a_module_in_the_users_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(
        tmp_path, {"tarfile.py": "raise SystemExit('imported')", "planner/__init__.py": "raise SystemExit('imported')"}
    )
    monkeypatch.chdir(tmp_path)
    assert guarded()(Source("x.gz", gzipped(MAIN.encode()))).reading.title.startswith("Gearbox")
