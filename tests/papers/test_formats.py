"""The one table of file endings: a format is the same in a folder, in an archive, as a file and in an id."""

from itertools import chain
from pathlib import Path

import pytest

from planner.batch.corpus import collect_corpus_without_ids
from planner.batch.discovery import detect_paper_kind
from planner.papers.load import load_paper, read_paper_bytes
from planner.papers.sources import (
    ARCHIVE_ENDINGS,
    PAPER_ENDINGS,
    TEXT_ENDINGS,
    FileFormat,
    detect_text_format,
    has_non_paper_name,
    strip_folders_and_endings,
)
from tests.papers.build import BODY, tarred

MARKDOWN = f"# A Title\n\n## Introduction\n\n{BODY}"
ROWS = [(kind, ending) for kind, endings in TEXT_ENDINGS.items() for ending in endings]


@pytest.mark.parametrize("ending", [*chain(*PAPER_ENDINGS.values()), *ARCHIVE_ENDINGS])
def test_every_ending_is_left_out_of_an_id(ending: str) -> None:
    assert strip_folders_and_endings(f"x/2507.08038v2{ending}") == "2507.08038v2"
    assert strip_folders_and_endings(f"a{ending.upper()}") == "a"


@pytest.mark.parametrize(("kind", "ending"), ROWS)
def test_a_file_of_every_ending_is_recognised(kind: FileFormat, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"paper{ending}"
    file.write_text("\\documentclass{article}" if kind is FileFormat.LATEX else MARKDOWN, encoding="utf-8")
    assert detect_paper_kind(file) == kind.value
    assert [entry.kind for entry in collect_corpus_without_ids([str(tmp_path)]).entries] == [kind.value]
    if kind is not FileFormat.TEXT:
        assert detect_text_format("plain words", file.name) is kind


@pytest.mark.parametrize("ending", TEXT_ENDINGS[FileFormat.MARKDOWN])
def test_markdown_is_the_same_as_a_file_in_a_folder_and_in_an_archive(ending: str, tmp_path: Path) -> None:
    name = f"draft{ending}"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_text(MARKDOWN, encoding="utf-8")
    (folder / "README.md").write_text("# Code", encoding="utf-8")
    papers = [load_paper(str(source)) for source in (folder / name, folder)]
    packed = read_paper_bytes(tarred({name: MARKDOWN.encode(), "LICENSE.md": b"MIT"}, packing=""), "x.tar")
    assert {(paper.format, paper.title) for paper in papers} == {("markdown", "A Title")}
    assert (packed.format, packed.sections) == (FileFormat.MARKDOWN, papers[0].sections)


@pytest.mark.parametrize("name", ["README.md", "read-me.txt", "history.md", "LICENSE-MIT.md", "_sidebar.md", "meta.md"])
def test_a_file_that_is_no_paper_is_none_in_a_folder_or_an_archive(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(MARKDOWN, encoding="utf-8")
    assert has_non_paper_name(name)
    assert detect_paper_kind(tmp_path / name) is None
    files = {name: MARKDOWN.encode(), "draft.md": f"# Draft\n\n{BODY}".encode()}
    assert read_paper_bytes(tarred(files, packing=""), "x.tar").title == "Draft"
