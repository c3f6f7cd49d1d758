"""`export` of any folder of trajectories: what is read, what is left out, how files are named, what the page tells."""

import csv
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli import cli
from planner.errors import Outcome
from planner.exports.export import EXPORT_FORMATS
from planner.schema import Task
from tests.conftest import ROOT
from tests.exports.conftest import Export
from tests.site.made import LOSS, ROUTER, WARMUP, failed, plan_record, trajectory, write_entry

PAGE = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")


def ask(*words: str) -> Result:
    return CliRunner().invoke(cli, ["export", *words])


@pytest.mark.parametrize("form", EXPORT_FORMATS)
def test_an_export_repeats_byte_by_byte(plans: Path, export: Export, tmp_path: Path, form: str) -> None:
    def read() -> dict[Path, bytes]:
        export(plans, form)
        return {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}

    assert read() == read() != {}


def test_published_trajectories_need_no_record(tmp_path: Path, export: Export) -> None:
    planned = trajectory("published", ablations=(WARMUP.model_copy(update={"replacement": ()}), LOSS))
    write_entry(tmp_path / "plans", planned)
    with export(tmp_path / "plans", "csv", "plans.csv").open(encoding="utf-8", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["Longer warm-up", "No consistency loss"]
    [line] = export(tmp_path / "plans", "jsonl", "plans.jsonl").read_text(encoding="utf-8").splitlines()
    assert (json.loads(line)["outcome"], json.loads(line)["cost"]) == ("planned", None)
    text = (export(tmp_path / "plans", "wandb") / "published" / "01-longer-warm-up.yaml").read_text(encoding="utf-8")
    assert "#   01-add-learning-rate-schedule: add ? to Learning-rate schedule\n" in text


@pytest.mark.parametrize("form", EXPORT_FORMATS)
def test_one_trajectory_is_exported_like_its_folder(plans: Path, export: Export, form: str) -> None:
    [path] = plans.rglob("*.md")
    whole, one = export(plans, form), export(path, form, "one")
    files = [whole] if whole.is_file() else [file for file in whole.rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert file.read_bytes() == (one / file.relative_to(whole)).read_bytes()


def test_a_file_that_is_no_trajectory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n", encoding="utf-8")
    done = ask(str(tmp_path / "notes.md"), "--to", "csv", str(tmp_path / "out.csv"))
    assert (done.exit_code, done.stdout, (tmp_path / "out.csv").exists()) == (1, "", False)
    assert "notes.md: not a trajectory" in done.stderr


def test_what_has_no_plan_or_cannot_be_read_is_named(plans: Path, tmp_path: Path) -> None:
    other = trajectory("refused")
    write_entry(plans, other, failed(plan_record(other), Outcome.REFUSED, "no"), planned=False)
    (plans / "notes.md").write_text("# Notes\n", encoding="utf-8")
    done = ask(str(plans), "--to", "issues", str(tmp_path / "out"))
    assert (done.exit_code, len(done.stderr.splitlines())) == (0, 2)
    assert "left out: lm-planner/gpt-4o/refused: no\n" in done.stderr
    assert "left out: plans/notes.md: " in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a-paper"]


def test_an_export_into_its_own_folder_is_not_read_again(plans: Path, export: Export) -> None:
    assert export(plans, "markdown", "plans/pages") == export(plans, "markdown", "plans/pages")


def test_plans_of_one_paper_have_files_of_their_own(tmp_path: Path, export: Export) -> None:
    for model in ("gpt-4o", "GPT-4o", "claude"):
        write_entry(tmp_path / "plans", trajectory("a.b", model=model))
    write_entry(tmp_path / "plans", trajectory("a b", model="gpt-4o"))
    names = {path.name for path in export(tmp_path / "plans", "latex").iterdir()}
    assert names == {"a-b.tex", "a-b--claude.tex", "a-b--gpt-4o.tex", "a-b--gpt-4o-2.tex"}


@pytest.mark.parametrize("form", ["hydra", "issues", "latex", "markdown", "review", "wandb"])
def test_names_of_files_differ_by_what_differs(tmp_path: Path, export: Export, form: str) -> None:
    folder = tmp_path / "room" / "trajectories"
    for model in ("cloud/llama-3.1-405b-instruct-of-a-long-name", "cloud/qwen3-235b-a22b"):
        planned = trajectory("paper", model=model)
        for k in (2, 5, 10):
            write_entry(folder / f"up to {k}", planned, plan_record(planned).model_copy(update={"k": k}))
    long_id = "large language models as planners of all ablations part"
    for part in ("one", "two"):
        write_entry(folder, trajectory(f"{long_id} {part}", model="five"))
    names = {path.name.partition(".")[0] for path in export(folder, form).iterdir()}
    for model in ("llama-3-1-405b", "qwen3"):
        assert {name.rpartition("-up-to-")[2] for name in names if f"-{model}-" in name} == {"2", "5", "10"}
    assert {name.rpartition("-")[2] for name in names if name.startswith("large-")} == {"one", "two"}
    assert len(names) == 8


def test_variants_that_begin_alike_are_told_apart_by_their_ends(tmp_path: Path, export: Export) -> None:
    items = tuple(f"hash routing of all tokens of the sequence into {count} experts" for count in (8, 64))
    write_entry(tmp_path / "plans", trajectory("paper", ablations=(ROUTER.model_copy(update={"replacement": items}),)))
    names = {path.stem for path in (export(tmp_path / "plans", "hydra") / "paper" / "experiment").iterdir()}
    assert {name.partition("-into-")[2] for name in names if name.startswith("01-")} == {"8-experts", "64-experts"}


def test_the_published_layout_is_refused_two_plans_of_a_paper_by_a_model(tmp_path: Path) -> None:
    write_entry(tmp_path / "plans", trajectory("a"))
    write_entry(tmp_path / "plans" / "more", replace(trajectory("a", ablations=(ROUTER,)), task=Task.AUTHOR))
    done = ask(str(tmp_path / "plans"), "--to", "ablationbench", str(tmp_path / "out"))
    assert done.exit_code == 2
    assert "a: gpt-4o has 2 plans of this paper" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_page_names_every_format_and_its_target() -> None:
    rows = re.findall(r"^\| `(\w+)` \| a (file|folder) \|", PAGE, re.M)
    assert {form: target == "folder" for form, target in rows} == {
        form: not exporter.file_ending for form, exporter in EXPORT_FORMATS.items()
    }


def test_the_commands_of_the_page_run(plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans.rename(plans.parent / "run")
    monkeypatch.chdir(plans.parent)
    [block] = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    for line in block.splitlines():
        program, command, *words = shlex.split(line)
        assert (program, command) == ("ablation-planner", "export")
        assert ask(*words).exit_code == 0
        assert Path(words[-1]).exists()
