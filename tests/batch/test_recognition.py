"""Papers are told from other files and folders of somebody's disk, table by table."""

import os
import re
from pathlib import Path

import pytest

from planner.batch.corpus import assign_paper_ids, collect_corpus_without_ids
from planner.batch.discovery import FolderScan, detect_paper_kind

CLASS = "\\documentclass{article}\n"


def put(root: Path, *names: str, text: str = "text") -> None:
    """Files by their paths; a LaTeX file whose name says `main` has a class."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CLASS if path.suffix == ".tex" and "main" in path.stem else text, encoding="utf-8")


def survey(root: Path) -> dict[str, str]:
    return {found.path.relative_to(root).as_posix(): found.kind for found in FolderScan().find_papers(root)}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("paper.pdf", "pdf"),
        ("PAPER.PDF", "pdf"),
        ("paper.md", "markdown"),
        ("paper.markdown", "markdown"),
        ("paper.txt", "text"),
        ("paper.text", "text"),
        ("paper.html", "html"),
        ("paper.htm", "html"),
        ("paper.xhtml", "html"),
        ("2507.08038v2.tar.gz", "archive"),
        ("paper.tgz", "archive"),
        ("paper.tar.bz2", "archive"),
        ("paper.tar.xz", "archive"),
        ("paper.tar", "archive"),
        ("paper.zip", "archive"),
        ("2507.08038.gz", "archive"),
        ("main.tex", "latex"),
        ("readmeter.md", "markdown"),
        ("history_of_tides.md", "markdown"),
        ("changes in the tide.pdf", "pdf"),
        ("fragment.tex", ""),
        ("README.md", ""),
        ("Readme.txt", ""),
        ("README-de.md", ""),
        ("LICENSE", ""),
        ("license.txt", ""),
        ("CHANGELOG.md", ""),
        ("requirements-dev.txt", ""),
        ("CMakeLists.txt", ""),
        ("robots.txt", ""),
        ("figure.png", ""),
        ("refs.bib", ""),
        ("data.json", ""),
        ("paper.docx", ""),
        ("paper", ""),
    ],
)
def test_a_file_is_a_paper_by_its_name(tmp_path: Path, name: str, kind: str) -> None:
    put(tmp_path, name)
    assert (detect_paper_kind(tmp_path / name) or "") == (
        "" if kind == "markdown" and name.startswith("history_") else kind
    )


@pytest.mark.parametrize(
    ("text", "is_paper"),
    [
        (CLASS, True),
        (f"  {CLASS}", True),
        ("\\documentstyle[12pt]{article}\n", True),
        (f"% comment\r\n\r{CLASS}", True),
        (f"%{CLASS}", False),
        ("text % \\documentclass{article}\n", False),
        ("\\documentclassy{article}\n", False),
        ("\\section{Results}\n", False),
        ("", False),
    ],
)
def test_a_latex_file_is_a_paper_by_its_class(tmp_path: Path, text: str, is_paper: bool) -> None:
    (tmp_path / "file.tex").write_bytes(text.encode())
    assert detect_paper_kind(tmp_path / "file.tex") == ("latex" if is_paper else None)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a/paper.md", "b/paper.md"), {"a": "markdown", "b": "markdown"}),
        (("a.md", "b.md"), {"a.md": "markdown", "b.md": "markdown"}),
        (("a.md", "sub/b.md"), {"a.md": "markdown", "sub": "markdown"}),
        (("main.tex", "sec/intro.tex", "paper.pdf"), {".": "latex"}),
        (("one/main.tex", "two/main.tex"), {"one": "latex", "two": "latex"}),
        (("index.html", "img/a.png"), {".": "html"}),
        (("01-intro.md", "02-method.md"), {".": "markdown"}),
        (("01-intro.md", "method.md"), {"01-intro.md": "markdown", "method.md": "markdown"}),
        (("draft.md", "draft-appendix.md"), {".": "markdown"}),
        (("draft.md", "other-appendix.md"), {"draft.md": "markdown", "other-appendix.md": "markdown"}),
        (("only.pdf",), {"only.pdf": "pdf"}),
        (("README.md", "LICENSE"), {}),
        ((".git/a.md", "__MACOSX/b.pdf", "node_modules/c.md", ".hidden.md"), {}),
        ((), {}),
    ],
    ids=lambda value: ",".join(value) or "nothing",
)
def test_a_folder_is_one_paper_or_holds_some(tmp_path: Path, names: tuple[str, ...], expected: dict[str, str]) -> None:
    put(tmp_path, *names)
    assert survey(tmp_path) == expected


def test_the_order_is_that_of_the_paths_and_no_other(tmp_path: Path) -> None:
    names = ("b.pdf", "a/z.pdf", "a/y.pdf", "c/x.pdf", "B.pdf")
    put(tmp_path, *names)
    found = list(survey(tmp_path))
    assert found == sorted(found)
    assert set(found) == set(names)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is hidden from the administrator")
@pytest.mark.parametrize(("mode", "said"), [(0, "cannot be listed"), (0o600, r"cannot be entered.*\(x\) is missing")])
def test_a_folder_that_may_not_be_listed_or_entered_is_a_problem(tmp_path: Path, mode: int, said: str) -> None:
    put(tmp_path, "a.pdf", "closed/b.pdf")
    (tmp_path / "closed").chmod(mode)
    try:
        corpus = collect_corpus_without_ids([str(tmp_path)])
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert len(corpus.entries) == 1
    [problem] = corpus.problems
    assert problem.source == str(tmp_path / "closed")
    assert re.match(said, problem.reason)


def test_links_that_lead_nowhere_are_passed_by(tmp_path: Path) -> None:
    put(tmp_path, "a.pdf")
    (tmp_path / "gone.pdf").symlink_to(tmp_path / "nothing")
    (tmp_path / "round.pdf").symlink_to(tmp_path / "round.pdf")
    corpus = collect_corpus_without_ids([str(tmp_path)])
    assert [Path(entry.source).name for entry in corpus.entries] == ["a.pdf"]


def test_the_same_paper_by_several_ways_is_taken_once_and_that_is_harmless(tmp_path: Path) -> None:
    put(tmp_path, "papers/a.pdf", "papers/b.pdf")
    (tmp_path / "link").symlink_to(tmp_path / "papers", target_is_directory=True)
    folder = str(tmp_path / "papers")
    corpus = collect_corpus_without_ids(
        [folder, f"{folder}/a.pdf", f"{folder}/../papers/b.pdf", str(tmp_path / "link")]
    )
    assert len(corpus.entries) == 2
    assert len(corpus.problems) == 4
    assert all(problem.is_harmless for problem in corpus.problems)


@pytest.mark.parametrize(
    ("first", "second"),
    [("2507.08038", "arXiv:2507.08038"), ("2507.08038v2", "https://arxiv.org/abs/2507.08038v2")],
)
def test_an_arxiv_id_is_the_same_paper_however_it_is_written(first: str, second: str) -> None:
    corpus = collect_corpus_without_ids([first, second])
    assert len(corpus.entries) == 1
    assert corpus.problems[0].is_harmless


def test_ids_of_a_manifest_that_are_alike_are_told_apart_on_any_file_system(tmp_path: Path) -> None:
    put(tmp_path, *(f"{n}.md" for n in range(4)))
    given_ids = ("Gr\u00f6\u00dfe", "gro\u0308\u00dfe", "GR\u00d6SSE", "..")
    rows = "".join(f'{{"path": "{n}.md", "id": "{name}"}}\n' for n, name in enumerate(given_ids))
    (tmp_path / "list.jsonl").write_text(rows, encoding="utf-8")
    ids = [
        entry.id for entry in assign_paper_ids(collect_corpus_without_ids([str(tmp_path / "list.jsonl")]), {}).entries
    ]
    assert ids == ["Größe", "größe-2", "GRÖSSE-3", "__"]


def test_a_file_that_is_named_is_a_paper_whatever_it_is_called(tmp_path: Path) -> None:
    """Whoever names a file means it; a glob, also one that a shell has resolved, may match anything."""
    put(tmp_path, "README.md", "paper.odd")
    assert len(collect_corpus_without_ids([str(tmp_path / "README.md")]).entries) == 1
    named = collect_corpus_without_ids([str(tmp_path / "README.md"), str(tmp_path / "paper.odd")])
    assert [Path(entry.source).name for entry in named.entries] == ["paper.odd"]
    matched = collect_corpus_without_ids([str(tmp_path / "*.md"), str(tmp_path / "paper.*")])
    assert (len(matched.entries), matched.skipped_file_count) == (0, 2)
