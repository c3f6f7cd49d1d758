"""Runs exchanged with another program: its verdicts voted on by us, our files scored by it.

The other program has only what is published: plans, gold, and files of verdicts, with typos, gaps and repetitions.
"""

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest

from tests.eval import published
from tests.eval.conftest import Run
from tests.eval.made import Items, ablation, write_gold, write_plans

NAMES = ("gate", "loss ", " lead", "Depth – π", "a|b", "x" * 60, 'n"1"', "é", "e\u0301")
PAPERS = [f"2401.{number:05d}" for number in range(12)]
JUDGES = ("first", "second", "third")
ABSENT, EMPTY = PAPERS[0], PAPERS[1]


def some(draw: random.Random) -> list[str]:
    return draw.sample(NAMES, draw.randint(1, 6))


def write_lines(path: Path, lines: Iterable[Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_all_plans(workdir: Path, plans: dict[str, list[str]]) -> None:
    write_plans(
        workdir / "plans", {name: [ablation(n) for n in names] for name, names in plans.items() if name != ABSENT}
    )
    (workdir / "plans" / f"{EMPTY}.jsonl").write_text("", encoding="utf-8")


def author_verdicts(gold: Sequence[str], plan: Sequence[str], draw: random.Random) -> Items:
    """A careless judge: typos in either name, lists, names said twice, ablations left out, one judged twice."""

    def draw_match() -> Any:
        one, other = draw.choice(plan), draw.choice(plan)
        return draw.choice([None, one, one, one + "?", [one], [one, other], [one, "of nobody"]])

    lines = [
        {"name_in_paper": name + draw.choice(["", "", "", "?"]), "name_in_plan": draw_match()}
        for name in gold
        if draw.random() < 0.9
    ]
    return lines + lines[:1] if draw.random() < 0.2 else lines


def voted(run: Run, k: int | None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    words = ("vote", *JUDGES, "-o", "out", "--gold", "gold.jsonl", "--plans", "plans", "--json")
    result = run(*words, *(() if k is None else ("-k", k)))
    assert result.exit_code == 0, result.stderr
    records = json.loads(Path("out", "evaluations.json").read_text(encoding="utf-8"))
    return json.loads(result.stdout), {record["id"]: record for record in records}


def check_coverage(summary: dict[str, Any], f1: Sequence[float]) -> None:
    assert sum(summary["coverage"].values()) == len(PAPERS)
    assert (summary["coverage"]["scored"], summary["coverage"]["failed"], summary["coverage"]["absent"]) == (
        len(f1),
        1,
        1,
    )
    assert summary["f1"]["mean"] == pytest.approx(mean(f1), abs=1e-9)
    assert summary["f1"]["sd"] == pytest.approx(stdev(f1), abs=1e-9)


@pytest.mark.parametrize(("seed", "k"), [(1, None), (2, 1), (3, 3), (4, None), (5, 5)])
def test_author_verdicts(run: Run, workdir: Path, seed: int, k: int | None) -> None:
    draw = random.Random(seed)
    gold, plans = {name: some(draw) for name in PAPERS}, {name: some(draw) for name in PAPERS}
    write_gold(workdir / "gold.jsonl", {name: [ablation(n) for n in names] for name, names in gold.items()})
    write_all_plans(workdir, plans)
    for judge in JUDGES:
        (workdir / judge).mkdir()
        for name in draw.sample(PAPERS, 9):
            write_lines(workdir / judge / f"{name}.jsonl", author_verdicts(gold[name], plans[name], draw))
    summary, records = voted(run, k)
    for name, record in records.items():
        verdicts_by_judge = [
            read_lines(path) for judge in JUDGES if (path := workdir / judge / f"{name}.jsonl").exists()
        ]
        majority = published.author_majority([verdicts for verdicts in verdicts_by_judge if verdicts])
        ours = read_lines(workdir / "out" / f"{name}.jsonl")
        assert published.author_majority([ours]) == majority
        expected = published.author_record(gold[name], plans[name], ours, k)
        got = {key: record[key] for key in ("precision", "recall")}
        got |= {"f1": record["f1_score"], "ndcg": record["ndcg_score"]}
        assert got == pytest.approx(expected, abs=1e-9)
        assert all(type(value) is float for value in got.values())
    check_coverage(summary, [record["f1_score"] for record in records.values()])


@pytest.mark.parametrize(("seed", "k"), [(1, None), (2, 1), (3, 3)])
def test_reviewer_verdicts(run: Run, workdir: Path, seed: int, k: int | None) -> None:
    draw = random.Random(seed)
    plans, suggestions = {name: some(draw) for name in PAPERS}, {name: draw.randint(0, 3) for name in PAPERS}
    write_lines(
        workdir / "gold.jsonl",
        [{"id": n, "paper_title": "", "review_text": "[]", "num_ablation_suggestions": suggestions[n]} for n in PAPERS],
    )
    write_all_plans(workdir, plans)
    for judge in JUDGES:
        for name in PAPERS:
            lines = [{"name_in_plan": one, "appears_in_review": draw.random() < 0.5} for one in plans[name]]
            write_lines(workdir / judge / f"{name}.jsonl", lines)
    summary, records = voted(run, k)
    for name, record in records.items():
        majority = published.reviewer_majority([read_lines(workdir / judge / f"{name}.jsonl") for judge in JUDGES])
        assert published.reviewer_majority([read_lines(workdir / "out" / f"{name}.jsonl")]) == majority
        got = {"precision": record["precision"], "recall": record["recall"], "f1": record["f1_score"]}
        assert got == pytest.approx(published.reviewer_record(suggestions[name], plans[name], majority, k), abs=1e-9)
        assert "ndcg_score" not in record
    check_coverage(summary, [record["f1_score"] for record in records.values()])
