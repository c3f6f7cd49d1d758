"""Every published file, read and written again, is the same file; what differs is listed with its reason."""

from pathlib import Path

import pytest

from planner.names import build_trajectory_path
from planner.schema import Task, find_rule_violations
from planner.trajectory.format import normalize_trajectory, render_trajectory
from planner.trajectory.reader import read_trajectory

UNKNOWN_TAG = "a tag that a browser swallows is made visible"
EXCEPTIONS = {
    "gpt-4o/spider-match.md": "the blank line before the last </div> is missing",
    "gpt-4o/BAT_CLIP__Bimodal_Test_Time_Adaptation_for_CLIP.md": UNKNOWN_TAG,
}
SELF_RAG = "Retrieve__Generate__and_Critique_through_Self_Reflection.md"


def published(shared: Path) -> list[Path]:
    return sorted((shared / "trajectories").rglob("*.md"))


@pytest.mark.shared
def test_every_published_file_is_written_as_it_was(shared: Path) -> None:
    changed = {}
    for path in published(shared):
        trajectory = read_trajectory(path)
        assert normalize_trajectory(trajectory, allow_violations=True) == trajectory
        before, after = path.read_bytes(), render_trajectory(trajectory, allow_violations=True).encode()
        if after != before:
            changed[path] = after
    for path, after in changed.items():
        plain = after.decode().replace("&lt;", "<").removesuffix("\n</div>")
        assert plain.rstrip() == path.read_text(encoding="utf-8").removesuffix("\n</div>").rstrip()
    names = {f"{path.parent.name}/{path.name}" for path in changed}
    assert {name for name in names if not name.endswith(SELF_RAG)} == set(EXCEPTIONS)
    assert len(names) == len(EXCEPTIONS) + 1


@pytest.mark.shared
def test_the_flaws_of_published_plans_are_warned_of(shared: Path) -> None:
    flawed = [path for path in published(shared) if read_trajectory(path).warnings]
    warnings = [read_trajectory(path).warnings for path in flawed]
    assert len(flawed) == 2
    assert all("needs at least one replacement" in warning for (warning,) in warnings)
    assert all(find_rule_violations(read_trajectory(path).plan) for path in flawed)


@pytest.mark.shared
def test_the_task_is_read_from_the_colour(shared: Path) -> None:
    tasks = [read_trajectory(path).task for path in published(shared)]
    assert tasks.count(Task.REVIEWER) == 1186
    assert tasks.count(Task.AUTHOR) == 214


@pytest.mark.shared
def test_a_trajectory_lies_where_it_was_published(shared: Path) -> None:
    root = shared / "trajectories"
    for path in published(shared):
        trajectory = read_trajectory(path)
        assert build_trajectory_path(trajectory.planner, trajectory.model, trajectory.paper_id) == path.relative_to(
            root
        )


@pytest.mark.shared
def test_both_seeds_give_their_published_twins(shared: Path) -> None:
    seeds = sorted((shared / "seeds").iterdir())
    assert len(seeds) == 2
    for seed in seeds:
        trajectory = read_trajectory(seed)
        twin = (
            shared / "trajectories" / build_trajectory_path(trajectory.planner, trajectory.model, trajectory.paper_id)
        )
        assert render_trajectory(trajectory).encode() == twin.read_bytes()
        (warning,) = trajectory.warnings
        assert "wrong code page" in warning
