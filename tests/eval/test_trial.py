"""A trial over real HTTP and by files alone: killed and continued, with one arm more, wrong files, and its cost."""

import json
import re
import shlex
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eval.trial import read_trial
from planner.errors import UsageError
from planner.schema import Ablation
from tests.batch.program import make_papers
from tests.conftest import ROOT
from tests.eval.conftest import Run, Start
from tests.eval.made import DEPTH, GATE, LOSS, POOL, by_part, shown, write_gold
from tests.scripted import contract
from tests.server.http import Request, Response
from tests.server.replies import as_asked
from tests.server.server import Server

PLANS: dict[str, tuple[list[Ablation], list[Ablation]]] = {
    "large": ([GATE, LOSS], [POOL, DEPTH]),
    "middle": ([GATE], [LOSS, POOL]),
    "small": ([POOL], [DEPTH]),
    "other": ([LOSS, POOL], [GATE]),
}
ARMS = "".join(f'[[arms]]\nname = "{model} arm"\nmodel = "{model}"\n' for model in ("large", "middle", "small"))
OTHER_ARM = '[[arms]]\nname = "other arm"\nmodel = "other"\n'
HEAD = 'task = "author"\npapers = "papers"\ngold = "gold.jsonl"\njudges = ["offline", "judge"]\nconcurrency = {}\n'


def write_trial(folder: Path, arms: str = ARMS, papers: int = 4, concurrency: int = 4) -> Path:
    names = [path.stem for path in make_papers(folder / "papers", papers).iterdir()]
    write_gold(folder / "gold.jsonl", {name: [GATE, LOSS, DEPTH] for name in sorted(names)})
    path = folder / "trial.toml"
    path.write_text(HEAD.format(concurrency) + arms, encoding="utf-8")
    return path


def reply_to(model: str, prompt: str) -> str:
    """The verdicts of an honest judge, or a plan that depends on the model and the paper."""
    if any(shown(prompt)):
        return by_part(prompt)
    number = re.search(r"We gate (\d+)\.", prompt)
    assert number
    return contract("Because it matters.", PLANS[model][int(number[1]) % 2])


class Endpoint:
    """A scripted endpoint that counts its answers, and hangs at a request when it is told to."""

    def __init__(self, server: Server) -> None:
        self.answered: Counter[tuple[str, str]] = Counter()
        self.hang_after = -1
        self.hangs = threading.Event()
        self.env = {"OPENAI_API_KEY": "sk-marker-0123456789", "OPENAI_BASE_URL": server.base_url}
        server.answer = self.answer

    def answer(self, request: Request) -> Response:
        model = request.json["model"]
        response = as_asked(request, reply_to(model, request.prompt))
        if self.hang_after == 0:
            self.hangs.set()
            return response.hanging()
        self.hang_after -= 1
        self.answered[model, request.prompt] += 1
        return response


@pytest.fixture
def endpoint(server: Server) -> Endpoint:
    return Endpoint(server)


def run_trial(run: Run, env: dict[str, str], *more: object, code: int = 0) -> Any:
    result = run("trial", "trial.toml", "-q", "--no-plots", *more, env={**env, "ABLATION_PLANNER_PRICE": "1,4"})
    assert result.exit_code == code, result.stderr
    return result


def read_report(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}


def read_scores(folder: Path) -> list[str]:
    """The F1 of each paper by each judge, in the report."""
    text = (folder / "report.md").read_text(encoding="utf-8")
    return [line for line in text.split("## F1 of each paper")[1].split("##")[0].split("\n") if line.startswith("|")]


@pytest.mark.parametrize("papers", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_trial_asks_each_request_once_and_reports_the_same(
    papers: int, start: Start, run: Run, workdir: Path, endpoint: Endpoint
) -> None:
    write_trial(workdir, papers=papers, concurrency=1)
    for kill in range(5):
        endpoint.hangs.clear()
        endpoint.hang_after = papers + kill if kill else papers // 2
        process = start("trial", "trial.toml", "-o", "killed", "-q", "--no-plots", env=endpoint.env)
        assert endpoint.hangs.wait(60), process.communicate()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    endpoint.hang_after = -1
    run_trial(run, endpoint.env, "-o", "killed")
    assert set(endpoint.answered.values()) == {1}
    first = Counter(endpoint.answered)
    assert sum(model != "judge" for model, _ in first) == 3 * papers

    run_trial(run, endpoint.env, "-o", "killed")
    assert endpoint.answered == first, "a trial that is run again asks nothing"
    run_trial(run, endpoint.env, "-o", "calm")
    assert read_report(workdir / "killed") == read_report(workdir / "calm")

    endpoint.answered.clear()
    write_trial(workdir, ARMS + OTHER_ARM, papers)
    run_trial(run, endpoint.env, "-o", "killed")
    assert set(endpoint.answered.values()) == {1}
    assert not endpoint.answered.keys() & first.keys()
    assert Counter(model for model, _ in endpoint.answered) == {"other": papers, "judge": papers}
