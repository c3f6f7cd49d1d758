"""The pages on many machines: what they tell to run runs, what they name exists, and their arithmetic is right."""

import re
import shlex
from pathlib import Path

import pytest

from tests.batch.conftest import program
from tests.batch.program import Program, make_papers
from tests.commands import commands as known_commands
from tests.conftest import ROOT
from tests.server.batches import Batches, answer_as_run_batch_does
from tests.server.server import Server

__all__ = ["program"]

NAMES = ("shards-and-ray.md", "self-hosted.md", "beyond-one-machine.md", "one-million-papers.md")
PAGES = [ROOT / "docs" / name for name in NAMES]
ESTIMATE = (ROOT / "docs" / "one-million-papers.md").read_text(encoding="utf-8")


OURS = "batch|status|merge|doctor|collect|export|import"
NOT_HERE = ("vllm serve", "pip install", "--engine ray")  # what needs a GPU, a network or a cluster


def lines(page: Path) -> list[str]:
    """What a reader would type, but for the examples for schedulers."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)
    shown = [text for language, text in blocks if language in ("", "sh") and not text.startswith("#!")]
    typed = "".join(shown).splitlines()
    return [line for line in typed if not any(words in line for words in NOT_HERE)]


@pytest.mark.parametrize(
    ("name", "count"), [("shards-and-ray.md", 5), ("self-hosted.md", 4), ("beyond-one-machine.md", 5)]
)
def test_a_page_can_be_followed_line_by_line(
    name: str, count: int, program: Program, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_papers(program.folder / "papers", 4)
    server.answer = Batches().answer
    for variable, value in [("OPENAI_BASE_URL", server.base_url), ("OPENAI_API_KEY", "sk-x")]:
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("ABLATION_PLANNER_POLL", "0.02")
    typed = lines(ROOT / "docs" / name)
    assert len(typed) == count
    for line in typed:
        command, *words = shlex.split(re.sub(r"http://(gpu\d|localhost):8000/v1", server.base_url, line))
        if command == "vllm":
            answer_as_run_batch_does(program.folder / words[2], program.folder / words[4])
        else:
            assert command == "ablation-planner"
            program.invoke(*words)
    status = program.status()
    assert (status["papers"], status["failed"], status["pending"]) == (4, 0, 0)


def commands(page: Path) -> list[list[str]]:
    text = page.read_text(encoding="utf-8")
    whole = re.sub(r"\s*\n\s+(?=--)", " ", text)
    return [shlex.split(line) for line in re.findall(rf"ablation-planner ((?:{OURS}) [^`\n]*)", whole)]


@pytest.mark.parametrize("page", PAGES[:3], ids=lambda page: page.name)
def test_every_command_is_one_that_the_program_takes(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = commands(page)
    assert len(found) >= 4
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results.jsonl").touch()
    for words in found:
        name, *arguments = [
            word.replace("$SLURM_ARRAY_TASK_ID", "7").replace("$((JOB_COMPLETION_INDEX + 1))", "7") for word in words
        ]
        command = known_commands()[name]
        command.make_context(name, arguments)  # fails on an option or a value that it does not take


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_that_a_page_names_is_one(page: Path) -> None:
    known = {option for command in known_commands().values() for p in command.params for option in p.opts}
    others = {"--served-model-name", "--port", "--max-model-len", "--enable-prefix-caching", "--array", "--time"}
    others |= {"--requeue", "--signal", "--random-input-len", "--random-output-len", "--case", "--pairs"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text(encoding="utf-8")))
    assert named <= known | others


def test_the_arithmetic_is_right() -> None:
    tokens_in, tokens_out, million = 20_000, 1_500, 1_000_000
    cost = tokens_in * 0.15 + tokens_out * 0.60
    minutes = million * (tokens_in + tokens_out) / 10_000_000
    assert f"**${cost:,.0f}**" in ESTIMATE
    assert f"**${cost / 2:,.0f}**" in ESTIMATE
    assert f"{minutes:,.0f} min = **{minutes / 60:.1f} h**" in ESTIMATE
    assert f"{million / minutes:.0f} papers a minute, {million / minutes / 60:.1f} a second" in ESTIMATE
    assert f"{million / minutes / 60 * 30:.0f}, so" in ESTIMATE
    assert (
        f"{million:,} / 1.4 = {million / 1.4 / 3600:.0f} core hours; {-(-million / minutes / 60 // 1.4):.0f} cores"
        in ESTIMATE
    )
    assert f"{million * tokens_in / 1e9:.1f} / 5 = {million * tokens_in / 5e9:.0f} rounds" in ESTIMATE
    assert f"at most {million * tokens_in / 5e9 * 24:.0f} h" in ESTIMATE
    assert f"{million * 80_000 / 1e9:.0f} GB in {million * 80_000 / 200e6:.0f} files" in ESTIMATE
    assert f"{2900 / 2:,.0f} requests/s at the least: a million in {million / 1450 / 60 + 0.5:.0f} min" in ESTIMATE
    assert f"{1000 / 12.7:.0f} papers/s at the least, {1000 / 12.7 / 7.8:.0f} times" in ESTIMATE
    hours = million * (tokens_in + tokens_out) / 80_000 / 3600
    assert f"{hours:.1f} h × $2 = ${8 * round(hours, 1) * 2:,.0f}" in ESTIMATE
