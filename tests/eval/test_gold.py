"""Gold data in AblationBench's forms and in ours."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from eval.gold import AuthorGold, ReviewerGold, read_gold
from eval.tables import TableError
from planner.errors import UsageError
from planner.schema import Action, Task
from tests.eval.made import GATE, POOL, dumped, write_gold

AUTHOR_ROW = {
    "id": "gates",
    "paper_title": "Gates",
    "paper_abstract": "We gate.",
    "paper_path": "papers/gates",
    "docker_image": "unused",
    "ablations_in_paper": json.dumps(dumped([GATE, POOL])),
}
REVIEWER_ROW = {
    "id": "gates",
    "paper_title": "Gates",
    "review_text": json.dumps(["Remove the gate.", "Nice."]),
    "num_ablation_suggestions": 3,
}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        path.write_text("\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["dev.parquet", "dev.jsonl", "dev.json"])
def test_the_author_data_in_every_container(tmp_path: Path, name: str) -> None:
    found = read_gold(written(tmp_path / name, AUTHOR_ROW))
    assert found.task is Task.AUTHOR
    paper = found.papers["gates"]
    assert isinstance(paper, AuthorGold)
    assert paper.title == "Gates"
    assert paper.ablations == (GATE, POOL)


@pytest.mark.parametrize("name", ["dev.parquet", "dev.jsonl", "dev.json"])
def test_the_reviewer_data_in_every_container(tmp_path: Path, name: str) -> None:
    found = read_gold(written(tmp_path / name, REVIEWER_ROW))
    assert found.task is Task.REVIEWER
    paper = found.papers["gates"]
    assert isinstance(paper, ReviewerGold)
    assert (paper.reviews, paper.suggestion_count, paper.warnings) == (("Remove the gate.", "Nice."), 3, ())


def test_a_folder_of_tables_is_read_whole(tmp_path: Path) -> None:
    written(tmp_path / "a.json", AUTHOR_ROW)
    written(tmp_path / "b.json", {**AUTHOR_ROW, "id": "more"})
    (tmp_path / "paper.pdf").write_bytes(b"%PDF")
    assert list(read_gold(tmp_path).papers) == ["gates", "more"]


def test_our_own_form(tmp_path: Path) -> None:
    found = read_gold(write_gold(tmp_path / "mine.jsonl", {"a": [GATE], "b": []}))
    assert [len(paper.ablations) for paper in found.papers.values() if isinstance(paper, AuthorGold)] == [1, 0]


def test_reviews_without_a_count_are_taken_as_one_each_and_say_so(tmp_path: Path) -> None:
    found = read_gold(written(tmp_path / "mine.jsonl", {"id": "a", "title": "A", "reviews": ["Why a gate?", "Depth?"]}))
    paper = found.papers["a"]
    assert isinstance(paper, ReviewerGold)
    assert paper.suggestion_count == 2
    assert "num_ablation_suggestions is missing" in paper.warnings[0]


def test_flaws_of_annotations_are_forgiven(tmp_path: Path) -> None:
    flawed = {
        "name": "Gate\nremoved",
        "ablated_part": "gate",
        "action": "remove",
        "replacement": ["None"],
        "where": "page 4",
    }
    found = read_gold(written(tmp_path / "mine.jsonl", {"id": "a", "title": "A", "ablations": [flawed]}))
    paper = found.papers["a"]
    assert isinstance(paper, AuthorGold)
    (read,) = paper.ablations
    assert (read.name, read.action, read.replacement, read.metrics) == ("Gate removed", Action.REMOVE, (), ())


def test_two_ablations_of_one_name_stay_two(tmp_path: Path) -> None:
    row = {"id": "a", "title": "A", "ablations": dumped([GATE, GATE.model_copy(update={"ablated_part": "other gate"})])}
    paper = read_gold(written(tmp_path / "mine.jsonl", row)).papers["a"]
    assert isinstance(paper, AuthorGold)
    assert [one.name for one in paper.ablations] == ["gate", "gate (2)"]
    assert "occurs more than once" in paper.warnings[0]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"title": "no id", "ablations": []}, "has no id"),
        ({"id": "a", "ablations": [{"name": "x"}]}, "row 1: ablated_part"),
        ({"id": "a", "ablations": 3}, "should hold a list"),
        ({"id": "a", "ablations": "{not json"}, "not JSON"),
        ({"id": "a", "reviews": ["x"], "num_ablation_suggestions": -1}, "should be a count"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, row: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TableError, match=complaint):
        read_gold(written(tmp_path / "mine.jsonl", row))


def test_an_id_stands_once(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="row 2: the id 'gates' occurs twice"):
        read_gold(written(tmp_path / "dev.jsonl", AUTHOR_ROW, AUTHOR_ROW))


def test_two_ids_that_are_one_file_name_are_refused(tmp_path: Path) -> None:
    """Else the verdicts on one paper would be read as those on the other."""
    with pytest.raises(TableError, match=r"row 2: 'a\?b' and 'a:b' would share one file"):
        read_gold(written(tmp_path / "dev.jsonl", {**AUTHOR_ROW, "id": "a:b"}, {**AUTHOR_ROW, "id": "a?b"}))


def test_a_file_of_both_tasks_needs_the_task(tmp_path: Path) -> None:
    path = written(tmp_path / "dev.jsonl", {**AUTHOR_ROW, **REVIEWER_ROW})
    with pytest.raises(UsageError, match="both tasks"):
        read_gold(path)
    assert read_gold(path, Task.REVIEWER).task is Task.REVIEWER


@pytest.mark.parametrize("content", [b"", b"\n", b'{"id": "a"}'])
def test_a_file_without_gold_is_a_wrong_call(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match="no row has"):
        read_gold(tmp_path / "x.jsonl")


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.json"])
def test_rubbish_is_not_a_table(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00rubbish")
    with pytest.raises(TableError, match=name):
        read_gold(tmp_path / name)


def test_the_labelled_papers_are_gold(shared: Path) -> None:
    found = read_gold(shared / "papers" / "labelled")
    papers = [paper for paper in found.papers.values() if isinstance(paper, AuthorGold)]
    assert len(papers) == 20
    assert sum(len(paper.ablations) for paper in papers) == 82
