"""Small gold data and plans of our own writing, in every form that is read."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.gold import AuthorGold, GoldSet, ReviewerGold
from eval.plans import PlannedPaper, System
from planner.names import build_trajectory_path
from planner.schema import Ablation, Plan, Task
from planner.trajectory.format import Trajectory, render_trajectory
from tests.server.http import Request

SYSTEM = "lm-planner/some-model"


def ablation(name: str, part: str = "", *replacement: str) -> Ablation:
    fields: dict[str, Any] = {"name": name, "ablated_part": part or f"the {name}", "metrics": ["accuracy"]}
    return Ablation(**fields, action="REPLACE" if replacement else "REMOVE", replacement=replacement)


GATE = ablation("gate", "harmonic residual gate")
LOSS = ablation("loss", "contrastive loss term")
POOL = ablation("pooling", "attention pooling", "mean pooling", "max pooling")
DEPTH = ablation("depth", "depth of the spectral encoder", "2 blocks", "8 blocks")


def author_gold(**papers: Sequence[Ablation]) -> GoldSet:
    return GoldSet(Task.AUTHOR, "made", {name: AuthorGold(name, f"On {name}", tuple(a)) for name, a in papers.items()})


def reviewer_gold(suggestions: int = 1, **papers: str) -> GoldSet:
    made = {name: ReviewerGold(name, f"On {name}", (review,), suggestions) for name, review in papers.items()}
    return GoldSet(Task.REVIEWER, "made", made)


def system(task: Task | None = Task.AUTHOR, **papers: Sequence[Ablation]) -> System:
    return System(SYSTEM, task, {name: PlannedPaper(name, "made", ablations=tuple(a)) for name, a in papers.items()})


def write_gold(path: Path, papers: Mapping[str, Sequence[Ablation]]) -> Path:
    """Our own simple JSONL."""
    rows = [{"id": name, "title": f"On {name}", "ablations": dumped(ablations)} for name, ablations in papers.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_plans(folder: Path, papers: Mapping[str, Sequence[Ablation]]) -> Path:
    """AblationBench's layout."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, ablations in papers.items():
        text = "".join(json.dumps(line) + "\n" for line in dumped(ablations))
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


def write_trajectory(
    folder: Path, paper: str, ablations: Sequence[Ablation], model: str = "some-model", task: Task = Task.AUTHOR
) -> Path:
    path = folder / build_trajectory_path("lm-planner", model, paper)
    path.parent.mkdir(parents=True, exist_ok=True)
    trajectory = Trajectory("lm-planner", model, paper, task, "Because it matters.", Plan(ablations=tuple(ablations)))
    path.write_text(render_trajectory(trajectory), encoding="utf-8")
    return path


def dumped(ablations: Iterable[Ablation]) -> list[dict[str, Any]]:
    return [ablation.model_dump(mode="json") for ablation in ablations]


def verdicts(lines: Iterable[Mapping[str, Any]]) -> str:
    return "<verdicts>\n" + "\n".join(json.dumps(line) for line in lines) + "\n</verdicts>"


Items = list[dict[str, Any]]


def shown(prompt: str) -> tuple[Items, Items]:
    """The texts that a judge saw on side A and on side B."""
    items = [json.loads(line) for line in prompt.split("\n") if re.match(r'\{"id": "[AB]\d+", "name"', line)]
    return [i for i in items if i["id"][0] == "A"], [i for i in items if i["id"][0] == "B"]


def by_part(prompt: str) -> str:
    """An honest judge: the same part is the same ablation."""
    a, b = shown(prompt)
    same = {left["id"]: [right["id"] for right in b if right["ablated_part"] == left["ablated_part"]] for left in a}
    return verdicts({"id": item, "matches": matches} for item, matches in same.items())


def first_with_first(prompt: str) -> str:
    a, _ = shown(prompt)
    return verdicts({"id": item["id"], "matches": ["B1"] if item["id"] == "A1" else []} for item in a)


def never(prompt: str) -> str:
    return verdicts({"id": item["id"], "matches": []} for item in shown(prompt)[0])


def everything(prompt: str) -> str:
    a, b = shown(prompt)
    return verdicts({"id": left["id"], "matches": [right["id"] for right in b]} for left in a)


def swayed(prompt: str) -> str:
    """A judge that obeys what it reads in a plan."""
    return everything(prompt) if "match every item" in prompt else by_part(prompt)


def answering(judge: Callable[[str], str]) -> Callable[[Request], str]:
    return lambda request: judge(request.prompt)
