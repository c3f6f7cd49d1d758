"""Folders, archives and single files of every kind, read into the right paper."""

import bz2
import lzma
import tarfile
from pathlib import Path

import pytest

from planner.errors import PaperError
from planner.papers.archive import MAX_MEMBERS
from planner.papers.load import load_paper, read_paper_bytes
from planner.papers.sources import FileFormat, detect_file_format
from tests.papers.build import BODY, MAIN, gzipped, latex_paper, special, tarred, tree, zipped

LATEX = {"main.tex": MAIN.encode(), "sections/intro.tex": BODY.encode()}
TITLE = "Gearbox: Widgets with Exchangeable Gears"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (zipped(LATEX), "paper.zip"),
        (tarred(LATEX), "paper.tar.gz"),
        (tarred(LATEX), "2507.08038"),
        (tarred(LATEX, packing=""), "paper.tar"),
        (tarred(LATEX, packing="bz2"), "paper.tar.bz2"),
        (tarred(LATEX, packing="xz"), "paper.tar.xz"),
        (bz2.compress(MAIN.encode()), "main.tex.bz2"),
        (lzma.compress(MAIN.encode()), "main.tex.xz"),
        (gzipped(MAIN.encode()), "2507.08038.gz"),
        (MAIN.encode(), "main.tex"),
        (MAIN.encode(), "stdin"),
        (("%!TEX program = xelatex\n" + MAIN).encode(), "x"),
        (zipped({f"wrapped/deep/{name}": data for name, data in LATEX.items()}), "x.zip"),
    ],
)
def test_latex_is_read_in_every_packing(data: bytes, name: str) -> None:
    paper = read_paper_bytes(data, name)
    assert (paper.format, paper.title) == (FileFormat.LATEX, TITLE)


MARKDOWN = f"# On Gears and Such\n\n## Abstract\n\nShort.\n\n## Introduction\n\n{BODY}"
PAGE = f"<html><head><title>On Gears and Such</title></head><body><h1>On Gears and Such</h1><p>{BODY}</p></body></html>"


@pytest.mark.parametrize(
    ("files", "kind", "main"),
    [
        ({"paper.md": MARKDOWN, "README.md": "# Code", "LICENSE": "MIT"}, "markdown", "paper.md"),
        ({"index.html": PAGE, "demo/index.html": "<html><body>no</body></html>"}, "html", "index.html"),
        ({"draft.md": MARKDOWN, "draft_appendix.md": "## More\n\nx", "head.html": PAGE}, "markdown", "draft.md"),
        ({"full.txt": "On Gears and Such\n\nAbstract\n\nShort.\n\n" + BODY, "refs.bib": "@a{b}"}, "text", "full.txt"),
        (
            {"content/01.abstract.md": "## Abstract\n\nShort.", "content/10.z.md": "## End", "content/02.x.md": BODY}
            | {"content/metadata.yaml": "title: On Gears and Such"},
            "markdown",
            "content/01.abstract.md",
        ),
        ({"main.tex": MAIN.replace("Gearbox: \\\\ Widgets with \\emph{Exchangeable} Gears", "On Gears and Such"),
          "sections/intro.tex": BODY, "paper.pdf": "%PDF-1.5", "README.md": MARKDOWN}, "latex", "main.tex"),
    ],
)  # fmt: skip
def test_a_folder_is_the_paper_that_it_holds(
    tmp_path: Path, files: dict[str, str | bytes], kind: str, main: str
) -> None:
    paper = load_paper(str(tree(tmp_path, files)))
    assert (paper.format, paper.main_file, paper.title) == (kind, main, "On Gears and Such")


