"""Papers are read in processes: a failure of one paper is none of another."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from planner.chat import FixedTokenCounter
from planner.cli.options import MetadataOptions
from planner.cli.paper import read_command_paper
from planner.errors import RunError, TooLongError
from planner.papers.arxiv import ArxivClient
from planner.papers.load import load_paper
from planner.papers.paper import PaperInfo
from planner.planning.first_prompt import PlanSettings, build_prompt
from planner.reading.process import WORKER_COMMAND, create_isolated_readers
from planner.reading.request import (
    PromptRequest,
    ReadLimits,
    ReadRequest,
    ReadResult,
    decode_result,
    encode_request,
    encode_result,
)
from planner.schema import Task
from tests.conftest import ROOT
from tests.papers.arxiv_server import Response, run_arxiv_server
from tests.papers.build import BODY, MAIN, WHOLE, gzipped, latex_paper, tarred, tree
from tests.reading.build import OFFLINE, read_all, read_misbehaving

DEMO = str(ROOT / "planner" / "demo" / "paper.md")
SETTINGS = PlanSettings(Task.REVIEWER, 2)


def test_a_paper_is_the_same_in_a_process(tmp_path: Path) -> None:
    packed = tmp_path / "x.tar.gz"
    packed.write_bytes(tarred({"main.tex": MAIN.encode(), "sections/intro.tex": BODY.encode()}))
    sources = [str(latex_paper(tmp_path / "folder")), str(packed), DEMO]
    results = read_all(*(ReadRequest(source, keep_paper=True) for source in sources))
    assert [result.paper for result in results if isinstance(result, ReadResult)] == list(map(load_paper, sources))


def test_a_short_text_is_the_same_without_a_process() -> None:
    (result,) = read_all(ReadRequest(DEMO, title="A Title of mine", paper_id="mine", keep_paper=True))
    assert isinstance(result, ReadResult)
    assert read_command_paper(DEMO, MetadataOptions(title="A Title of mine", paper_id="mine")) == result.paper


def test_the_prompts_are_those_of_the_paper_and_of_the_settings() -> None:
    requests = [PromptRequest(settings, FixedTokenCounter()) for settings in (SETTINGS, replace(SETTINGS, window=50))]
    (result,) = read_all(ReadRequest(DEMO, title="A Title of mine", paper_id="mine", prompts=tuple(requests)))
    paper = load_paper(DEMO, title="A Title of mine", paper_id="mine")
    assert isinstance(result, ReadResult)
    assert result.info == paper.info
    assert result.paper is None, "its text stays where it was read"
    assert result.prompts[0] == build_prompt(paper, SETTINGS, FixedTokenCounter())
    assert isinstance(result.prompts[1], TooLongError)
    assert "fit" in str(result.prompts[1])


def test_errors_come_through_as_they_are(tmp_path: Path) -> None:
    tree(tmp_path, {"README.md": "x"})
    folder, missing = read_all(ReadRequest(str(tmp_path)), ReadRequest(str(tmp_path / "nothing")))
    assert "holds no paper" in str(folder)
    assert "no file or folder" in str(missing)


@pytest.mark.parametrize("source", ["crash", "exit", "bug", "hang", "huge", "bad", "garbage"])
def test_one_bad_paper_is_one_failure(source: str) -> None:
    reasons = read_misbehaving("a", source, "b", source, "c", limits=ReadLimits(seconds=1.0))
    assert [bool(reason) for reason in reasons] == [False, True, False, True, False]


def test_text_that_a_library_prints_spoils_nothing() -> None:
    assert read_misbehaving("print", "a", "print") == ["", "", ""]


def test_a_text_with_a_lone_surrogate_comes_through() -> None:
    result = ReadResult(PaperInfo("id", "a \udc80 b", "text", "a\udcff.md"))
    assert decode_result(encode_result(result)[4:]) == result


def test_a_process_that_cannot_start_stops_the_run() -> None:
    with pytest.raises(RunError, match="cannot start a process"):
        read_all(ReadRequest("a"), command=("/nowhere/python",))


def test_a_module_in_the_users_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = "raise SystemExit('imported')"
    tree(tmp_path, {"tarfile.py": trap, "planner/__init__.py": trap, "x.gz": gzipped(WHOLE.encode())})
    monkeypatch.chdir(tmp_path)
    (result,) = read_all(ReadRequest("x.gz"))
    assert isinstance(result, ReadResult)
    assert result.info.title.startswith("Gearbox")


def test_the_wait_for_a_download_is_not_counted(tmp_path: Path) -> None:
    with run_arxiv_server() as server:
        server.add_paper("2507.08038v1")
        server.set_responses("/e-print/2507.08038v1", Response(gzipped(WHOLE.encode())))
        arxiv = ArxivClient(server.url, cache=tmp_path / "cache", pause=1.5)
        (result,) = read_all(ReadRequest("2507.08038v1"), limits=ReadLimits(seconds=1.0), arxiv=arxiv)
    assert isinstance(result, ReadResult)
    assert result.info.title == "Listed Title"
    assert (tmp_path / "cache" / "2507.08038v1.source").is_file()


def test_a_process_whose_program_was_killed_ends_without_a_word() -> None:
    nobody, write = os.pipe()
    os.close(nobody)
    worker = subprocess.run(
        (*WORKER_COMMAND, "{}", "", "{}"),
        input=encode_request(ReadRequest("nowhere.md")),
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    os.close(write)
    assert (worker.returncode, worker.stderr) == (0, b"")


@pytest.mark.parametrize(("papers", "most"), [(1, 1), (7, 1), (100, 8)])
def test_small_corpora_start_few_processes(papers: int, most: int) -> None:
    assert 1 <= len(create_isolated_readers(OFFLINE, papers)) <= most
