"""A run goes on as it was begun, whatever settings files say by then; and what sends nothing needs no key."""

import json
from pathlib import Path

import pytest

from tests.batch.conftest import program
from tests.batch.program import Program, make_papers
from tests.scripted import GOOD_REPLY
from tests.server.batches import Batches
from tests.server.replies import as_asked
from tests.server.server import Server

__all__ = ["program"]

KEY = "lab-key-marker-0123456789"
BATCH = ("batch", "papers", "-o", "run", "--plain")


class UserFile:
    """The user's settings file, in which `lab` is the server of the run."""

    def __init__(self, path: Path, server: Server) -> None:
        self._path = path
        self._server = server
        path.parent.mkdir(parents=True)

    def write(self, *lines: str, address: str = "") -> None:
        table = ("[endpoints.lab]", f'base_url = "{address or self._server.base_url}"', 'key_env = "LAB_KEY"')
        self._path.write_text("\n".join((*lines, *table)), encoding="utf-8")

    def delete(self) -> None:
        self._path.unlink()


@pytest.fixture
def user_file(program: Program, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UserFile:
    make_papers(program.folder / "papers", 2)
    monkeypatch.setenv("LAB_KEY", KEY)
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    return UserFile(tmp_path / ".config" / "ablation-planner" / "config.toml", server)


def test_a_run_is_continued_with_the_settings_that_it_was_begun_with(
    program: Program, user_file: UserFile, server: Server
) -> None:
    user_file.write('model = "lab/m"', "k = 3")
    program.invoke(*BATCH)
    assert "give up to 3 " in server.journal[0].prompt
    assert server.journal[0].headers["authorization"] == f"Bearer {KEY}"
    user_file.write('model = "lab/other"', "k = 2", 'task = "author"')
    changed = program.invoke(*BATCH)
    assert "keeps its own settings (model m, task reviewer, k 3), whatever the settings files say" in changed.stderr
    user_file.delete()
    assert "keeps its own settings" in program.invoke(*BATCH).stderr
    estimate = json.loads(program.invoke(*BATCH, "--dry-run", "--json").stdout)
    assert [each["model"] for each in estimate["models"]] == ["m"]
    assert len(server.journal) == 2


def test_the_command_line_changes_a_run_all_the_same(program: Program, user_file: UserFile, server: Server) -> None:
    user_file.write('model = "lab/m"', "k = 3")
    program.invoke(*BATCH)
    program.invoke(*BATCH, "-k", "4")
    assert ["give up to 4 " in request.prompt for request in server.journal] == [False, False, True, True]
    assert {request.json["model"] for request in server.journal} == {"m"}
    assert KEY not in (program.folder / "run" / "run.json").read_text(encoding="utf-8")


def test_a_run_stays_at_its_address_when_that_of_the_name_changes(
    program: Program, user_file: UserFile, server: Server
) -> None:
    user_file.write()
    program.invoke(*BATCH, "-m", "lab/m")
    make_papers(program.folder / "papers", 3)
    user_file.write(address="http://127.0.0.1:9/v1")
    done = program.invoke(*BATCH, "-m", "lab/m")
    assert "keeps its own settings" in done.stderr
    assert len(server.journal) == 3
    program.invoke(*BATCH, "-m", "lab/m", "--base-url", "http://127.0.0.1:9/v1", "--max-wait", "0", code=1)


def test_without_settings_a_run_changes_as_it_always_did(program: Program, server: Server) -> None:
    make_papers(program.folder / "papers", 1)
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    for words in (("-k", "3"), ()):
        program.invoke(*BATCH, "-m", "m", "--base-url", server.base_url, *words)
    assert ["give up to 3 " in request.prompt for request in server.journal] == [True, False]


def test_results_are_collected_with_the_key_and_the_price_of_their_model(
    program: Program, user_file: UserFile, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABLATION_PLANNER_POLL", "0.02")
    server.answer = Batches().answer
    user_file.write("[prices]", 'm = "1000000,0"')
    program.invoke(*BATCH, "-m", "lab/m", "--engine", "openai-batch", "--submit-only")
    user_file.delete()
    program.invoke("collect", "run")
    assert {request.headers["authorization"] for request in server.journal} == {f"Bearer {KEY}"}
    status = program.status()
    assert (status["outcomes"], status["cost"] > 0) == ({"planned": 2}, True)


@pytest.mark.parametrize(
    ("model", "more", "cost"),
    [
        ("gpt-4o", (), "about $"),
        ("openrouter/x/unknown", (), "cost unknown (set a price with --price IN,OUT; --max-cost needs a price)"),
        (
            "openrouter/x/unknown",
            ("--max-cost", "1"),
            "cost unknown (set a price with --price IN,OUT; --max-cost needs a price)",
        ),
        ("openrouter/x/unknown", ("--price", "1,2"), "about $"),
        ("gpt-4o", ("--engine", "openai-batch"), "about $"),
        ("gpt-4o", ("--offline",), "about $"),
    ],
)
def test_an_estimate_needs_neither_a_key_nor_a_price(
    program: Program, model: str, more: tuple[str, ...], cost: str
) -> None:
    make_papers(program.folder / "papers", 1)
    done = program.invoke(*BATCH, "-m", model, *more, "--dry-run")
    assert cost in done.stdout
    assert " tokens in 1 request, about 2,000 tokens per reply, " in done.stdout
    assert not (program.folder / "run").exists()


def test_a_run_is_prepared_exported_and_imported_without_a_key(program: Program, tmp_path: Path) -> None:
    make_papers(program.folder / "papers", 1)
    program.invoke(*BATCH, "-m", "gpt-4o", "--prepare")
    [requests] = program.invoke("export", "run", "--to", "openai-batch", "requests.jsonl").stdout.split()
    (program.folder / "empty.jsonl").touch()
    assert "0 replies imported" in program.invoke("import", "run", "empty.jsonl", code=1).stderr
    assert len((program.folder / requests).read_bytes().splitlines()) == 1
    assert "needs a key" in program.invoke(*BATCH, "-m", "gpt-4o", code=2).stderr