def test_numbered_files_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    parts = {"1.md": "Introduction", "2.md": "Method", "10.md": "Results", "11.md": "Conclusion"}
    tree(tmp_path, {name: f"## {heading}\n\n{BODY}" for name, heading in sorted(parts.items())})
    assert [s.heading for s in load_paper(str(tmp_path)).sections] == list(parts.values())


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no paper"),
        ({"README.md": BODY, "data.json": "{}"}, "holds no paper"),
        ({"a.pdf": "%PDF-1.5", "b.pdf": "%PDF-1.5"}, "several papers .*batch"),
        ({"a.md": MARKDOWN, "b.md": MARKDOWN}, "several papers"),
    ],
)
def test_a_folder_without_one_paper_is_said_so(tmp_path: Path, files: dict[str, str | bytes], said: str) -> None:
    with pytest.raises(PaperError, match=said):
        load_paper(str(tree(tmp_path, files)))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (zipped(LATEX)[:200], "damaged"),
        (tarred(LATEX)[:200], "damaged"),
        (gzipped(gzipped(MAIN.encode())), "another archive"),
        (gzipped(zipped(LATEX)), "another archive"),
        (zipped({"[Content_Types].xml": b"", "word/document.xml": b""}), "Office"),
        (gzipped(bytes(300_000_000)), "unpacks to more"),
        (zipped({"a.tex": bytes(60_000_000)}), "unpacks to more"),
        (zipped({f"f{i}.tex": b"x" for i in range(MAX_MEMBERS + 1)}), "members"),
        (tarred({f"f{i}.png": bytes(1_000_000) for i in range(100)}), "unpacks to more"),
        (zipped({"inner.zip": zipped(LATEX)}), "holds no paper"),
        (b"Rar!\x1a\x07" + bytes(50), "RAR"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_archives_that_are_no_papers_are_refused_by_name(data: bytes, said: str) -> None:
    with pytest.raises(PaperError, match=said) as caught:
        read_paper_bytes(data, "thing.zip")
    assert "thing.zip" in str(caught.value)


def test_links_devices_and_escaping_names_are_left_out_and_said() -> None:
    extra = (
        special("link.tex", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard.tex", tarfile.LNKTYPE, "main.tex"),
        special("dev.tex", tarfile.CHRTYPE),
    )
    paper = read_paper_bytes(tarred({**LATEX, "../evil.tex": b"E", "/abs.tex": b"A"}, extra=extra), "x.tar.gz")
    assert paper.title == TITLE
    for name in ("link.tex", "hard.tex", "dev.tex", "../evil.tex", "/abs.tex"):
        assert any(name in warning for warning in paper.warnings)


def test_an_encrypted_zip_is_said_so() -> None:
    data = bytearray(zipped(LATEX))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(mark) + place] |= 1
    with pytest.raises(PaperError, match="encrypted"):
        read_paper_bytes(bytes(data), "x.zip")


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"%PDF-1.7\n", "x.txt", FileFormat.PDF),
        (b"junk\n%PDF-1.7\n", "x", FileFormat.PDF),
        (b"<!DOCTYPE html><html>", "paper.pdf", FileFormat.HTML),
        (b"<!-- c --><html>", "x.md", FileFormat.HTML),
        (b"%!TEX root = a\n\\documentclass{a}", "x", FileFormat.LATEX),
        (b"%!PS-Adobe-3.0", "x.tex", FileFormat.OTHER),
        (b"\n \n", "x", FileFormat.EMPTY),
        (b"# A\n\n## B\n", "x", FileFormat.MARKDOWN),
        (b"Just words, nothing else.", "x.md", FileFormat.MARKDOWN),
        (b"Just words, nothing else.", "x", FileFormat.TEXT),
        (bytes(100), "x", FileFormat.EMPTY),
    ],
)
def test_the_kind_is_told_by_content_first(data: bytes, name: str, kind: FileFormat) -> None:
    assert detect_file_format(data, name) is kind


def test_text_files_of_several_kinds_are_one_paper(tmp_path: Path) -> None:
    files = {
        "main.md": MARKDOWN,
        "method.tex": "\\section{Method} % no\nHow $x$.",
        "results.txt": "Results\n\nGood: 81.2",
    }
    paper = load_paper(str(tree(tmp_path, files)))
    assert (paper.title, paper.abstract, paper.main_file) == ("On Gears and Such", "Short.", "main.md")
    assert [s.heading for s in paper.sections if s.heading] == ["Abstract", "Introduction", "Method", "Results"]


def test_sections_of_a_latex_paper_without_its_main_file_are_all_read(tmp_path: Path) -> None:
    files = {f"{n}.tex": f"\\section{{Part {n}}}\n{BODY}" for n in (1, 2, 10)}
    assert [s.heading for s in load_paper(str(tree(tmp_path, files))).sections] == ["Part 1", "Part 2", "Part 10"]


def test_a_tree_of_many_links_is_read_without_following_them(tmp_path: Path) -> None:
    root = latex_paper(tmp_path)
    (root / "loop").symlink_to(root)
    assert load_paper(str(root)).title == TITLE
