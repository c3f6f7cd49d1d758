"""Readers in a process under limits."""

import sys
import time
from pathlib import Path

import pytest
from planner.papers.guard import ReadLimits, build_isolated_reader

from planner.errors import PaperError
from planner.papers.load import PaperSource, load_paper, read_source
from tests.papers.build import BODY, MAIN, gzipped, latex_paper, tarred, tree

HEAVY = "\\documentclass{article}\\begin{document}\\section{A}" + "\\ours{} $x_{1}$ {a} % c\n" * 700_000


def test_a_guarded_reader_finds_what_the_bare_one_finds(tmp_path: Path) -> None:
    source = PaperSource(str(latex_paper(tmp_path)))
    assert build_isolated_reader()(source) == read_source(source)
    packed = PaperSource("x.tar.gz", tarred({"main.tex": MAIN.encode(), "sections/intro.tex": BODY.encode()}))
    assert build_isolated_reader()(packed) == read_source(packed)


def test_errors_come_through_as_they_are(tmp_path: Path) -> None:
    tree(tmp_path, {"README.md": "x"})
    with pytest.raises(PaperError, match="holds no paper"):
        load_paper(str(tmp_path), reader=build_isolated_reader())
    with pytest.raises(PaperError, match="no file or folder"):
        load_paper(str(tmp_path / "nothing"), reader=build_isolated_reader())


def test_what_takes_too_long_is_stopped_and_named() -> None:
    started = time.monotonic()
    with pytest.raises(PaperError, match=r"'slow\.tex' took over 0\.5 seconds"):
        build_isolated_reader(ReadLimits(seconds=0.5))(PaperSource("slow.tex", HEAVY.encode()))
    assert time.monotonic() - started < 8


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_what_takes_too_much_memory_is_stopped_and_named() -> None:
    with pytest.raises(PaperError, match=r"needs over 0\.3 GB"):
        build_isolated_reader(ReadLimits(seconds=60, memory=300_000_000))(PaperSource("big.tex", HEAVY.encode()))


def test_a_module_in_the_users_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(
        tmp_path, {"tarfile.py": "raise SystemExit('imported')", "planner/__init__.py": "raise SystemExit('imported')"}
    )
    monkeypatch.chdir(tmp_path)
    assert build_isolated_reader()(PaperSource("x.gz", gzipped(MAIN.encode()))).paper.title.startswith("Gearbox")
