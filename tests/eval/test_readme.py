"""The commands in the README of `eval`: all are there, and those on masked papers run in their order."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click

from eval.__main__ import main
from tests.conftest import ROOT
from tests.eval.conftest import Run
from tests.eval.made import ablation

README = (ROOT / "eval" / "README.md").read_text(encoding="utf-8")
CARD = (ROOT / "eval" / "bench" / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```", README + CARD, re.S | re.M)
BLOCKS = [block.splitlines() for language, block in FENCED if language in ("", "sh")]
COMMANDS = [line for block in BLOCKS for line in block if line.startswith("python -m eval ")]


def test_every_command_is_named_with_options_that_it_has() -> None:
    named = set()
    for line in COMMANDS:
        words = re.split(r"\s{3,}", line.removeprefix("python -m eval"))[0]
        names = words.split()
        for name in [names[0]] + ([names[2]] if names[1] == "|" else []):
            command = main.commands[name]
            options = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
            assert set(re.findall(r"\s(--?[a-z-]+)", words)) <= options, line
            named.add(name)
    assert named == set(main.commands)


def test_the_commands_on_masked_papers_run_in_their_order(run: Run, workdir: Path) -> None:
    [block] = [block for block in BLOCKS if block[0].startswith("python -m eval mask paper.pdf")]
    demo = (ROOT / "planner" / "demo" / "paper.md").read_text(encoding="utf-8")
    (workdir / "paper.pdf").write_text(demo, encoding="utf-8")  # formats are told by content
    label = {
        "id": "demo",
        "title": "",
        "ablations": [ablation("gate", "harmonic residual gate").model_dump(mode="json")],
    }
    (workdir / "paper.json").write_text(json.dumps(label), encoding="utf-8")
    for line in block:
        words = shlex.split(line.replace(" --model gpt-4o", "").replace(" -o masked", " -o masked --yes"))
        if words[0] == "python":
            result = run(*words[3:])
            assert result.exit_code == 0, (line, result.output)
        else:
            command = [sys.executable, "-m", "planner", *words[1:]]
            done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
    assert "## Masked papers" in (workdir / "report" / "report.md").read_text(encoding="utf-8")
