"""The page on settings: its example is a settings file, and each of its commands runs."""

import re
import shlex
from pathlib import Path

import pytest

from planner.cli.settings import SETTING_NAMES
from planner.reading import fetch
from tests.cli.conftest import DEMO, Run, run, work_folder
from tests.conftest import ROOT
from tests.scripted import GOOD_REPLY
from tests.server.http import Request, Response
from tests.server.replies import as_asked, body
from tests.server.server import Server

__all__ = ["run", "work_folder"]

PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]


class Fetcher:
    """A fetcher that has the demo paper at every address."""

    async def fetch_content(self, address: str) -> bytes:
        return DEMO.read_bytes()


def answer(request: Request) -> Response:
    return body({"data": [{"id": "qwen3-32b"}]}) if request.method == "GET" else as_asked(request, GOOD_REPLY)


def test_the_commands_run_in_their_order(
    run: Run, server: Server, work_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = answer
    monkeypatch.setattr(fetch, "PaperFetcher", Fetcher)
    monkeypatch.setenv("HOME", str(work_folder))
    monkeypatch.setenv("LAB_KEY", "lab-key-0123456789")
    (work_folder / "prompts").symlink_to(ROOT / "prompts")
    (work_folder / "paper.pdf").write_bytes(DEMO.read_bytes())
    user_file = tmp_path / ".config" / "ablation-planner" / "config.toml"
    user_file.parent.mkdir(parents=True)
    for file in (user_file, work_folder / "config.toml"):
        file.write_text(EXAMPLE.replace("http://localhost:8000/v1", server.base_url), encoding="utf-8")
    assert len(COMMANDS) >= 15
    for line in COMMANDS:
        program, *words = shlex.split(line.partition(" > ")[0].replace("http://localhost:8000/v1", server.base_url))
        assert program == "ablation-planner"
        done = run(*words)
        assert done.exit_code == 0, f"{line}\n{done.output}"
        assert done.stdout, line
    assert {request.json["model"] for request in server.journal if request.method == "POST"} == {"qwen3-32b"}


def test_every_setting_is_named() -> None:
    assert [name for name in SETTING_NAMES if name not in PAGE] == []


def test_the_limits_of_fetching_are_those_of_the_code() -> None:
    said = f"At most {fetch.MAX_FETCHED_BYTES // 1_000_000} MB in {fetch.MAX_FETCH_SECONDS:.0f} s are read"
    assert said in PAGE
