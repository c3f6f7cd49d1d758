"""`load` on small sources of every text kind, and its errors."""

from pathlib import Path

import pytest

from planner.errors import PaperError
from planner.papers.load import load_paper

BODY = "We study widgets and their friends in some depth. " * 15


def test_a_markdown_file_becomes_a_paper(tmp_path: Path) -> None:
    path = tmp_path / "widgets.md"
    path.write_text(
        f"# On Widgets: A Study\n\n## Abstract\n\nShort.\n\n## 1 Introduction\n\n{BODY}\n", encoding="utf-8"
    )
    paper = load_paper(str(path))
    assert (paper.id, paper.title, paper.abstract, paper.format) == (
        "widgets",
        "On Widgets: A Study",
        "Short.",
        "markdown",
    )
    assert [section.heading for section in paper.sections] == ["", "Abstract", "1 Introduction"]


def test_a_short_paper_in_chinese_is_long_enough(tmp_path: Path) -> None:
    path = tmp_path / "p.md"
    path.write_text("# 蜜蜂如何找到花朵\n\n## 方法\n\n" + "我们研究蜜蜂的记忆。" * 20, encoding="utf-8")
    assert load_paper(str(path)).title == "蜜蜂如何找到花朵"


def test_the_given_title_wins_and_a_disagreement_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "p.md"
    path.write_text(f"# Found Title Of It\n\n{BODY}", encoding="utf-8")
    paper = load_paper(str(path), title="Another One", paper_id="x/y")
    assert (paper.title, paper.id) == ("Another One", "x_y")
    assert any("Found Title Of It" in warning for warning in paper.warnings)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"  \n\n ", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG image"),
        (bytes(range(256)) * 10, "neither text nor a PDF"),
        (b"Too short to be a paper.", "a paper has at least 500"),
        (b"A line that is one of very many.\n" * 70_000, "over the limit of 2,000,000; give one paper"),
        (b"%!PS-Adobe-3.0\n", "PostScript"),
    ],
)
def test_what_is_no_paper_is_said_by_name(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "thing.txt"
    path.write_bytes(data)
    with pytest.raises(PaperError, match=said) as caught:
        load_paper(str(path))
    assert "thing.txt" in str(caught.value)


def test_a_missing_file_is_said_by_name() -> None:
    with pytest.raises(PaperError, match=r"no file or folder 'nowhere/x\.md'"):
        load_paper("nowhere/x.md")


def test_stdin_is_read_as_text_or_markup() -> None:
    paper = load_paper("-", stdin=f"My Own Title\n\nAbstract\n\nIt is short.\n\n1 Introduction\n\n{BODY}".encode())
    assert (paper.title, paper.abstract, paper.format) == ("My Own Title", "It is short.", "text")
