"""Papers of a corpus that are longer than the model's window: cut as the endpoint says, once, and on record."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planner.cli import cli
from tests.conftest import ROOT
from tests.scripted import GOOD_REPLY
from tests.server.http import Request, Response
from tests.server.replies import as_asked, error
from tests.server.server import Server

METHOD = "The gate bounds the residual of each layer. " * 60
THANKS = "We thank our landlady for umbrellas. " * 600
LIMIT = 6000


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A short paper, and one whose acknowledgements are longer than all the rest."""
    folder = tmp_path / "papers"
    folder.mkdir()
    whole = f"\n\n## Abstract\n\nWe gate.\n\n## Method\n\n{METHOD}\n\n## Experiments\n\nMAE falls.\n"
    (folder / "short.md").write_text(f"# Short{whole}", encoding="utf-8")
    (folder / "long.md").write_text(f"# Long{whole}\n## Acknowledgements\n\n{THANKS}\n", encoding="utf-8")
    return folder


@pytest.fixture
def narrow(server: Server) -> Server:
    """An endpoint that refuses what its window does not hold, and says how large that is."""

    def answer(request: Request) -> Response:
        if "landlady" not in request.prompt:
            return as_asked(request, GOOD_REPLY)
        return error(400, f"maximum context length is {LIMIT} tokens", code="context_length_exceeded")

    server.answer = answer
    return server


def plan(papers: Path, server: Server, *more: str) -> Result:
    words = ("batch", str(papers), "-o", str(papers.parent / "run"), "--model", "m", "--base-url", server.base_url)
    return CliRunner().invoke(cli, (*words, *more), env={"PYTHONPATH": str(ROOT)})


def facts(papers: Path, name: str) -> dict[str, Any]:
    path = papers.parent / "run" / "trajectories" / "lm-planner" / "m" / f"{name}.json"
    summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return summary


def gone(papers: Path, name: str) -> list[str]:
    """Return what was left out of a paper to fit the window."""
    return [part["heading"] for part in facts(papers, name)["paper"]["left_out"] if "window" in part["why"]]


def test_the_stated_limit_is_kept_in_one_more_try_and_on_record(papers: Path, narrow: Server) -> None:
    result = plan(papers, narrow)
    assert result.exit_code == 0, result.output
    assert len(narrow.journal) == 3, "the short one once, the long one twice"
    assert gone(papers, "long") == ["Acknowledgements"]
    assert gone(papers, "short") == []
    assert [attempt["outcome"] for attempt in facts(papers, "long")["attempts"]] == ["too_long", "planned"]


def test_the_same_command_again_sends_nothing(papers: Path, narrow: Server) -> None:
    plan(papers, narrow)
    again = plan(papers, narrow, "--json")
    assert (again.exit_code, json.loads(again.stdout)["planned"]) == (0, 2)
    assert len(narrow.journal) == 3


def test_a_window_that_is_known_is_kept_at_once(papers: Path, narrow: Server) -> None:
    result = plan(papers, narrow, "--context-window", str(LIMIT))
    assert result.exit_code == 0, result.output
    assert len(narrow.journal) == 2
    assert gone(papers, "long") == ["Acknowledgements"]


def test_what_cannot_fit_is_never_sent_and_named_in_the_status(papers: Path, narrow: Server) -> None:
    result = plan(papers, narrow, "--context-window", "1000", "--json")
    summary = json.loads(result.stdout)
    assert (result.exit_code, summary["outcomes"]) == (1, {"too_long": 2})
    assert summary["requests"] == 0
    assert narrow.journal == []
    assert "--context-window" in facts(papers, "short")["reason"]


def test_a_limit_that_no_cut_keeps_ends_after_one_request(papers: Path, server: Server) -> None:
    server.answer = lambda request: error(400, "maximum context length is 900 tokens", code="context_length_exceeded")
    result = plan(papers, server, "--json")
    assert json.loads(result.stdout)["outcomes"] == {"too_long": 2}
    assert len(server.journal) == 2, "one for each paper"
