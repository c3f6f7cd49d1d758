"""The documentation: its pages build without a warning and load nothing, and their commands do what they say."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

import eval.__main__ as evaluation
import planner
from planner.cli import cli
from planner.models.fake import FakeModel
from tests.commands import commands
from tests.conftest import ROOT
from tests.pages import Reader, find_commands, list_lines, make_examples
from tests.scripted import GOOD_REPLY
from tests.server.batches import Batches
from tests.server.server import Server

DOCS = ROOT / "docs"
SKILL = ROOT / "planner" / "skill" / "SKILL.md"
PAGES = [*sorted(DOCS.glob("*.md")), SKILL]
TYPED_ELSEWHERE = {
    "details.md",
    "settings.md",
}  # by a test that looks at what the commands say: test_details_page.py, …
# What stands on another page, and is there when a reader comes to this one.
BEFORE = {"exports.md": ["ablation-planner batch papers/ -o run --model gpt-4o"]}
FOREIGN_OPTIONS = {
    *("--served-model-name", "--port", "--max-model-len", "--enable-prefix-caching", "--array", "--time", "--requeue"),
    *("--signal", "--random-input-len", "--random-output-len", "--case", "--pairs", "--seconds", "--from"),
}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in TYPED_ELSEWHERE], ids=lambda page: page.name
)
def test_a_page_can_be_followed_line_by_line(
    page: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_examples(tmp_path)
    server.answer = Batches().answer
    for variable, value in [
        *(("OPENAI_BASE_URL", server.base_url), ("OPENAI_API_KEY", "sk-x"), ("ABLATION_PLANNER_POLL", "0.02")),
        *(("OLLAMA_HOST", f"127.0.0.1:{server.port}"), ("HOME", str(tmp_path))),
    ]:
        monkeypatch.setenv(variable, value)
    reader = Reader(tmp_path, server.base_url, monkeypatch)
    reader.follow([*BEFORE.get(page.name, []), *list_lines(page.read_text(encoding="utf-8"))])
    for ledger in tmp_path.glob("*/ledger.sqlite"):
        reader.type_line(f"ablation-planner status {ledger.parent.name} --json")
        status = json.loads(reader.said[f"ablation-planner status {ledger.parent.name} --json"])
        assert (status["failed"], status["pending"]) == (0, 0)


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (DOCS / "faq.md").read_text(encoding="utf-8"), re.S)
    make_examples(tmp_path)
    monkeypatch.setattr(planner, "OpenAIChat", lambda name: FakeModel(GOOD_REPLY))
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "faq.md", "exec"), {})
    assert capsys.readouterr().out == "planned \n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_is_one(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    make_examples(tmp_path)
    for name, *arguments in find_commands(text):
        shards = [re.sub(r"\$SLURM_ARRAY_TASK_ID|\$\(\(JOB_COMPLETION_INDEX \+ 1\)\)", "7", word) for word in arguments]
        try:
            commands()[name].make_context(name, shards, help_option_names=["-h", "--help"])  # click keeps them
        except click.BadParameter as error:
            assert "does not exist" in str(error), (name, shards)  # the page's other lines make it
    known = {
        option
        for command in (cli, *commands().values(), *evaluation.main.commands.values())
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known | FOREIGN_OPTIONS | {"--help", "--version"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation as `make docs` builds it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    return folder / "build" / "docs"


class LinkParser(HTMLParser):
    """The links of a page, the names that links can lead to, and what it loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.loaded: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.names.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(given["href"])
        self.loaded += [given[name] for name in ("src", "srcset", "poster", "data") if name in given and tag != "a"]


def test_the_pages_load_nothing_from_elsewhere_and_their_links_lead_somewhere(built: Path) -> None:
    pages = {page.name: LinkParser(page) for page in built.glob("*.html") if page.name != "404.html"}
    assert set(pages) == {page.with_suffix(".html").name for page in DOCS.glob("*.md")}
    for name, page in pages.items():
        assert page.loaded
        assert [source for source in page.loaded if not (built / source).is_file()] == [], name
        for link in map(urlsplit, page.links):
            if not link.scheme:
                target = pages[link.path.removeprefix("./") or name]
                assert unquote(link.fragment) in target.names | {"__skip", ""}, (name, link)


def test_every_page_is_in_the_navigation() -> None:
    named = re.findall(r'= "([\w-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8"))
    assert sorted(named) == sorted(page.name for page in DOCS.glob("*.md"))
