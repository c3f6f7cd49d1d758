"""`completion` and `help`: scripts for shells, what they complete, and the help of a command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from planner.cli import cli
from tests.cli.conftest import Run
from tests.conftest import ROOT


def complete(*words: str) -> list[str]:
    """Return what the program completes the last word to, as bash asks it."""
    env = {"COMP_WORDS": " ".join(("ablation-planner", *words)), "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        [sys.executable, "-m", "planner"],
        env={**os.environ, **env, "_ABLATION_PLANNER_COMPLETE": "bash_complete", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_options_and_values_are_completed() -> None:
    assert complete("com") == ["combine", "completion"]
    assert "--min-chance" in complete("plan", "--m")
    assert complete("plan", "--task", "a") == ["author"]


@pytest.mark.parametrize("words", [("plan",), ("parse", "reply.txt", "--paper"), ("batch",), ("paper",), ("prompt",)])
def test_papers_are_completed_as_files(words: tuple[str, ...]) -> None:
    asked = ShellComplete(cli, {}, "ablation-planner", "").get_completions([*words], "pap")
    assert [(item.value, item.type) for item in asked] == [("pap", "file")]


def test_commands_are_completed_without_importing_any() -> None:
    code = (
        "import sys, click; from planner.cli import cli; from click.shell_completion import ShellComplete as S;"
        "S(cli, {}, 'x', 'X').get_completions([], ''); print(*(m for m in sys.modules if m.startswith('planner.cli.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"planner.cli.plan", "planner.cli.batch", "planner.cli.show"} & set(done.stdout.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(run: Run, shell: str, work_folder: Path) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_ABLATION_PLANNER_COMPLETE" in result.stdout
    if found := shutil.which(shell):
        (work_folder / "script").write_text(result.stdout, encoding="utf-8")
        subprocess.run([found, "-n", "script"], cwd=work_folder, check=True)


def test_help_is_that_of_the_option(run: Run) -> None:
    assert run("help", "plan").stdout == run("plan", "--help").stdout
    assert run("help", "config", "show").stdout == run("config", "show", "--help").stdout
    assert run("help").stdout == run("--help").stdout
    for command in ("models", "config", "config path", "config show", "completion", "help"):
        assert "\n  Example: " in run("help", *command.split()).stdout
    for words in (("help", "paln"), ("help", "plan", "x")):
        result = run(*words)
        assert (result.exit_code, "No such command" in result.stderr) == (2, True)
