"""The recipes of *How to add* in CONTRIBUTING.md: each is carried out, and what it adds works."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from planner import PlanSettings, Task, load_paper, plan_paper
from planner.chat import Completion, ModelInfo, Prompt
from tests.conftest import ROOT
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract
from tests.server.replies import as_asked
from tests.server.server import Server
from tests.test_layering import FLOORS

DEMO = ROOT / "planner" / "demo" / "paper.md"


@dataclass
class Copy:
    """A copy of the program to change, and the existing files that were changed."""

    folder: Path
    changed: set[str] = field(default_factory=set)

    def add_file(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def insert(self, name: str, before: str, text: str) -> None:
        path = self.folder / name
        source = path.read_text(encoding="utf-8")
        assert source.count(before) == 1, f"{name}: {before!r} is there {source.count(before)} times"
        path.write_text(source.replace(before, text + before), encoding="utf-8")
        self.changed.add(name)

    def run(self, *words: str, code: str = "", **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, *(["-c", code] if code else ["-m", "planner", *words])],
            cwd=self.folder / "work",
            env={**os.environ, "PYTHONPATH": str(self.folder), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    for name in ("planner", "prompts"):
        shutil.copytree(ROOT / name, tmp_path / "copy" / name)
    (tmp_path / "copy" / "work").mkdir()
    shutil.copy(DEMO, tmp_path / "copy" / "work" / "paper.md")
    return Copy(tmp_path / "copy")


def test_a_paper_format_takes_two_files_and_a_reader(copy: Copy) -> None:
    formats, load = "planner/papers/sources.py", "planner/papers/load.py"
    copy.insert(formats, '    GZIP = "gzip"\n', '    ORG = "org"\n')
    copy.insert(formats, "    FileFormat.TEXT: (", '    FileFormat.ORG: (".org",),\n')
    copy.insert(
        load,
        "        case FileFormat.MARKDOWN:\n",
        "        case FileFormat.ORG:\n            return read_org(text, name)\n",
    )
    copy.insert(load, "from planner.papers.paper import ", "from planner.papers.org import read_org\n")
    copy.add_file(
        "planner/papers/org.py",
        "from dataclasses import replace\n\n"
        "from planner.papers.markdown import read_markdown\n"
        "from planner.papers.sources import FileFormat\n\n\n"
        "def read_org(text, file_name):\n"
        '    paper = read_markdown("\\n".join(mend_heading(line) for line in text.splitlines()), file_name)\n'
        "    return replace(paper, format=FileFormat.ORG)\n\n\n"
        "def mend_heading(line):\n"
        '    stars, _, heading = line.partition(" ")\n'
        '    return f"{\'#\' * len(stars)} {heading}" if stars and not stars.strip("*") else line\n',
    )
    org = re.sub(r"^#+", lambda marks: "*" * len(marks[0]), DEMO.read_text(encoding="utf-8"), flags=re.M)
    (copy.folder / "work" / "paper.org").write_text(org, encoding="utf-8")
    read = [json.loads(copy.run("paper", name, "--to", "json")) for name in ("paper.org", "paper.md")]
    assert [paper["format"] for paper in read] == ["org", "markdown"]
    assert read[0]["sections"] == read[1]["sections"]
    assert len(copy.changed) <= 2


def test_an_openai_compatible_provider_takes_one_row(copy: Copy, server: Server) -> None:
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    copy.insert(
        "planner/models/openai_chat/endpoint.py",
        "OPENAI, OPENROUTER, OLLAMA)",
        f'Provider("made-up", "{server.base_url}", "MADE_UP_KEY"), ',
    )
    copy.run("plan", "paper.md", "--model", "made-up/m", MADE_UP_KEY="sk-made-up")
    [request] = server.journal
    assert request.headers["authorization"] == "Bearer sk-made-up"
    assert request.json["model"] == "m"
    assert len(copy.changed) == 1


class NativeModel:
    """A model behind an interface of its own."""

    info = ModelInfo("lm-planner", "native-1", "native-1", endpoint="http://native")

    async def complete(self, prompt: Prompt) -> Completion:
        assert "harmonic residual gate" in prompt.messages[1].content
        return Completion(GOOD_REPLY, finish_reason="stop", model="native-1")


def test_a_native_provider_is_a_class_with_info_and_complete() -> None:
    settings = PlanSettings(Task.REVIEWER, k=1)
    result = asyncio.run(plan_paper(load_paper(str(DEMO)), NativeModel(), settings))
    assert result.trajectory is not None
    assert (result.trajectory.model, len(result.trajectory.plan.ablations)) == ("native-1", 1)


FIELDS = """
    hypothesis: OneLine | None = Field(default=None, description="the effect to expect")
    controls: tuple[OneLine, ...] = Field(default=(), description="what stays fixed")
    effort: Effort | None = Field(default=None, description="evaluate or retrain")
