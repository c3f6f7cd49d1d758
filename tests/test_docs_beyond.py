"""The pages on many machines name only commands and options that exist, and their arithmetic is right."""

import re
import shlex
from pathlib import Path

import pytest

from tests.commands import commands as known_commands
from tests.conftest import ROOT

PAGES = [ROOT / "docs" / name for name in ("shards-and-ray.md", "self-hosted.md", "one-million-papers.md")]
ESTIMATE = (ROOT / "docs" / "one-million-papers.md").read_text(encoding="utf-8")


def commands(page: Path) -> list[list[str]]:
    text = page.read_text(encoding="utf-8")
    whole = re.sub(r"\s*\n\s+(?=--)", " ", text)
    return [
        shlex.split(line) for line in re.findall(r"ablation-planner ((?:batch|status|merge|doctor) [^`\n]*)", whole)
    ]


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda page: page.name)
def test_every_command_is_one_that_the_program_takes(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = commands(page)
    assert len(found) >= 5
    monkeypatch.chdir(tmp_path)
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
    others |= {"--requeue", "--signal", "--random-input-len", "--random-output-len"}
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
    hours = million * (tokens_in + tokens_out) / 80_000 / 3600
    assert f"{hours:.1f} h × $2 = ${8 * round(hours, 1) * 2:,.0f}" in ESTIMATE
