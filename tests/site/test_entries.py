"""Entries are read from a folder; doubts become warnings, and files that cannot be shown are named."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from planner.errors import Outcome, TrajectoryError
from planner.files import write_file_atomically
from planner.schema import Task
from planner.site.entries import (
    EntryFiles,
    PlanEntry,
    create_planned_entry,
    find_entry_files,
    index_entries,
    read_plan_entry,
    read_sorted_entries,
)
from planner.site.facts import choose_shown_title, choose_unique_labels
from tests.site.made import failed, plan_record, render_published, small_run, trajectory, write_entry


def entry(**changes: object) -> PlanEntry:
    return replace(create_planned_entry(trajectory()), **changes)  # type: ignore[arg-type]


def test_a_trajectory_alone_is_an_entry_of_which_little_is_known(tmp_path: Path) -> None:
    found = read_plan_entry(EntryFiles("run", write_entry(tmp_path, trajectory())))
    assert (found.outcome, found.cost, found.title, found.record) == (Outcome.PLANNED, None, "", None)
    assert [ablation.name for ablation in found.ablations] == ["Routing without learning", "No consistency loss"]


def test_a_sidecar_tells_the_rest(tmp_path: Path) -> None:
    path = write_entry(tmp_path, trajectory(), plan_record(trajectory(), "The Title", cost=0.5))
    found = read_plan_entry(EntryFiles("run", path, path.with_suffix(".json")))
    assert (found.title, found.cost, found.warnings) == ("The Title", 0.5, ())


def test_a_failure_has_its_reason_and_no_plan(tmp_path: Path) -> None:
    record = failed(plan_record(trajectory()), Outcome.REFUSED, "because")
    path = write_entry(tmp_path, trajectory(), record, planned=False)
    found = read_plan_entry(EntryFiles("run", None, path.with_suffix(".json")))
    assert (found.outcome, found.reason, found.ablations) == (Outcome.REFUSED, "because", ())


def test_what_does_not_fit_together_is_a_warning(tmp_path: Path) -> None:
    path = write_entry(tmp_path, trajectory(), plan_record(trajectory(model="other"), cost=-1))
    found = read_plan_entry(EntryFiles("run", path, path.with_suffix(".json")))
    assert found.warnings == (
        "the record beside the trajectory is for another plan: lm-planner/other/A_Paper (reviewer)",
        "the cost on record, -1.0, is not valid and was left out",
    )
    assert found.cost is None
    path.unlink()
    assert (
        read_plan_entry(EntryFiles("run", None, path.with_suffix(".json"))).warnings[0]
        == "the trajectory file is missing"
    )


def test_a_broken_file_costs_only_itself(tmp_path: Path) -> None:
    path = write_entry(tmp_path, trajectory(), plan_record(trajectory()))
    path.with_suffix(".json").write_text("{", encoding="utf-8")
    assert (
        "the record could not be read"
        in read_plan_entry(EntryFiles("run", path, path.with_suffix(".json"))).warnings[-1]
    )
    plan_record(trajectory()).write(path.with_suffix(".json"))
    path.write_text("# torn", encoding="utf-8")
    found = read_plan_entry(EntryFiles("run", path, path.with_suffix(".json")))
    assert found.trajectory is None
    assert any("the trajectory could not be read" in warning for warning in found.warnings)
    with pytest.raises(TrajectoryError, match="not a trajectory"):
        read_plan_entry(EntryFiles("run", path))


@pytest.mark.parametrize("folder", ["/home/ada/secret/", "C:\\Users\\ada\\secret\\"])
def test_where_files_lie_on_the_makers_disk_is_not_told(tmp_path: Path, folder: str) -> None:
    record = plan_record(trajectory())
    record = record.model_copy(update={"paper": record.paper.model_copy(update={"source": f"{folder}a.pdf"})})
    path = write_entry(
        tmp_path, trajectory(), failed(record, Outcome.PAPER_ERROR, f"{folder}a.pdf: not a PDF"), planned=False
    )
    found = read_plan_entry(EntryFiles("run", None, path.with_suffix(".json")))
    assert found.reason == "a.pdf: not a PDF"
    assert found.record and found.record.paper.source == "a.pdf"
    path.write_text("# torn", encoding="utf-8")
    assert str(tmp_path) not in str(read_plan_entry(EntryFiles("run", path, path.with_suffix(".json"))).warnings)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_entry(tmp_path / "run", trajectory())
    (tmp_path / "run" / "closed").mkdir(mode=0)
    assert [file.name for file in index_entries([tmp_path / "run"]).unread_files] == ["run/closed"]


def test_labels_say_as_much_as_is_needed() -> None:
    assert choose_unique_labels([entry(model="a"), entry(model="b")]) == ["a", "b"]
    assert choose_unique_labels([entry(planner="extractive-planner", model="builtin")]) == [
        "extractive-planner/builtin"
    ]
    assert choose_unique_labels([entry(), entry(task=Task.AUTHOR)]) == [
        "lm-planner/gpt-4o (reviewer)",
        "lm-planner/gpt-4o (author)",
    ]
    assert choose_unique_labels([entry(run="x"), entry(run="y")])[1] == "lm-planner/gpt-4o (reviewer, y)"
    asked = [replace(entry(), record=plan_record(trajectory()).model_copy(update={"k": k})) for k in (5, 3)]
    assert choose_unique_labels(asked) == [
        "lm-planner/gpt-4o (reviewer, up to 5)",
        "lm-planner/gpt-4o (reviewer, up to 3)",
    ]
    same = choose_unique_labels([entry(), entry(), entry()])
    assert len(set(same)) == 3


def test_a_title_comes_from_a_sidecar_or_from_the_id() -> None:
    assert choose_shown_title([entry(), entry(title="The Title")]) == "The Title"
    assert choose_shown_title([entry(paper_id="Playing_For_You__Text_")]) == "Playing For You Text"
    assert choose_shown_title([entry(paper_id="__")]) == "__"
    assert choose_shown_title([entry(title="\u202e", paper_id="\x1b[2J")]) == "?"


def test_a_run_is_collected_by_paper(tmp_path: Path) -> None:
    found = index_entries([small_run(tmp_path / "run")])
    assert (found.run_names, found.unread_files) == (("run",), ())
    assert sorted(map(len, found.entry_files_by_paper.values())) == [3, 3, 3, 3, 3]
    entries = read_sorted_entries(found.entry_files_by_paper["Quantised_Memories"])
    assert [(e.model, e.outcome.value) for e in entries] == [
        ("claude-3.5-sonnet", "truncated"),
        ("gpt-4o", "refused"),
        ("o3-mini", "planned"),
    ]


def test_any_folder_will_do_and_what_is_no_trajectory_is_named(tmp_path: Path) -> None:
    write_file_atomically(tmp_path / "mine" / "deep" / "plan.md", render_published(trajectory()))
    write_file_atomically(tmp_path / "mine" / "README.md", "# Hello")
    write_file_atomically(tmp_path / "mine" / "data.json", "[]")
    write_file_atomically(tmp_path / "mine" / ".hidden" / "plan.md", "no")
    write_file_atomically(tmp_path / "mine" / "out" / "old.md", render_published(trajectory("Old")))
    (tmp_path / "mine" / "elsewhere").symlink_to(tmp_path)
    found = index_entries([tmp_path / "mine", tmp_path / "mine"], excluded_folder=(tmp_path / "mine" / "out").resolve())
    assert list(found.entry_files_by_paper) == ["A_Paper"]
    assert {file.name: file.reason[:13] for file in found.unread_files} == {
        "mine/README.md": "not a traject",
        "mine/data.json": "not the recor",
        "mine/elsewhere": "a link to a f",
    }


def test_a_run_is_named_after_its_folder(tmp_path: Path) -> None:
    assert find_entry_files(tmp_path / "iclr" / "a.md").run == "iclr"
    assert find_entry_files(tmp_path / "iclr" / "trajectories" / "a.md").run == "iclr/trajectories"
    (tmp_path / "iclr").mkdir()
    (tmp_path / "iclr" / "run.json").touch()
    assert find_entry_files(tmp_path / "iclr" / "trajectories" / "a.md").run == "iclr"
