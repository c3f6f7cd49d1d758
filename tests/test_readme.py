"""The README's commands and its example do what they say."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import planner
from planner.models.fake import FakeModel
from tests.conftest import ROOT
from tests.scripted import GOOD_REPLY
from tests.server.replies import as_asked, error
from tests.server.server import Server

README = (ROOT / "README.md").read_text(encoding="utf-8")
OURS = {"ablation-planner": "planner", "python -m eval": "eval"}
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if not line.startswith("#")]
[EXAMPLE] = re.findall(r"```python\n(.*?)```", README, re.S)


def environment(server: Server) -> dict[str, str]:
    port = server.base_url.split(":")[2].removesuffix("/v1")
    return {
        **{name: value for name, value in os.environ.items() if name != "HOME"},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_KEY": "sk-test",
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "ABLATION_PLANNER_MODEL": "gpt-4o",
    }


def is_ours(line: str) -> bool:
    return line.startswith(tuple(OURS))


@pytest.fixture
def work_folder(tmp_path: Path, server: Server) -> Path:
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    demo = (ROOT / "planner" / "demo" / "paper.md").read_bytes()
    (tmp_path / "paper.pdf").write_bytes(demo)  # formats are told by content, so this stands for any paper
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "one.md").write_bytes(demo)
    (tmp_path / "reply.txt").write_text(GOOD_REPLY, encoding="utf-8")
    title = demo.decode().split("\n")[0].removeprefix("# ")
    gold = {"id": "demo", "title": title, "reviews": ["Remove the harmonic residual gate."]}
    (tmp_path / "gold.jsonl").write_text(json.dumps(gold), encoding="utf-8")
    label = {"id": "demo", "title": title, "ablations": [], "method_end": ""}
    (tmp_path / "labelled").mkdir()
    (tmp_path / "labelled" / "demo.md").write_bytes(demo)
    (tmp_path / "labelled" / "demo.json").write_text(json.dumps(label), encoding="utf-8")
    return tmp_path


def test_the_commands_of_the_readme_run_in_their_order(work_folder: Path, server: Server) -> None:
    runnable = [line for line in COMMANDS if is_ours(line)]
    assert len(runnable) >= 10
    for line in runnable:
        here = line.replace("http://localhost:8000/v1", server.base_url)
        name = next(name for name in OURS if line.startswith(name))
        command = here.replace(name, f"{shlex.quote(sys.executable)} -m {OURS[name]}", 1)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=work_folder,
            env=environment(server),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert done.stdout or done.stderr or ">" in line or " check " in line, f"{line} says nothing"
    assert "| gpt-4o | reviewer | 1 of 1 |" in (work_folder / "report" / "report.md").read_text(encoding="utf-8")


def test_every_other_command_is_known(work_folder: Path) -> None:
    others = {line.split("#")[0].strip() for line in COMMANDS if not is_ours(line)}
    assert others == {"make demo", "make test", "export OPENAI_API_KEY=sk-..."}


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.splitlines()) <= 15
    assert len([line for line in EXAMPLE.splitlines() if "planner" in line and "import" in line]) == 1


def test_the_example_runs_with_a_fake_model(
    work_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = FakeModel(GOOD_REPLY)
    monkeypatch.setattr(planner, "OpenAIChat", lambda name: model)
    monkeypatch.chdir(work_folder)
    exec(compile(EXAMPLE, "README.md", "exec"), {})
    assert capsys.readouterr().out == "planned \nREMOVE harmonic residual gate () ('MAE', 'STE')\n"
    assert "harmonic" in model.prompts[0].messages[1].content


def test_the_example_runs_at_an_endpoint_and_retries(work_folder: Path, server: Server) -> None:
    busy = error(503, "busy", headers={"Retry-After": "0"})
    server.answer = lambda request: busy if request.number == 1 else as_asked(request, GOOD_REPLY)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLE],
        cwd=work_folder,
        env=environment(server),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "REMOVE harmonic residual gate" in done.stdout
    assert len(server.journal) == 2


def test_the_baseline_is_as_good_as_the_readme_says(tmp_path: Path, shared: Path) -> None:
    words = ("baseline", str(shared / "papers" / "labelled"), "-o", str(tmp_path), "--json")
    done = subprocess.run(
        [sys.executable, "-m", "eval", *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    told = json.loads(done.stdout)
    means = [told[name] for name in ("recall", "precision", "f1")]
    cells = [f"{m['mean']:.2f} ({m['low']:.2f} to {m['high']:.2f})" for m in means]
    assert f"| {' | '.join(cells)} |" in README
    assert told["coverage"] == {"scored": 20, "unscored": 0, "failed": 0, "absent": 0}
