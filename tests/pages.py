"""The commands in pages of the documentation, and a reader who types them, in this process and without a shell."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import eval.__main__ as evaluation
from planner.cli import cli
from tests.batch.program import make_papers
from tests.commands import commands
from tests.conftest import ROOT
from tests.scripted import GOOD_REPLY
from tests.server.batches import answer_as_run_batch_does

DEMO = ROOT / "planner" / "demo" / "paper.md"
# Lines that need a network, a GPU, a cluster or a client, or that set up a checkout or go on without end.
NOT_HERE = re.compile(
    r"^(?:pip|pipx|uv|uvx|claude|vllm serve|make|git)\b|--engine ray|--fetch|ablation-planner (?:mcp|serve)\b"
)
ADDRESS = re.compile(r"http://(?:localhost|gpu\d):8000/v1")
PROGRAMS: Mapping[str, click.Command] = {"ablation-planner": cli, "python -m eval": evaluation.main}


def list_lines(text: str) -> list[str]:
    """Return what a reader would type: the lines of the blocks for a shell, without comments and whole scripts."""
    blocks = re.findall(r"^( *)```(\w*)\n(.*?)^\1```", text, re.S | re.M)
    shown = [block for _, language, block in blocks if language in ("", "sh") and not block.startswith("#!")]
    joined = "".join(shown).replace("\\\n", " ")
    return [line for each in joined.splitlines() if (line := each.strip()) and not line.startswith("#")]


def find_commands(text: str) -> Iterable[list[str]]:
    """Yield the words of each call of the program anywhere in a page, but for those with a placeholder."""
    whole = re.sub(r"\s*\n\s+(?=--)", " ", text)
    for line in re.findall(rf"ablation-planner ((?:{'|'.join(commands())}) [^`\n]*)", whole):
        if "…" not in line and not re.search(r"\b[A-Z]{3,}\b", line.replace("$SLURM_ARRAY_TASK_ID", "")):
            yield shlex.split(line.partition(" > ")[0], comments=True)


def make_examples(folder: Path) -> None:
    """Write all files that the pages name; formats are told by content, so the demo stands for any paper."""
    make_papers(folder / "papers", 3)
    for name in ("paper.pdf", "papers/paper.pdf", "labelled/demo.md"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(DEMO.read_bytes())
    title = DEMO.read_text(encoding="utf-8").split("\n")[0].removeprefix("# ")
    label = {"id": "demo", "title": title, "ablations": [], "method_end": ""}
    gold = {"id": "demo", "title": title, "reviews": ["Remove the harmonic residual gate."]}
    corpus = {"id": "mine", "path": "paper.pdf", "title": "A title of mine"}
    for name, value in (("labelled/demo.json", label), ("gold.jsonl", gold), ("corpus.jsonl", corpus)):
        (folder / name).write_text(json.dumps(value) + "\n", encoding="utf-8")
    for name in ("reply.txt", "revised.txt"):
        (folder / name).write_text(GOOD_REPLY, encoding="utf-8")


@dataclass
class Reader:
    """A reader in a folder; every address that a page names is `base_url`. `said` has what each line printed.

    Where prompts wait for replies in files, the reader writes a reply to each, and types the line again.
    """

    folder: Path
    base_url: str
    monkeypatch: pytest.MonkeyPatch
    said: dict[str, str] = field(default_factory=dict)

    def follow(self, lines: Iterable[str]) -> None:
        """Type the lines, one after the other; each must end well."""
        for line in lines:
            if not NOT_HERE.search(line):
                self.type_line(line)

    def type_line(self, line: str) -> None:
        typed, _, target = ADDRESS.sub(self.base_url, line).partition(" > ")
        match shlex.split(typed, comments=True):
            case ["export", setting]:
                self.monkeypatch.setenv(*setting.split("=", 1))
            case ["mkdir", "-p", name]:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            case ["vllm", "run-batch", "-i", requests, "-o", results, *_]:
                answer_as_run_batch_does(self.folder / requests, self.folder / results)
            case words:
                done = self._run(line, words)
                if "save each reply under its prompt" in done.output:
                    self._reply_to_prompts()
                    done = self._run(line, words)
                assert done.exit_code == 0, f"{line}\n{done.output}"
                self.said[line] = done.output
                if target:
                    (self.folder / target.strip()).write_bytes(done.stdout_bytes)

    def _run(self, line: str, words: list[str]) -> Result:
        name = next((name for name in PROGRAMS if shlex.join(words).startswith(name)), None)
        assert name, f"{line}: no command of ours"
        arguments = words[len(name.split()) :]
        paths = [path for word in arguments for path in (self._match(word) if "*" in word else [word])]
        with chdir(self.folder):
            done = CliRunner().invoke(PROGRAMS[name], paths, prog_name=name)
        assert done.exception is None or isinstance(done.exception, SystemExit), (line, done.exception)
        return done

    def _reply_to_prompts(self) -> None:
        for prompt in (self.folder / "prompts").iterdir():
            (self.folder / "replies" / prompt.name).write_text(GOOD_REPLY, encoding="utf-8")

    def _match(self, pattern: str) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.glob(pattern))
