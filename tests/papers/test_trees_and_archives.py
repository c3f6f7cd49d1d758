"""Names within a paper's root, kinds of bytes, and what archives may hold; every cap is met from both sides."""

import bz2
import io
import lzma
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import PaperError
from planner.papers import archive as archiving
from planner.papers.archive import decompress_file, read_archive
from planner.papers.sources import (
    FileFormat,
    SourceTree,
    build_source_tree,
    describe_unsupported_type,
    detect_file_format,
    detect_text_format,
    normalize_inner_path_or_empty,
    read_source_file,
)
from tests.papers.build import gzipped, special, tarred, tree, zipped

PATHS = {
    "a.tex": "a.tex",
    "./a.tex": "a.tex",
    "x/../a.tex": "a.tex",
    "x//a.tex": "x/a.tex",
    "x\\a.tex": "x/a.tex",
    "x/./y/a.tex": "x/y/a.tex",
    "...tex": "...tex",
    "/a.tex": "",
    "\\a.tex": "",
    "../a.tex": "",
    "x/../../a.tex": "",
    "..\\a.tex": "",
    "C:/a.tex": "",
    "c:\\a.tex": "",
    "..": "",
    ".": "",
    "": "",
    "a\0.tex": "",
}


@pytest.mark.parametrize(("path", "name"), PATHS.items(), ids=map(repr, PATHS))
def test_a_path_is_a_name_within_the_root_or_none(path: str, name: str) -> None:
    assert normalize_inner_path_or_empty(path) == name


@given(st.text(alphabet="ab./\\:\0", max_size=20))
def test_a_name_within_the_root_never_leads_out(path: str) -> None:
    name = normalize_inner_path_or_empty(path)
    assert not name.startswith("/")
    assert ".." not in name.split("/")
    assert normalize_inner_path_or_empty(name) == name


FILES = SourceTree("t", {name: name.encode for name in ("A.tex", "x/a.tex", "x/B.TEX", "y/a.tex")})


@pytest.mark.parametrize(
    ("path", "folders", "name"),
    [
        ("a.tex", ("x", "y"), "x/a.tex"),
        ("a.tex", ("z", "y"), "y/a.tex"),
        ("a.tex", ("",), "A.tex"),
        ("A.tex", ("",), "A.tex"),
        ("b.tex", ("x",), "x/B.TEX"),
        ("../A.tex", ("x",), "A.tex"),
        ("../../A.tex", ("x",), ""),
        ("/A.tex", ("",), ""),
        ("a.tex", (), ""),
    ],
)
def test_a_file_is_found_from_the_first_folder_that_has_it(path: str, folders: tuple[str, ...], name: str) -> None:
    assert FILES.find_file(path, *folders) == name


def test_names_are_told_by_their_endings_in_any_case() -> None:
    assert FILES.list_paths(".tex") == ("A.tex", "x/a.tex", "x/B.TEX", "y/a.tex")
    assert FILES.list_paths(".md") == ()
    assert FILES.read_bytes("x/a.tex") == b"x/a.tex"


def test_a_folder_is_read_without_what_belongs_to_tools(tmp_path: Path) -> None:
    of_tools = {".git/x.tex": "", "__MACOSX/a.tex": "", ".hidden.tex": ""}
    tree(tmp_path, {"b.tex": "b", "a.tex": "a", "s/c.tex": "", **of_tools})
    assert build_source_tree(tmp_path).list_paths() == ("a.tex", "b.tex", "s/c.tex")


def test_a_link_is_followed_only_to_what_lies_in_the_folder(tmp_path: Path) -> None:
    root = tree(tmp_path / "paper", {"a.tex": "a"})
    (tmp_path / "secret.tex").write_text("secret", encoding="utf-8")
    (root / "out.tex").symlink_to(tmp_path / "secret.tex")
    (root / "in.tex").symlink_to(root / "a.tex")
    (root / "broken.tex").symlink_to(root / "nothing.tex")
    assert build_source_tree(root).list_paths() == ("a.tex", "in.tex")


def test_a_file_that_is_too_large_or_gone_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "a.tex"
    file.write_bytes(b"12345")
    assert read_source_file(file, 5) == b"12345"
    with pytest.raises(PaperError, match="has over 4 bytes, more than any paper; give only the paper"):
        read_source_file(file, 4)
    file.unlink()
    with pytest.raises(PaperError, match=r"a\.tex' cannot be read: No such file"):
        read_source_file(file)


FOREIGN = {
    "a PNG image": b"\x89PNG\r\n\x1a\n",
    "a JPEG image": b"\xff\xd8\xff\xe0",
    "a GIF image": b"GIF89a",
    "PostScript": b"%!PS-Adobe-3.0\n",
    "an old Word document": b"\xd0\xcf\x11\xe0\xa1",
    "an RTF document": b"{\\rtf1",
    "a 7z archive": b"7z\xbc\xaf\x27\x1c",
    "a RAR archive": b"Rar!\x1a",
    "a zstd file": b"\x28\xb5\x2f\xfd",
    "a DjVu document": b"AT&TFORM",
    "a program": b"\x7fELF",
    "a database": b"SQLite format 3\x00",
}


