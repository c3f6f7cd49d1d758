"""The published trajectories, replayed as corpora: the same files come back, and the two flawed ones are `invalid`."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from planner.schema import find_rule_violations
from planner.trajectory.format import Trajectory, render_trajectory
from planner.trajectory.reader import read_trajectory
from tests.batch.program import Program
from tests.scripted import contract
from tests.server.http import Request, Response
from tests.server.replies import as_asked
from tests.server.server import Server

MOST = "5"  # ablations in any published plan
PAPER = "# A title\n\n## Abstract\n\nShort.\n\n## Method\n\nmarker-{} {}\n\n## Experiments\n\nWell.\n"


def corpus(folder: Path, trajectories: list[Trajectory]) -> list[str]:
    """A manifest of papers that hold nothing but their number, and the replies by that number."""
    folder.mkdir()
    rows = []
    for number, trajectory in enumerate(trajectories):
        (folder / f"{number}.md").write_text(PAPER.format(number, "A method. " * 60), encoding="utf-8")
        rows.append(json.dumps({"id": trajectory.paper_id, "path": f"{number}.md"}) + "\n")
    (folder / "list.jsonl").write_text("".join(rows), encoding="utf-8")
    return [contract(each.reasoning, each.plan.ablations) for each in trajectories]


def check(folder: Path, root: Path, paths: list[Path], trajectories: list[Trajectory]) -> int:
    flawed = 0
    for path, trajectory in zip(paths, trajectories, strict=True):
        written = folder / "trajectories" / path.relative_to(root)
        if find_rule_violations(trajectory.plan):
            flawed += 1
            assert not written.exists()
            assert json.loads(written.with_suffix(".json").read_text(encoding="utf-8"))["outcome"] == "invalid"
        else:
            # The reader's own test holds that this writing is the published file, but for listed exceptions.
            assert written.read_text(encoding="utf-8") == render_trajectory(trajectory, allow_violations=True), path
    return flawed


@pytest.mark.parametrize("step", [100, pytest.param(1, marks=pytest.mark.slow)], ids=["sample", "all"])
def test_published_trajectories_come_back(
    step: int, shared: Path, server: Server, program: Program, tmp_path: Path
) -> None:
    root = shared / "trajectories"
    groups: dict[tuple[str, str], list[tuple[Path, Trajectory]]] = defaultdict(list)
    for path in sorted(root.rglob("*.md"))[::step]:
        trajectory = read_trajectory(path)
        groups[trajectory.task, trajectory.model].append((path, trajectory))
    flawed = planned = 0
    for number, ((task, model), members) in enumerate(sorted(groups.items())):
        paths, trajectories = [path for path, _ in members], [trajectory for _, trajectory in members]
        replies = corpus(tmp_path / f"papers{number}", trajectories)

        def answer(request: Request, replies: list[str] = replies) -> Response:
            found = re.search(r"marker-(\d+) ", request.prompt)
            assert found
            return as_asked(request, replies[int(found[1])])

        server.answer = answer
        words = ("batch", f"papers{number}/list.jsonl", "-o", f"run{number}", "--task", task, "-k", MOST, "-q")
        process = program.start(*words, "--model", model, "--base-url", server.base_url)
        process.communicate(timeout=300)
        here = check(tmp_path / f"run{number}", root, paths, trajectories)
        assert process.returncode == (1 if here else 0)
        flawed += here
        planned += program.status(f"run{number}")["planned"]
    assert planned == sum(map(len, groups.values())) - flawed
    if step == 1:
        assert (planned, flawed) == (1398, 2)
