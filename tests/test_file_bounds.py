"""Bounds of papers, lists and replies that `test_bounds` leaves out; those that would take long are lowered."""

import time
from pathlib import Path

import pytest

from eval import tables
from planner.batch import corpus, manifest
from planner.batch.corpus import collect_corpus_without_ids
from planner.chat import Completion
from planner.errors import OutputError, PaperError, UsageError
from planner.files import is_pipe_or_device, read_bounded_file
from planner.papers import load, sources
from planner.papers.load import load_paper
from planner.parsing.reply import parse_reply
from tests.papers.build import BODY
from tests.scripted import GOOD_ABLATION, contract


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.jsonl"
    with path.open("wb") as file:
        file.truncate(manifest.MAX_MANIFEST_BYTES + 1)
    begun = time.process_time()
    with pytest.raises(UsageError, match="it has over 2,000,000,000 bytes"):
        collect_corpus_without_ids((str(path),))
    with pytest.raises(OSError, match="it has over 10 bytes"):
        read_bounded_file(path, 10)
    assert time.process_time() - begun < 0.5


def test_a_paper_has_at_most_so_much_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "paper.md").write_text(f"# A\n\n{BODY}")
    monkeypatch.setattr(load, "MAX_CHARACTERS", 600)
    with pytest.raises(PaperError, match="characters, over the limit of 600"):
        load_paper(str(tmp_path / "paper.md"))


def test_a_folder_has_at_most_so_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (tmp_path / f"{number}.tex").touch()
    monkeypatch.setattr(sources, "MAX_FILES", 3)
    with pytest.raises(PaperError, match="holds over 3 files"):
        load_paper(str(tmp_path))


def test_a_text_file_that_is_too_large_is_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "list.txt"
    path.write_text("2001.00001\n2001.00002\n")
    assert [entry.source for entry in collect_corpus_without_ids((str(path),)).entries] == ["2001.00001", "2001.00002"]
    monkeypatch.setattr(corpus, "_MAX_LIST_BYTES", 20)
    assert [entry.source for entry in collect_corpus_without_ids((str(path),)).entries] == [str(path)]


def test_a_file_of_the_evaluation_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gold.jsonl").write_text('{"id": "1"}\n')
    monkeypatch.setattr(tables, "MAX_TABLE_BYTES", 10)
    with pytest.raises(OSError, match="it has over 10 bytes"):
        tables.read_table_rows(tmp_path / "gold.jsonl")


def test_links_in_a_circle_are_followed_to_no_device(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert not is_pipe_or_device(tmp_path / "a")


@pytest.mark.parametrize("unit", ["{} ", "x\n", '{"a": 1}\n', "[] "])
def test_predictions_of_too_many_pieces_are_invalid(unit: str) -> None:
    reply = f"<discussion>Why.</discussion><predictions>\n{unit * 25_000}</predictions>"
    with pytest.raises(OutputError, match="the predictions have over 20,000 pieces"):
        parse_reply(Completion(reply, finish_reason="stop"), 3)


def test_so_many_notes_are_kept_and_no_more() -> None:
    metrics = [f"a\nb {number}" for number in range(100)]
    odd = [{**GOOD_ABLATION, "name": f"No gate {number}", f"x{number}": 1, "metrics": metrics} for number in range(200)]
    reply = parse_reply(Completion(contract("Why.", odd), finish_reason="stop"), 200)
    assert len(reply.notes) == 50
