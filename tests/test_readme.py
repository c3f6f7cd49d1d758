"""The README's commands and its example do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import planner
from planner.models.fake import FakeModel
from tests.conftest import ROOT
from tests.pages import Reader, list_lines, make_examples
from tests.scripted import GOOD_REPLY
from tests.server.replies import as_asked, error
from tests.server.server import Server

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = list_lines(README)
PYTHON_PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"```python\n(.*?)```", PYTHON_PAGE, re.S)
ENVIRONMENT = {
    "OPENAI_BASE_URL": "http://HOST/v1",
    "OPENAI_API_KEY": "sk-test",
    "OLLAMA_HOST": "HOST",
    "ABLATION_PLANNER_MODEL": "gpt-4o",
}


@pytest.fixture
def work_folder(tmp_path: Path, server: Server) -> Path:
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    make_examples(tmp_path)
    return tmp_path


def test_the_commands_of_the_readme_run_in_their_order(
    work_folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value.replace("HOST", f"127.0.0.1:{server.port}"))
    reader = Reader(work_folder, server.base_url, monkeypatch)
    reader.follow(COMMANDS)
    assert len(reader.said) >= 10
    for line, said in reader.said.items():
        assert said or " check " in line, f"{line} says nothing"
    assert "| gpt-4o | reviewer | 1 of 1 |" in (work_folder / "report" / "report.md").read_text(encoding="utf-8")


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.splitlines()) <= 15
    assert len([line for line in EXAMPLE.splitlines() if "planner" in line and "import" in line]) == 1


def test_the_example_runs_with_a_fake_model(
    work_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = FakeModel(GOOD_REPLY)
    monkeypatch.setattr(planner, "OpenAIChat", lambda name: model)
    monkeypatch.chdir(work_folder)
    exec(compile(EXAMPLE, "python.md", "exec"), {})
    assert capsys.readouterr().out == "planned \nREMOVE harmonic residual gate () ('MAE', 'STE')\n"
    assert "harmonic" in model.prompts[0].messages[1].content


def test_the_example_runs_at_an_endpoint_and_retries(work_folder: Path, server: Server) -> None:
    busy = error(503, "busy", headers={"Retry-After": "0"})
    server.answer = lambda request: busy if request.number == 1 else as_asked(request, GOOD_REPLY)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLE],
        cwd=work_folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-test"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "REMOVE harmonic residual gate" in done.stdout
    assert len(server.journal) == 2
