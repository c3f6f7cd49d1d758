"""Links within a paper's folder: followed inside it, never out of it, and never in circles."""

from pathlib import Path

import pytest

from planner.papers.load import load_paper
from planner.papers.sources import build_source_tree

BODY = "Every word of this paper is invented for the test at hand. " * 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "paper"
    folder.mkdir()
    main = f"\\documentclass{{article}}\\title{{T}}\\begin{{document}}{BODY}\\input{{more}}\\end{{document}}"
    (folder / "main.tex").write_text(main, encoding="utf-8")
    return folder


def test_a_link_inside_is_a_file_of_the_paper(folder: Path) -> None:
    (folder / "kept.tex").write_text("What the link leads to.", encoding="utf-8")
    (folder / "more.tex").symlink_to("kept.tex")
    assert "What the link leads to." in load_paper(str(folder)).text


@pytest.mark.parametrize("target", ["more.tex", "nothing.tex", "../secret.tex", "/etc/hostname", "..", "."])
def test_any_other_link_is_no_file_and_spoils_nothing(folder: Path, target: str) -> None:
    (folder.parent / "secret.tex").write_text("A secret of the neighbour's.", encoding="utf-8")
    (folder / "more.tex").symlink_to(target)
    assert build_source_tree(folder).list_paths() == ("main.tex",)
    paper = load_paper(str(folder))
    assert "Every word" in paper.text
    assert "secret" not in paper.text
    assert any("more" in warning for warning in paper.warnings), "what could not be taken in is said"