@pytest.mark.parametrize(("name", "data"), FOREIGN.items(), ids=FOREIGN.keys())
def test_what_no_loader_reads_is_called_by_its_name(name: str, data: bytes) -> None:
    assert describe_unsupported_type(data) == name
    assert detect_file_format(data, "paper.tex") is FileFormat.OTHER


KINDS = {
    "a class": ("\\documentclass{article}\n", "", FileFormat.LATEX),
    "an old class": ("\\documentstyle{article}\n\\begin{document}", "", FileFormat.LATEX),
    "a fragment with two headings": ("\\section{A}\n\\subsection{B}\n", "", FileFormat.LATEX),
    "a class that is commented out": ("% \\documentclass{a}\nwords", "", FileFormat.TEXT),
    "a class in a sentence of Markdown": ("# A\n\n## B\n\nUse `\\documentclass{a}`.", "a.md", FileFormat.MARKDOWN),
    "one heading": ("# A\nwords", "", FileFormat.TEXT),
    "two headings": ("# A\n\nwords\n\n## B\n", "", FileFormat.MARKDOWN),
    "a pipe table": ("| a | b |\n|---|---|\n| 1 | 2 |", "", FileFormat.MARKDOWN),
    "tags without a page": ("<p>a</p>" * 5, "", FileFormat.HTML),
    "tags in a text file": ("<p>a</p>" * 5, "a.txt", FileFormat.TEXT),
    "a page called text": ("<!DOCTYPE html><p>a", "a.txt", FileFormat.HTML),
    "a page with an XML head": ("<?xml version='1.0'?>\n<html>", "", FileFormat.HTML),
    "by its ending": ("words", "a.TEX", FileFormat.LATEX),
    "Quarto": ("words", "a.qmd", FileFormat.MARKDOWN),
    "xhtml": ("words", "a.xhtml", FileFormat.HTML),
}


@pytest.mark.parametrize(("text", "name", "kind"), KINDS.values(), ids=KINDS.keys())
def test_markup_is_told_by_the_text_and_then_by_the_ending(text: str, name: str, kind: FileFormat) -> None:
    assert detect_text_format(text, name) is kind


@given(st.binary(max_size=300), st.sampled_from(["", "a.tex", "a.pdf", "a.zip"]))
def test_any_bytes_are_of_some_kind(data: bytes, name: str) -> None:
    kind = detect_file_format(data, name)
    assert (kind is FileFormat.EMPTY) == (not data.strip(b"\x00\t\n\r \x0c\xef\xbb\xbf"))


def unpacked(data: bytes, kind: FileFormat) -> SourceTree:
    tree = read_archive(data, kind, "x")
    assert tree is not None
    return tree


Pack = Callable[[dict[str, bytes]], bytes]
NAMES = st.from_regex(r"[a-z]{1,8}/?[a-z]{1,8}\.tex", fullmatch=True)
PACKINGS: dict[str, tuple[Pack, FileFormat]] = {
    "zip": (zipped, FileFormat.ZIP),
    "tar": (partial(tarred, packing=""), FileFormat.TAR),
    "tar.gz": (tarred, FileFormat.GZIP),
    "tar.bz2": (partial(tarred, packing="bz2"), FileFormat.BZIP2),
    "tar.xz": (partial(tarred, packing="xz"), FileFormat.XZ),
}


@pytest.mark.parametrize(("pack", "kind"), PACKINGS.values(), ids=PACKINGS.keys())
@given(files=st.dictionaries(NAMES, st.binary(max_size=50), min_size=1, max_size=5))
def test_what_is_packed_comes_out(pack: Pack, kind: FileFormat, files: dict[str, bytes]) -> None:
    found = unpacked(pack(files), kind)
    assert {name: found.read_bytes(name) for name in found.list_paths()} == files
    assert found.warnings == ()


@pytest.mark.parametrize(("pack", "kind"), PACKINGS.values(), ids=PACKINGS.keys())
def test_an_archive_that_begins_with_a_picture_in_pdf_is_an_archive(pack: Pack, kind: FileFormat) -> None:
    data = pack({"figure.pdf": b"%PDF-1.5 a gear", "main.tex": b"\\section{A}"})
    assert detect_file_format(data) is kind
    assert unpacked(data, kind).list_paths() == ("figure.pdf", "main.tex")


SKIPPED = {
    "up": ("../a.tex", "'../a.tex' in the archive was not read: its path leads out of the archive"),
    "absolute": ("/a.tex", "'/a.tex' in the archive was not read: its path leads out of the archive"),
    "deep": ("d/" * 21 + "a.tex", f"{'d/' * 21 + 'a.tex'!r} in the archive was not read: it is nested too deeply"),
    "an archive": ("more.ZIP", "'more.ZIP' is an archive inside the archive and was not read"),
}