"""
EFFORT = '''class Effort(StrEnum):
    """The work that an ablation takes."""

    EVALUATE = "evaluate"
    RETRAIN = "retrain"


'''


def test_plan_fields_take_one_file(copy: Copy, server: Server) -> None:
    """A text, a list and a choice go from the prompt through reply, record, trajectory and pages to the exports."""
    values = {"hypothesis": "=MAE rises by 2 < 3", "controls": ["seed", "epochs, and data"], "effort": "retrain"}
    sent = {**GOOD_ABLATION, **values, "effort": " Retrain ", "control": values["controls"]}
    del sent["controls"]
    server.answer = lambda request: as_asked(request, contract("Why.", [sent]))
    copy.insert("planner/schema.py", '\n    @model_validator(mode="after")\n    def _check_rules', FIELDS)
    copy.insert("planner/schema.py", "class Ablation(BaseModel):\n", EFFORT)
    copy.run("batch", ".", "-o", "run", "-m", "m", "--base-url", server.base_url, "-k", "1")
    assert '- "controls" (list of strings): what stays fixed\n' in server.journal[0].prompt
    [file] = (copy.folder / "work" / "run").rglob("trajectories/**/*.md")
    lines = file.read_text(encoding="utf-8").split("\n")
    assert "- **Effort**: retrain" in lines
    assert lines[lines.index("- **Controls**: ") + 2] == "  - epochs, and data"
    assert json.loads(copy.run("show", str(file), "--to", "jsonl")) == {**GOOD_ABLATION, **values}
    assert "   hypothesis: =MAE rises by 2 < 3\n   controls: seed; epochs, and data\n" in copy.run("show", str(file))
    assert copy.run("check", str(file)) == ""
    assert "MAE rises by 2 &lt; 3" in copy.run("show", str(file), "--to", "html")
    copy.run("export", "run", "--to", "csv", "plans.csv")
    table = (copy.folder / "work" / "plans.csv").read_text(encoding="utf-8")
    assert "metrics,hypothesis,controls,effort,reason,title," in table
    assert 'MAE; STE,\'=MAE rises by 2 < 3,"seed; epochs, and data",retrain,' in table
    assert copy.changed == {"planner/schema.py"}


def test_an_export_takes_a_module_and_a_row(copy: Copy, server: Server) -> None:
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    copy.add_file(
        "planner/exports/names.py",
        "from planner.files import write_file_atomically\n\n\n"
        "def write_names(entries, target):\n"
        '    """Write the names of all ablations, one a line."""\n'
        '    write_file_atomically(target, "".join(f"{a.name}\\n" for entry in entries for a in entry.ablations))\n',
    )
    module = "planner/exports/export.py"
    copy.insert(module, "from planner.names", "from planner.exports.names import write_names\n")
    copy.insert(module, '    "wandb": Exporter(', '    "names": Exporter(write_names, ".txt"),\n')
    copy.run("batch", ".", "-o", "run", "-m", "m", "--base-url", server.base_url)
    copy.run("export", "run", "--to", "names", "names.txt")
    assert (copy.folder / "work" / "names.txt").read_text(encoding="utf-8") == "No gate\n"
    assert copy.changed == {module}


SECOND_LOOK = """
import asyncio
from planner import PlanSettings, Task, load_paper, plan_paper
from planner.models.fake import FakeModel
from tests_replies import DRAFT, SECOND

model = FakeModel(DRAFT, SECOND)
settings = PlanSettings(Task.REVIEWER, k=1, strategy="second-look")
result = asyncio.run(plan_paper(load_paper("paper.md"), model, settings))
print(result.outcome, result.trajectory.plan.ablations[0].name, [attempt.step for attempt in result.attempts])
print(model.prompts[1].messages[-1].content)
"""


def test_a_strategy_takes_one_file_and_its_prompt(copy: Copy) -> None:
    module = "planner/planning/strategies.py"
    copy.insert(
        module,
        "STRATEGIES: Final = ",
        "async def plan_with_second_look(session):\n"
        '    """Return the plan of a second reply, which has seen the first."""\n'
        "    await session.ask(await session.build_prompt())\n"
        '    second = session.continue_prompt("second-look.jinja", k=1)\n'
        '    return await session.ask(second, step="second look")\n\n\n'
        "def estimate_second_look(prompt_tokens):\n"
        '    """Return the estimate of two requests."""\n'
        "    return RequestEstimate(2, 2 * prompt_tokens, 2 * TYPICAL_REPLY_TOKENS)\n\n\n"
        "SECOND_LOOK = Strategy(\n"
        '    "second-look", plan_with_second_look, estimate_second_look, templates=("second-look.jinja",)\n'
        ")\n",
    )
    copy.insert(module, 'Strategy("single", ', "SECOND_LOOK, ")
    copy.add_file("prompts/second-look.jinja", "Look again, and give {{ k }} better ablation.\n")
    second = contract("Better.", [{**GOOD_ABLATION, "name": "No gate at all"}])
    copy.add_file("work/tests_replies.py", f"DRAFT, SECOND = {GOOD_REPLY!r}, {second!r}\n")
    assert copy.run(code=SECOND_LOOK) == (
        "planned No gate at all ['', 'second look']\nLook again, and give 1 better ablation.\n"
    )
    assert copy.changed == {module}


def test_the_map_shows_the_floors_that_the_layering_test_holds() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| floor |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert [tuple(re.findall(r"`(\w+)/?`", row)) for row in rows] == [
        floor for floor in FLOORS if "__main__" not in floor
    ]
