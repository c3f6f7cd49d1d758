"""Names that every file system can hold, and files that are whole or not there."""

import re
import stat
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eval.plans import find_files
from planner.files import write_file_atomically
from planner.names import build_record_path, build_trajectory_path, sanitize_file_name


def test_the_published_layout() -> None:
    path = build_trajectory_path("lm-planner", "claude-3.5-sonnet", "A_Paper")
    assert path == PurePosixPath("lm-planner/claude-35-sonnet/A_Paper.md")
    assert build_record_path(path) == PurePosixPath("lm-planner/claude-35-sonnet/A_Paper.json")
    assert build_record_path(build_trajectory_path("p", "m", "1706.03762")).name == "1706.03762.json"
    assert build_trajectory_path("p", "meta/llama-3.1", "x").parts == ("p", "meta_llama-31", "x.md")


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("..", "_"),
        ("", "_"),
        ("../../etc/passwd", "___.._etc_passwd"),
        (".git", "_git"),
        ("a:b*c?", "a_b_c_"),
        ("CON", "CON_"),
        ("nul.tar", "nul_.tar"),
        ("console", "console"),
        ("ends. .", "ends"),
        ("Grönland", "Grönland"),
        ("o\u0308", "ö"),
    ],
)
def test_a_segment_is_safe(text: str, segment: str) -> None:
    assert sanitize_file_name(text) == segment


@given(st.text(st.characters(exclude_categories=())))
@example("é" * 200)
@example("con")
@example("com1 .x")
def test_any_segment_is_one_name_on_any_system(text: str) -> None:
    segment = sanitize_file_name(text)
    assert 0 < len(segment.encode("utf-8")) <= 245
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', segment)
    assert segment[0] not in ". "
    assert segment[-1] not in ". "
    assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)\s*(\..*)?", segment)
    assert sanitize_file_name(segment) == segment


def test_long_names_stay_apart() -> None:
    assert sanitize_file_name("x" * 300 + "a") != sanitize_file_name("x" * 300 + "b")


@pytest.mark.parametrize("content", ["näive\n", b"\x00\xff"])
def test_a_file_is_written_whole(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "new" / ("n" * 252 + ".md")
    write_file_atomically(path, "old")
    write_file_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(path.parent.iterdir()) == [path]


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_file_atomically(tmp_path / "file", "")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("kept", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    write_file_atomically(tmp_path / "link", "new")
    assert (tmp_path / "outside").read_text(encoding="utf-8") == "kept"
    assert not (tmp_path / "link").is_symlink()


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_file_atomically(tmp_path / "folder", "text")
    with pytest.raises(UnicodeEncodeError):
        write_file_atomically(tmp_path / "file", "\ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_plan_is_found_before_those_of_other_questions(tmp_path: Path) -> None:
    for name in ("b.md", "a--reviewer-7-0123abcd.md", "a.md"):
        (tmp_path / name).touch()
    assert [path.name for path in find_files(tmp_path, ".md")] == ["a.md", "a--reviewer-7-0123abcd.md", "b.md"]