@pytest.mark.parametrize(("pack", "kind"), PACKINGS.values(), ids=PACKINGS.keys())
@pytest.mark.parametrize(("member", "said"), SKIPPED.values(), ids=SKIPPED.keys())
def test_a_member_that_is_not_read_is_named(pack: Pack, kind: FileFormat, member: str, said: str) -> None:
    found = unpacked(pack({"ok.tex": b"ok", member: b"no"}), kind)
    assert (found.list_paths(), found.warnings) == (("ok.tex",), (said,))


def test_as_deep_as_allowed_is_read() -> None:
    assert unpacked(zipped({"d/" * archiving.MAX_DEPTH + "a.tex": b"a"}), FileFormat.ZIP).list_paths()


@pytest.mark.parametrize("name", ["figure.png", "data.csv", ".DS_Store", "__MACOSX/a.tex", ".git/config"])
def test_what_no_loader_reads_is_not_kept(name: str) -> None:
    assert unpacked(zipped({name: b"x", "a.tex": b"a"}), FileFormat.ZIP).list_paths() == ("a.tex",)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_only_plain_files_are_read(kind: bytes) -> None:
    found = unpacked(tarred({"a.tex": b"a"}, extra=(special("b.tex", kind, "a.tex"),)), FileFormat.GZIP)
    assert found.list_paths() == ("a.tex",)
    assert found.warnings == ("'b.tex' in the archive was not read: it is a link or a device",)


def test_a_name_that_stands_twice_is_read_once() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for data in (b"one", b"two!"):
            member = tarfile.TarInfo("a.tex")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    found = unpacked(out.getvalue(), FileFormat.TAR)
    assert found.read_bytes("a.tex") == b"one"
    assert found.warnings == ("'a.tex' occurs twice in the archive; the first was read",)


@pytest.mark.parametrize(
    ("cap", "value", "files", "fits"),
    [
        ("MAX_MEMBERS", 2, {"a.tex": b"", "b.tex": b""}, True),
        ("MAX_MEMBERS", 1, {"a.tex": b"", "b.tex": b""}, False),
        ("MAX_KEPT_BYTES", 4, {"a.tex": b"ab", "b.tex": b"cd"}, True),
        ("MAX_KEPT_BYTES", 3, {"a.tex": b"ab", "b.tex": b"cd"}, False),
        ("MAX_UNPACKED_BYTES", 4, {"a.tex": b"ab", "b.png": b"cd"}, True),
        ("MAX_UNPACKED_BYTES", 3, {"a.tex": b"ab", "b.png": b"cd"}, False),
    ],
)
@pytest.mark.parametrize(("pack", "kind"), list(PACKINGS.values())[:2], ids=list(PACKINGS)[:2])
def test_each_cap_holds_exactly(
    monkeypatch: pytest.MonkeyPatch,
    pack: Pack,
    kind: FileFormat,
    cap: str,
    value: int,
    files: dict[str, bytes],
    fits: bool,
) -> None:
    monkeypatch.setattr(archiving, cap, value)
    if fits:
        assert unpacked(pack(files), kind).list_paths()
        return
    with pytest.raises(
        PaperError, match=r"the archive 'x' (?:has over 1 members|unpacks to more bytes than any paper has)"
    ):
        read_archive(pack(files), kind, "x")


SINGLE = {FileFormat.GZIP: gzipped, FileFormat.BZIP2: bz2.compress, FileFormat.XZ: lzma.compress}


@pytest.mark.parametrize(("kind", "pack"), SINGLE.items(), ids=SINGLE)
def test_a_single_packed_file_gives_its_bytes_and_is_metered(
    monkeypatch: pytest.MonkeyPatch, kind: FileFormat, pack: Callable[[bytes], bytes]
) -> None:
    data = pack(b"a" * 1000)
    assert detect_file_format(data) is kind
    assert read_archive(data, kind, "x") is None
    assert decompress_file(data, kind, "x") == b"a" * 1000
    monkeypatch.setattr(archiving, "MAX_UNPACKED_BYTES", 999)
    with pytest.raises(PaperError, match="unpacks to more"):
        decompress_file(data, kind, "x")


def test_an_xz_file_that_asks_for_much_memory_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2 * archiving.MAX_XZ_MEMORY}]
    with pytest.raises(PaperError, match=r"'x' is damaged or incomplete \(Memory usage limit exceeded\)"):
        read_archive(lzma.compress(b"a" * 1000, filters=filters), FileFormat.XZ, "x")


@pytest.mark.parametrize(("pack", "kind"), PACKINGS.values(), ids=PACKINGS.keys())
@given(data=st.data())
def test_a_damaged_archive_is_read_or_a_named_error(pack: Pack, kind: FileFormat, data: st.DataObject) -> None:
    whole = bytearray(pack({"a.tex": b"\\section{A}" * 20, "b/c.tex": b"words"}))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=5)):
        whole[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        if read_archive(bytes(whole[:cut]), kind, "x") is None:
            decompress_file(bytes(whole[:cut]), kind, "x")
    except PaperError as error:
        assert "'x'" in str(error)


def test_a_member_without_a_name_is_left_out() -> None:
    data = zipped({"a.tex": b"text", "~": b"x"}).replace(b"~", b"\0")
    assert unpacked(data, FileFormat.ZIP).list_paths() == ("a.tex",)
