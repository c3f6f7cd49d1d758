"""Names that somebody chose to break out, to collide, or to be refused: each becomes one name in one folder."""

import ntpath
import posixpath
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planner.files import write_file_atomically
from planner.names import (
    MAX_FILE_NAME_BYTES,
    build_paper_id,
    build_record_path,
    build_trajectory_path,
    sanitize_file_name,
)
from planner.papers.sources import strip_folders_and_endings

DEVICES = (
    *("con", "prn", "aux", "nul", "conin$", "conout$"),
    *(f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"),
)
ANY_TEXT = st.text(st.characters(exclude_categories=()))
HOSTILE = st.one_of(
    ANY_TEXT,
    st.lists(st.sampled_from(["..", ".", "/", "\\", ":", "C:", "~", "con", ".md", " ", "\0", "x", "\u202e", "é"])).map(
        "".join
    ),
)


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("shape", ["{}", "{}.tar.gz", "{} ", "{} .md", ".{}", "{}."])
def test_no_device_of_windows_is_named(name: str, shape: str) -> None:
    for spelled in (name, name.upper(), name.title()):
        for segment in (sanitize_file_name(shape.format(spelled)), f"{sanitize_file_name(shape.format(spelled))}.md"):
            assert not _is_reserved(segment), segment


def _is_reserved(name: str) -> bool:
    """As Windows has it: whatever follows the first dot, and blanks before it, do not count."""
    return name.partition(".")[0].rstrip(" ").casefold() in DEVICES


@pytest.mark.parametrize("name", ["console", "auxiliary", "com", "com10", "lpt", "nullity", "prnt", "com1x"])
def test_what_only_begins_like_a_device_keeps_its_name(name: str) -> None:
    assert sanitize_file_name(name) == name


@given(HOSTILE)
@example("CON.")
@example("a" * 239 + "é")
@example("\u0344")
def test_every_text_is_one_name_on_every_system(text: str) -> None:
    segment = sanitize_file_name(text)
    assert PurePosixPath(segment).parts == (segment,)
    windows = PureWindowsPath(segment)
    assert (windows.parts, windows.drive, windows.root) == ((segment,), "", "")
    assert segment not in (".", "..")
    assert not _is_reserved(segment)
    assert len(segment.encode("utf-8")) <= MAX_FILE_NAME_BYTES + len("_")
    assert segment == unicodedata.normalize("NFC", segment)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_a_path_has_three_parts_and_stays_below_its_folder(planner: str, model: str, paper: str) -> None:
    path = build_trajectory_path(planner, model, paper)
    assert len(path.parts) == 3
    assert not path.is_absolute()
    for flavour in (posixpath, ntpath):
        joined = flavour.normpath(flavour.join("root", str(path)))
        assert joined.startswith(f"root{flavour.sep}")
        assert joined.count(flavour.sep) == 3
    beside = build_record_path(path)
    assert beside.parent == path.parent
    assert (path.suffix, beside.suffix) == (".md", ".json")
    assert len(path.name.encode()) <= 255
    assert len(beside.name.encode()) <= 255


@given(HOSTILE)
def test_the_same_name_gives_the_same_path_and_a_safe_one_is_left_alone(text: str) -> None:
    segment = sanitize_file_name(text)
    assert sanitize_file_name(text) == segment
    assert sanitize_file_name(segment) == segment
    decomposed = unicodedata.normalize("NFD", text)
    assert sanitize_file_name(decomposed) == segment, "macOS decomposes names; the paper is the same"


@given(st.text(st.characters(categories=["Ll", "Nd"]), min_size=1, max_size=30))
def test_plain_names_stay_as_they_are(text: str) -> None:
    plain = unicodedata.normalize("NFC", text)
    assert sanitize_file_name(plain) == (f"{plain}_" if plain in DEVICES else plain)


@given(st.text("ab", min_size=MAX_FILE_NAME_BYTES + 1, max_size=300), st.text("ab", min_size=MAX_FILE_NAME_BYTES + 1))
def test_long_names_are_told_apart(first: str, second: str) -> None:
    assert (sanitize_file_name(first) == sanitize_file_name(second)) == (first == second)


@given(HOSTILE)
@example("..")
@example("x" * 500)
def test_a_file_can_be_written_under_every_name(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "every name"
    path = folder / build_trajectory_path(text, text, text)
    write_file_atomically(path, "text", durable=False)
    assert path.read_text(encoding="utf-8") == "text"
    assert path.resolve().relative_to(folder.resolve()).parts == tuple(path.relative_to(folder).parts)


@given(HOSTILE)
@example("a/b")
@example("con")
def test_a_given_id_is_a_name_that_a_path_takes_as_it_is(text: str) -> None:
    """The id that the user reads is then the name on the disk."""
    identifier = build_paper_id("A Title", given_id=text)
    assert identifier
    assert build_paper_id("", given_id=identifier) == identifier
    assert sanitize_file_name(identifier) == identifier
    assert len(identifier.encode("utf-8")) <= 200


@given(ANY_TEXT, ANY_TEXT)
def test_every_title_or_file_gives_an_id(title: str, name: str) -> None:
    identifier = build_paper_id(title, file_stem=strip_folders_and_endings(name))
    assert 0 < len(identifier.encode("utf-8")) <= 120 + len("_")
    assert build_paper_id(title, file_stem=strip_folders_and_endings(name)) == identifier
    assert not set(identifier) & set('<>:"/\\|?*. ')


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("x/2507.08038v2.tar.gz", "2507.08038v2"),
        ("C:\\papers\\one.pdf", "one"),
        ("folder/", "folder"),
        ("paper.tex.gz", "paper"),
        (".md", ".md"),
        ("UPPER.PDF", "UPPER"),
        ("no ending", "no ending"),
        ("a.pdf.md", "a"),
    ],
)
def test_the_stem_of_a_source(name: str, stem: str) -> None:
    assert strip_folders_and_endings(name) == stem


def test_a_link_to_a_folder_elsewhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.md").write_text("theirs", encoding="utf-8")
    path = tmp_path / "out" / build_trajectory_path("p", "m", "paper")
    path.parent.mkdir(parents=True)
    for target in (tmp_path / "elsewhere.md", tmp_path / "nothing there", Path("paper.md")):
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        write_file_atomically(path, "ours")
        assert not path.is_symlink()
        assert path.read_text(encoding="utf-8") == "ours"
    assert (tmp_path / "elsewhere.md").read_text(encoding="utf-8") == "theirs"
    assert not (tmp_path / "nothing there").exists()
