"""Papers are recognised in a folder or list, and get their ids."""

import csv
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.batch.corpus import assign_paper_ids, collect_corpus_without_ids
from planner.batch.manifest import Corpus
from planner.errors import UsageError

LATEX = "\\documentclass{article}\n\\begin{document}\nText.\n\\end{document}\n"


def write(root: Path, **files: str) -> Path:
    """Files by their path, `__` for `/` and `_DOT_` for a dot."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def found(corpus: Corpus, root: Path) -> dict[str, str]:
    """Kind by path."""
    return {Path(entry.source).relative_to(root).as_posix(): entry.kind for entry in corpus.entries}


def ids(corpus: Corpus, **known: str) -> list[str]:
    return [entry.id for entry in assign_paper_ids(corpus, known).entries]


def test_files_of_every_kind_and_none_of_the_others(tmp_path: Path) -> None:
    write(tmp_path, a_DOT_pdf="%PDF-", b_DOT_md="# B", c_DOT_txt="text", d_DOT_html="<p>", e_DOT_zip="PK")
    write(tmp_path, x__f_DOT_md="# F")
    write(tmp_path, README_DOT_md="read", LICENSE="MIT", LICENSE_DOT_txt="MIT", meta_DOT_json="{}", refs_DOT_bib="@a")
    write(tmp_path, _DOT_hidden__g_DOT_md="# G", requirements_DOT_txt="x", fig_DOT_png="png", x__y_DOT_pdf="%PDF-")
    corpus = collect_corpus_without_ids([str(tmp_path)])
    assert found(corpus, tmp_path) == {
        "a.pdf": "pdf",
        "b.md": "markdown",
        "c.txt": "text",
        "d.html": "html",
        "e.zip": "archive",
        "x/f.md": "markdown",
        "x/y.pdf": "pdf",
    }
    assert corpus.skipped_file_count == 7
    assert not corpus.problems


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"main_DOT_tex": LATEX, "paper_DOT_pdf": "%PDF-", "s__method_DOT_tex": "x", "s__t__b_DOT_tex": "x"}, "latex"),
        ({"metadata_DOT_yaml": "title: x", "content__01_DOT_i_DOT_md": "# I", "paper_DOT_pdf": "%PDF-"}, "markdown"),
        ({"00_DOT_front_DOT_md": "x", "01_DOT_abstract_DOT_md": "x", "02_DOT_intro_DOT_md": "x"}, "markdown"),
        ({"draft_DOT_md": "# D", "draft_appendix_DOT_md": "# A", "draft_header_DOT_html": "<p>"}, "markdown"),
        ({"paper_DOT_md": "# D", "README_DOT_md": "x", "fig_DOT_png": "x"}, "markdown"),
        ({"index_DOT_html": "<html>", "sub__index_DOT_html": "<html>", "sub__a_DOT_pdf": "x"}, "html"),
        ({"paper__main_DOT_tex": LATEX, "results__table_DOT_tex": "1 & 2"}, "latex"),
    ],
    ids=["latex", "manubot", "numbered", "draft", "single", "html", "main file below"],
)
def test_a_folder_that_is_one_paper(files: dict[str, str], kind: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, **files)
    assert found(collect_corpus_without_ids([str(tmp_path)]), tmp_path) == {"one": kind, "two": kind}


def test_a_class_in_a_comment_makes_no_paper(tmp_path: Path) -> None:
    write(tmp_path, notes_DOT_tex="% \\documentclass{article}\n\\section{x}", a_DOT_pdf="%PDF-", b_DOT_pdf="%PDF-")
    assert found(collect_corpus_without_ids([str(tmp_path)]), tmp_path) == {"a.pdf": "pdf", "b.pdf": "pdf"}


def test_globs_take_papers_only(tmp_path: Path) -> None:
    write(tmp_path, a_DOT_pdf="%PDF-", b_DOT_json="{}", x__c_DOT_pdf="%PDF-")
    assert len(collect_corpus_without_ids([f"{tmp_path}/*"]).entries) == 2
    assert len(collect_corpus_without_ids([f"{tmp_path}/**/*.pdf"]).entries) == 2
    with pytest.raises(UsageError, match="no such file"):
        collect_corpus_without_ids([f"{tmp_path}/*.nothing"])


ROWS = [
    {"id": "one", "paper_title": "One, a Title", "paper_abstract": 'Ab"stract', "paper_path": "papers/one"},
    {"id": "two/../..", "title": "Two", "abstract": "", "path": "papers/two.md"},
    {"id": "", "title": "Three: with a Title?", "source": "papers/three.md"},
]


def manifest(tmp_path: Path, form: str) -> Path:
    write(tmp_path / "papers", one__main_DOT_md="# 1", two_DOT_md="# 2", three_DOT_md="# 3")
    path = tmp_path / f"list.{form}"
    if form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    elif form == "csv":
        columns = sorted({column for row in ROWS for column in row})
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(ROWS)
    else:
        pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        columns = sorted({column for row in ROWS for column in row})
        parquet.write_table(pyarrow.table({c: [row.get(c) for row in ROWS] for c in columns}), path)
    return path


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_manifests(form: str, tmp_path: Path) -> None:
    corpus = collect_corpus_without_ids([str(manifest(tmp_path, form))])
    assert not corpus.problems
    assert ids(corpus) == ["one", "two______", "Three__with_a_Title_"]
    assert [entry.title for entry in corpus.entries] == ["One, a Title", "Two", "Three: with a Title?"]
    assert corpus.entries[0].abstract == 'Ab"stract'
    assert corpus.entries[0].kind == "folder"


def test_bad_rows_are_reported_and_stop_nothing(tmp_path: Path) -> None:
    write(tmp_path, a_DOT_md="# A", b_DOT_md="# B")
    good, gone = [f'{{"path": "{name}.md"}}' for name in "ab"], '{"path": "gone.md"}'
    lines = [good[0], "{not json", "[1]", '{"title": "x"}', gone, good[0], good[1]]
    (tmp_path / "list.jsonl").write_text("\n".join(lines), encoding="utf-8")
    corpus = collect_corpus_without_ids([str(tmp_path / "list.jsonl")])
    assert ids(corpus) == ["a", "b"]
    problems = {problem.source.rpartition(":")[2]: problem for problem in corpus.problems}
    assert sorted(problems) == ["2", "3", "4", "5", "6"]
    assert "not JSON" in problems["2"].reason
    assert "gone.md" in problems["5"].reason
    assert "same paper" in problems["6"].reason
    assert [number for number, problem in problems.items() if problem.is_harmless] == ["6"]


def test_lists_from_stdin_and_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a_DOT_md="# A", b_DOT_md="# B")
    monkeypatch.chdir(tmp_path)
    listed = "# mine\n2507.08038v2\ncs/0112017\n\narXiv:2401.00001  # good\n"
    (tmp_path / "ids.txt").write_text(listed, encoding="utf-8")
    assert [entry.kind for entry in collect_corpus_without_ids(["ids.txt"]).entries] == ["arXiv"] * 3
    assert ids(collect_corpus_without_ids(["ids.txt"])) == ["2507.08038v2", "cs_0112017", "2401.00001"]
    assert ids(collect_corpus_without_ids(["-"], "a.md\nb.md\n")) == ["a", "b"]
    assert ids(collect_corpus_without_ids(["-"], '{"path": "a.md", "id": "x"}\n')) == ["x"]
    (tmp_path / "prose.txt").write_text("A paper.\nIt has lines.\n", encoding="utf-8")
    assert [entry.kind for entry in collect_corpus_without_ids(["prose.txt"]).entries] == ["text"]


def test_two_papers_with_one_name_get_two_ids_in_the_order_of_their_paths(tmp_path: Path) -> None:
    write(tmp_path, b__paper_DOT_pdf="%PDF-", a__Paper_DOT_pdf="%PDF-", a__x_DOT_pdf="%PDF-", c__paper_DOT_pdf="%PDF-2")
    forward, backward = (collect_corpus_without_ids([f"{tmp_path}/{n}" for n in order]) for order in ("abc", "cba"))
    names = {entry.place: entry.id for entry in assign_paper_ids(forward, {}).entries}
    assert names == {entry.place: entry.id for entry in assign_paper_ids(backward, {}).entries}
    assert sorted(names.values()) == ["Paper", "paper-2", "paper-3", "x"]


def test_a_paper_keeps_its_id_when_others_come(tmp_path: Path) -> None:
    write(tmp_path, b__paper_DOT_pdf="%PDF-", b__x_DOT_pdf="%PDF-")
    first = assign_paper_ids(collect_corpus_without_ids([str(tmp_path)]), {})
    known = {entry.place: entry.id for entry in first.entries}
    write(tmp_path, a__paper_DOT_pdf="%PDF-", a__y_DOT_pdf="%PDF-")
    second = {
        entry.source: entry.id for entry in assign_paper_ids(collect_corpus_without_ids([str(tmp_path)]), known).entries
    }
    assert second[str(tmp_path / "b" / "paper.pdf")] == "paper"
    assert second[str(tmp_path / "a" / "paper.pdf")] == "paper-2"


def test_a_corpus_that_was_moved_keeps_its_ids(tmp_path: Path) -> None:
    write(tmp_path / "old", a_DOT_pdf="%PDF-", b_DOT_pdf="%PDF-")
    known = {
        entry.place: entry.id
        for entry in assign_paper_ids(collect_corpus_without_ids([str(tmp_path / "old")]), {}).entries
    }
    (tmp_path / "old").rename(tmp_path / "new")
    assert [
        entry.id for entry in assign_paper_ids(collect_corpus_without_ids([str(tmp_path / "new")]), known).entries
    ] == [
        "a",
        "b",
    ]


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=20))
def test_ids_are_unique_and_safe_whatever_a_manifest_says(given_ids: list[str]) -> None:
    lines = [json.dumps({"path": f"arXiv:2401.{n:05}", "id": name}) for n, name in enumerate(given_ids)]
    named = ids(collect_corpus_without_ids(["-"], "\n".join(lines)))
    assert len({name.casefold() for name in named}) == len(given_ids)
    for name in named:
        assert 0 < len(name.encode()) <= 255 - len(".json")
        assert not set(name) & set('/\\:*?"<>|\0\n')
        assert name.strip(". ") and not name.startswith(".")


def test_links_are_not_walked_in_circles(tmp_path: Path) -> None:
    write(tmp_path, x__a_DOT_pdf="%PDF-")
    (tmp_path / "x" / "loop").symlink_to(tmp_path)
    (tmp_path / "same.pdf").symlink_to(tmp_path / "x" / "a.pdf")
    corpus = collect_corpus_without_ids([str(tmp_path)])
    assert len(corpus.entries) == 1
    assert "same paper" in corpus.problems[0].reason


def test_a_name_that_is_no_text_is_reported(tmp_path: Path) -> None:
    write(tmp_path, a_DOT_pdf="%PDF-")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.pdf")).write_bytes(b"%PDF-")
    except OSError:
        pytest.skip("this file system takes no such name")
    corpus = collect_corpus_without_ids([str(tmp_path)])
    assert ids(corpus) == ["a"]
    assert "not UTF-8" in corpus.problems[0].reason


def test_an_argument_that_names_nothing(tmp_path: Path) -> None:
    write(tmp_path, a_DOT_pdf="%PDF-")
    with pytest.raises(UsageError, match="no such file or folder"):
        collect_corpus_without_ids([str(tmp_path / "gone")])
    corpus = collect_corpus_without_ids([str(tmp_path / "gone"), str(tmp_path)])
    assert len(corpus.entries) == len(corpus.problems) == 1


def test_a_change_mark_changes_with_the_paper_and_with_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, x__main_DOT_tex=LATEX, x__s_DOT_tex="a", y_DOT_md="# Y", z_DOT_md="# Z")

    def read_marks() -> dict[str, str]:
        return {entry.source: entry.change_mark for entry in collect_corpus_without_ids([str(tmp_path)]).entries}

    before = read_marks()
    assert read_marks() == before
    write(tmp_path, x__s_DOT_tex="ab")
    after = read_marks()
    assert [source for source in before if before[source] != after[source]] == [str(tmp_path / "x")]


def test_the_shared_papers_are_fifty_one(shared: Path) -> None:
    folders = [str(shared / "papers" / name) for name in ("pdf", "source", "labelled")]
    corpus = assign_paper_ids(collect_corpus_without_ids(folders), {})
    assert len(corpus.entries) == 51
    kinds = [entry.kind for entry in corpus.entries]
    assert {kind: kinds.count(kind) for kind in kinds} == {"pdf": 38, "markdown": 5, "latex": 6, "html": 2}
    assert not corpus.problems


def test_what_a_shell_made_of_a_glob_is_no_paper_either(tmp_path: Path) -> None:
    write(tmp_path, a_DOT_pdf="%PDF-", a_DOT_json="{}", README_DOT_md="# R", f_DOT_png="p", strange_DOT_doc="text")
    corpus = collect_corpus_without_ids([str(path) for path in sorted(tmp_path.iterdir())])
    assert found(corpus, tmp_path) == {"a.pdf": "pdf", "strange.doc": "file"}
    assert corpus.skipped_file_count == 3
    assert found(collect_corpus_without_ids([str(tmp_path / "README.md")]), tmp_path) == {"README.md": "file"}


def test_a_manifest_that_cannot_be_read_stops_nothing_among_others(tmp_path: Path) -> None:
    write(tmp_path, a_DOT_md="# A")
    (tmp_path / "bad.csv").write_bytes(b"id,path\nx,\xff\xfe.pdf\n")
    corpus = collect_corpus_without_ids([str(tmp_path / "bad.csv"), str(tmp_path / "a.md")])
    assert ids(corpus) == ["a"]
    (problem,) = corpus.problems
    assert "cannot be read as a list" in problem.reason
    assert not problem.is_harmless
    with pytest.raises(UsageError, match="cannot be read as a list"):
        collect_corpus_without_ids([str(tmp_path / "bad.csv")])


def test_a_name_too_long_for_a_path_is_one_problem(tmp_path: Path) -> None:
    write(tmp_path, a_DOT_md="# A")
    corpus = collect_corpus_without_ids(["-", "x" * 300], f"{'y' * 300}\n{'z/' * 5000}\n{tmp_path}/a.md\n")
    assert ids(corpus) == ["a"]
    assert len(corpus.problems) == 3


def test_links_that_are_not_followed_are_told(tmp_path: Path) -> None:
    write(tmp_path / "in", a_DOT_pdf="%PDF-")
    write(tmp_path / "out", b_DOT_pdf="%PDF-")
    (tmp_path / "in" / "gone.pdf").symlink_to(tmp_path / "nowhere.pdf")
    (tmp_path / "in" / "more").symlink_to(tmp_path / "out")
    corpus = collect_corpus_without_ids([str(tmp_path / "in")])
    assert ids(corpus) == ["a"]
    problems = {Path(problem.source).name: problem for problem in corpus.problems}
    assert sorted(problems) == ["gone.pdf", "more"]
    assert not problems["gone.pdf"].is_harmless
    assert problems["more"].is_harmless
