"""Lists of papers as people and programs write them: odd encodings, odd columns, rows that are none."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.batch.manifest import ManifestRow, parse_paper_list, read_manifest_rows
from planner.errors import UsageError

HERE = Path("here")


def rows(path: Path) -> list[ManifestRow]:
    """The rows of a manifest that has no problem."""
    found = list(read_manifest_rows(path))
    assert not [row for row in found if row.problem]
    return found


def listed(text: str) -> Iterator[tuple[str, str]]:
    """Place and source, or place and problem, of each line of a list."""
    for row in parse_paper_list(text, "list", HERE):
        yield row.location, row.problem or row.source


def as_csv(*lines: Mapping[str, str]) -> str:
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    return table.getvalue()


@pytest.mark.parametrize("column", ["path", "source", "paper_path", "arxiv_id", "arxiv"])
@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "csv", "CSV"])
def test_a_paper_stands_in_any_of_the_known_columns(tmp_path: Path, column: str, ending: str) -> None:
    values = {"id": "one", column: "papers/one.md", "colour": "red"}
    path = tmp_path / f"list.{ending}"
    path.write_text(as_csv(values) if ending.lower() == "csv" else json.dumps(values), encoding="utf-8")
    [row] = rows(path)
    assert (row.id, row.source, row.base_folder) == ("one", "papers/one.md", tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_text_survives_marks_line_ends_and_scripts(tmp_path: Path, encoding: str, ends: str, ending: str) -> None:
    values = {"id": "größe", "path": "p.md", "title": '日本語, «quoted» "title"', "abstract": "α\u2028β"}
    path = tmp_path / f"list.{ending}"
    text = as_csv(values, values) if ending == "csv" else f"{json.dumps(values, ensure_ascii=False)}\n" * 2
    path.write_bytes(text.replace("\r\n", "\n").replace("\n", ends).encode(encoding))
    for row in rows(path):
        assert (row.id, row.title, row.abstract) == (values["id"], values["title"], values["abstract"])


def test_an_abstract_of_many_lines_stays_one_field(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    lines = [{"path": f"{n}.md", "abstract": f'First "line".\nSecond, line {n}.' * 5000} for n in range(3)]
    path.write_text(as_csv(*lines), encoding="utf-8", newline="")
    assert [(row.source, row.abstract) for row in rows(path)] == [(line["path"], line["abstract"]) for line in lines]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"path\nGr\xf6\xdfe.md\n", "latin.csv"),
        (b'{"path": "\xff"}', "bytes.jsonl"),
        ("path\na.md\n".encode("utf-16"), "wide.csv"),
        (b"PAR1 but not really", "broken.parquet"),
        (b"", "empty.parquet"),
        (b'path\n"' + b"x" * 10_000_001 + b'"\n', "long.csv"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_wrong_usage_and_named(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        list(read_manifest_rows(tmp_path / name))


def test_a_manifest_that_may_not_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").mkdir()
    with pytest.raises(UsageError, match=r"list\.csv: cannot be read"):
        list(read_manifest_rows(tmp_path / "list.csv"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not an object"),
        ("7", "is not an object"),
        ('"paper.md"', "is not an object"),
        ("null", "is not an object"),
        ("{}", "names no paper"),
        ('{"id": "x", "title": "y"}', "names no paper"),
        ('{"path": ""}', "names no paper"),
        ('{"path": "  "}', "names no paper"),
        ('{"path": null}', "names no paper"),
        ('{"path": ["a.md"]}', "names no paper"),
        ('{"path": {"a": 1}}', "names no paper"),
    ],
)
def test_a_row_that_names_no_paper_is_a_problem_with_its_place(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text(f'{{"path": "a.md"}}\n\n{line}\n{{"path": "b.md"}}\n', encoding="utf-8")
    first, bad, last = read_manifest_rows(path)
    assert (first.problem, last.problem) == (None, None)
    assert bad.location == f"{path}:3"
    assert bad.problem
    assert reason in bad.problem
    assert (first.location, last.location) == (f"{path}:1", f"{path}:4")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"path": "a.md", "id": 7}, ("7", "", "a.md")),
        ({"arxiv_id": "2507.08038"}, ("", "", "2507.08038")),
        ({"path": "a.md", "source": "b.md"}, ("", "", "a.md")),
        ({"path": "", "source": "b.md"}, ("", "", "b.md")),
        ({"path": " a.md ", "id": " x ", "paper_title": " T "}, ("x", "T", "a.md")),
        ({"path": "a.md", "title": None, "paper_title": "T"}, ("", "T", "a.md")),
        ({"path": "a.md", "title": ["T"]}, ("", "", "a.md")),
        ({"path": "half \udc80.md"}, ("", "", "half ?.md")),
    ],
)
def test_what_is_taken_of_a_row(tmp_path: Path, values: Mapping[str, object], expected: tuple[str, str, str]) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text(json.dumps(values), encoding="utf-8")
    [row] = rows(path)
    assert (row.id, row.title, row.source) == expected


def test_rows_of_a_table_with_too_many_or_too_few_fields(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id,path\none,a.md,more,and more\ntwo\n\nthree,c.md\n", encoding="utf-8")
    one, two, three = read_manifest_rows(path)
    assert two.problem
    assert (one.problem, three.problem) == (None, None)
    assert (one.source, three.source, three.location) == ("a.md", "c.md", f"{path}:5")


def test_a_table_without_any_known_column_has_a_problem_a_row(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("colour,size\nred,1\nblue,2\n", encoding="utf-8")
    found = list(read_manifest_rows(path))
    assert len(found) == 2
    assert all(row.problem and "names no paper" in row.problem for row in found)


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("", []),
        ("\n\n# nothing\n  # at all\n", []),
        ("a.md\nb.md", ["a.md", "b.md"]),
        ("a.md\r\nb.md\r\n", ["a.md", "b.md"]),
        ("  a b.md  \n", ["a b.md"]),
        ("a.md # the first\n", ["a.md"]),
        ("a#b.md\n", ["a#b.md"]),
        ("2507.08038v2\nhttps://arxiv.org/abs/2401.00001\n", ["2507.08038v2", "https://arxiv.org/abs/2401.00001"]),
    ],
)
def test_a_plain_list_is_a_paper_a_line(text: str, sources: list[str]) -> None:
    assert [source for _, source in listed(text)] == sources


def test_a_list_that_begins_as_an_object_is_read_as_objects() -> None:
    text = '\n {"path": "a.md"}\nb.md\n{"path": "c.md"}'
    assert list(listed(text)) == [
        ("list:2", "a.md"),
        ("list:3", "is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("list:4", "c.md"),
    ]


SAID = st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: " ".join(text.split()))
SOURCES = SAID.filter(bool)


@given(st.lists(st.tuples(SOURCES, SAID, SAID, SAID), min_size=1, max_size=5))
def test_jsonl_and_csv_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, papers: list[tuple[str, str, str, str]]
) -> None:
    lines = [dict(zip(("path", "id", "title", "abstract"), paper, strict=True)) for paper in papers]
    folder = tmp_path_factory.getbasetemp()
    (folder / "same.csv").write_bytes(as_csv(*lines).encode())
    (folder / "same.jsonl").write_bytes("\n".join(map(json.dumps, lines)).encode())
    reason = [
        [(row.source, row.id, row.title, row.abstract) for row in rows(folder / f"same.{e}")] for e in ("csv", "jsonl")
    ]
    assert reason[0] == reason[1] == papers


@given(st.text())
def test_any_text_is_a_list_of_rows_and_problems(text: str) -> None:
    for row in parse_paper_list(text, "list", HERE):
        assert row.problem or row.source == row.source.strip() != ""
        assert row.location.startswith("list:")
