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
from planner.batch.run_folder import RunFolder
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
    plan = PLANS[model][int(number[1]) % 2]
    return contract(
        "Because it matters.", [{**a.model_dump(mode="json"), "chance": 80 - 20 * n} for n, a in enumerate(plan)]
    )


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
    """The score of each paper by each judge, in the report."""
    text = (folder / "report.md").read_text(encoding="utf-8")
    return [line for line in text.split("## Score of each paper")[1].split("##")[0].split("\n") if line.startswith("|")]


@pytest.mark.parametrize("papers", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_trial_asks_each_request_once_and_reports_the_same(
    papers: int, start: Start, run: Run, workdir: Path, endpoint: Endpoint
) -> None:
    write_trial(workdir, papers=papers, concurrency=1)
    for _ in range(5):  # within the plans of each arm, and within the verdicts
        endpoint.hangs.clear()
        endpoint.hang_after = papers
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


def reply_to_files(prompts: Path, replies: Path) -> int:
    """Reply to each prompt that has no reply yet, as a person would; return how many there were."""
    names = [path.name for path in prompts.iterdir() if not (replies / path.name).exists()]
    for name in names:
        text = reply_to(name.split("-")[0], (prompts / name).read_text(encoding="utf-8"))
        (replies / name).write_text(text, encoding="utf-8")
    return len(names)


@pytest.mark.parametrize("papers", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_the_trial_of_the_readme_runs_by_files_alone(papers: int, run: Run, workdir: Path, endpoint: Endpoint) -> None:
    readme = (ROOT / "eval" / "README.md").read_text(encoding="utf-8")
    command = next(line for line in readme.split("\n") if line.startswith("python -m eval trial") and "--repl" in line)
    write_trial(workdir, papers=papers)
    Path("replies").mkdir()
    waiting, codes = list[int](), list[int]()
    while not codes or codes[-1] == 1:
        codes.append(run(*shlex.split(command)[3:], "-q", "--no-plots").exit_code)
        waiting.append(reply_to_files(workdir / "prompts", workdir / "replies"))
    assert (codes, waiting) == ([1, 1, 0], [3 * papers, 3 * papers, 0]), (
        "the plans come first, and then the verdicts on them"
    )
    assert not endpoint.answered
    run_trial(run, endpoint.env, "-o", "live")
    assert read_scores(workdir / "by-hand") == read_scores(workdir / "live")


def test_a_useless_reply_in_a_file_is_asked_for_again(run: Run, workdir: Path) -> None:
    write_trial(workdir, papers=2)
    words = ("-o", "out", "--prompts-to", "files", "--replies-from", "replies")
    Path("replies").mkdir()
    run_trial(run, {}, *words, code=1)
    first = {path.name for path in Path("files").iterdir()}
    for name in first:
        Path("replies", name).write_text("I do not know.", encoding="utf-8")
    run_trial(run, {}, *words, code=1)
    again = {path.name for path in Path("files").iterdir()} - first
    assert len(again) == len(first)
    assert all("there is no <predictions> block" in Path("files", name).read_text(encoding="utf-8") for name in again)


def test_useless_verdicts_in_a_file_are_asked_for_again(run: Run, workdir: Path) -> None:
    write_trial(workdir, papers=2)
    prompts, replies = Path("files"), Path("replies")
    words = ("-o", "out", "--prompts-to", "files", "--replies-from", "replies")
    replies.mkdir()
    for _ in range(2):
        run_trial(run, {}, *words, code=1)
        last = [path.name for path in prompts.iterdir() if not (replies / path.name).exists()]
        reply_to_files(prompts, replies)
    for name in last:
        (replies / name).write_text("I cannot tell.", encoding="utf-8")
    run_trial(run, {}, *words, code=1)
    again = [path for path in prompts.iterdir() if not (replies / path.name).exists()]
    assert len(again) == len(last) == 6
    assert all("there is no <verdicts> block" in path.read_text(encoding="utf-8") for path in again)
    reply_to_files(prompts, replies)
    run_trial(run, {}, *words)


def test_combined_arms_cost_what_their_members_cost_and_like_arms_share_replies(
    run: Run, workdir: Path, endpoint: Endpoint
) -> None:
    arms = (
        '[[arms]]\nname = "strict"\nmodel = "large"\nprice = "1,4"\n'
        '[[arms]]\nname = "lenient"\nmodel = "large"\nprice = "1,4"\nmin_chance = 0\n'
        '[[arms]]\nname = "middle"\nmodel = "middle"\nprice = "1,4"\n'
        '[[arms]]\nname = "revised"\nmodel = "large"\nprice = "1,4"\nstrategy = "revise"\n'
        '[[arms]]\nname = "joined"\ncombine = ["strict", "middle"]\n'
    )
    write_trial(workdir, arms)
    estimate = json.loads(run_trial(run, endpoint.env, "-o", "out", "--dry-run", "--json").stdout)
    requests = {arm["name"]: arm["requests"] for arm in estimate["arms"]}
    assert requests == {"strict": 4, "lenient": 0, "middle": 4, "revised": 4}, "shared ones are paid for once"
    run_trial(run, endpoint.env, "-o", "out")
    assert Counter(model for model, _ in endpoint.answered if model != "judge") == {"large": 8, "middle": 4}
    assert set(endpoint.answered.values()) == {1}, "equal plans are judged once"
    rows = [line.split(",") for line in Path("out/arms.csv").read_text(encoding="utf-8").splitlines()[1:]]
    costs = {row[0]: float(row[3]) for row in rows}
    assert costs["strict"] == costs["lenient"] > 0
    assert costs["revised"] == pytest.approx(2 * costs["strict"], abs=2e-4), "its draft is that of another arm"
    assert costs["joined"] == pytest.approx(costs["strict"] + costs["middle"], abs=2e-4)
    assert "joined" not in Path("out/found-by-one-arm.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in Path("out/calibration.csv").read_text(encoding="utf-8").splitlines()]
    assert ["middle · judge", "80 to 89 %", "4", "4", "100 %"] in [row[:5] for row in rows]
    assert run("trial", "trial.toml", "-o", "out", "-q", env=endpoint.env).exit_code == 0
    pictures = {path.name for path in Path("out").glob("*.svg")}
    assert pictures >= {"f1.svg", "recall-by-k.svg", "cost.svg", "actions.svg", "calibration.svg"}


def test_a_trial_on_masked_papers_reports_ranks(run: Run, workdir: Path, endpoint: Endpoint) -> None:
    write_trial(workdir)
    answer = DEPTH.model_dump(mode="json")
    rows = [{"id": f"paper{n:04}", "title": f"Paper {n}", "answers": [answer]} for n in range(4)]
    Path("gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = Path("trial.toml").read_text(encoding="utf-8").replace('"author"', '"reviewer"')
    Path("trial.toml").write_text(text, encoding="utf-8")
    run_trial(run, endpoint.env, "-o", "out")
    scores = [line.split(" | ")[1:] for line in read_scores(Path("out")) if "paper000" in line]
    assert scores == 2 * [["0.00", "0.00", "0.00 |"], ["0.50", "0.00", "1.00 |"]] * 2
    run_trial(run, endpoint.env, "-o", "out", "--dry-run")


def test_a_dry_run_sends_nothing_and_says_what_is_left(run: Run, workdir: Path, endpoint: Endpoint) -> None:
    write_trial(workdir, ARMS.replace("[[arms]]", '[[arms]]\nprice = "1,4"'))
    estimate = json.loads(run_trial(run, endpoint.env, "-o", "out", "--dry-run", "--json").stdout)
    assert not endpoint.answered
    assert [(arm["name"], arm["requests"]) for arm in estimate["arms"]] == [
        ("large arm", 4),
        ("middle arm", 4),
        ("small arm", 4),
    ]
    assert all(arm["cost"] > 0 for arm in estimate["arms"])
    assert [(judge["name"], judge["requests"], judge["cost"]) for judge in estimate["judges"]] == [("judge", 12, None)]
    run_trial(run, endpoint.env, "-o", "out")
    estimate = json.loads(run_trial(run, endpoint.env, "-o", "out", "--dry-run", "--json").stdout)
    assert [step["requests"] for step in (*estimate["arms"], *estimate["judges"])] == [0, 0, 0, 0]


def test_the_cost_limit_holds_for_all_arms_together(run: Run, workdir: Path, endpoint: Endpoint) -> None:
    arms = ARMS.replace("[[arms]]", '[[arms]]\nprice = "1000,1000"\nmax_tokens = 100')
    write_trial(workdir, "max_cost = 16.0\n" + arms, concurrency=1)
    run_trial(run, endpoint.env, "-o", "out", code=1)
    spent = 1.02 * endpoint.answered.total()
    assert 0 < spent <= 16
    assert {model for model, _ in endpoint.answered} == {"large", "middle"}
    assert not Path("out/report.md").exists(), "nothing is judged before all arms are planned"


def test_two_processes_do_not_work_on_one_trial(run: Run, workdir: Path, endpoint: Endpoint) -> None:
    write_trial(workdir)
    with RunFolder(workdir / "out").lock_folder():
        assert "is in use by" in run_trial(run, endpoint.env, "-o", "out", code=1).stderr
    assert not endpoint.answered


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (("task =", "task"), "is not TOML"),
        (('"author"', '"writer"'), "task: "),
        (('name = "small arm"', 'name = "small arm"\nk = 0'), "arm 3.k: "),
        (('name = "small arm"', 'name = "small arm"\nsize = 3'), "arm 3.size: "),
        (('name = "small arm"', 'name = "small arm"\nstrategy = "guess"'), "arm 3.strategy: there is no strategy"),
        (('name = "small arm"', 'name = "../arm"'), "arm 3.name: "),
        (('name = "small arm"', 'name = "Large arm"'), "arms: 'large arm' occurs twice"),
        (('model = "small"', 'combine = ["large arm"]'), "arms: small arm: combine: name two or more of"),
        (('model = "small"', 'model = "small"\ncombine = ["large arm", "middle arm"]'), "arm 3: model: "),
        (('model = "small"', ""), "arm 3: model: name one"),
        (("concurrency = 4", "concurrency = 0"), "concurrency: "),
        (('gold = "gold.jsonl"', ""), "gold: "),
    ],
)
def test_a_wrong_trial_is_an_error_with_file_and_key(change: tuple[str, str], finding: str, tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text((HEAD.format(4) + ARMS).replace(*change), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_trial(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert finding in str(caught.value)
