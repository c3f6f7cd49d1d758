"""The majority of judges, against an independent reading of the published rule."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from eval.plans import PaperStatus
from eval.runs import read_judged_run, write_judged_run
from eval.verdicts import AuthorVerdict, ReviewerVerdict, Verdict
from eval.vote import vote_on_author_verdicts, vote_on_reviewer_verdicts, vote_on_runs
from planner.errors import UsageError
from tests.eval import published
from tests.eval.conftest import Run
from tests.eval.made import DEPTH, GATE, LOSS, POOL, write_gold, write_plans

PAPERS = {"one": [GATE, LOSS], "two": [GATE, DEPTH]}
PLANS = {"one": [GATE, POOL], "two": [GATE, POOL]}


def author_file(draw: random.Random) -> list[dict[str, Any]]:
    lines = []
    for name in ("g1", "g2", "g3", "g4"):
        if draw.random() < 0.8:
            pair = draw.sample(["p1", "p2", "p3"], 2)
            lines.append({"name_in_paper": name, "name_in_plan": draw.choice([None, pair[0], pair])})
    return lines


def test_the_author_majority_is_the_published_one() -> None:
    draw = random.Random(6)
    for _ in range(2000):
        judges = [author_file(draw) for _ in range(draw.randint(2, 5))]
        voted = vote_on_author_verdicts([[AuthorVerdict.model_validate(line) for line in judge] for judge in judges])
        ours = {
            v.name_in_paper: frozenset(v.name_in_plan) or None for v in voted.verdicts if isinstance(v, AuthorVerdict)
        }
        assert ours == published.author_majority(judges)


def test_the_reviewer_majority_is_the_published_one() -> None:
    draw = random.Random(7)
    for _ in range(2000):
        judges = [
            [
                {"name_in_plan": name, "appears_in_review": draw.random() < 0.5}
                for name in ("p1", "p2", "p3")
                if draw.random() < 0.8
            ]
            for _ in range(draw.randint(2, 5))
        ]
        voted = vote_on_reviewer_verdicts(
            [[ReviewerVerdict.model_validate(line) for line in judge] for judge in judges]
        )
        ours = {v.name_in_plan: v.appears_in_review for v in voted.verdicts if isinstance(v, ReviewerVerdict)}
        assert ours == published.reviewer_majority(judges)


def test_a_tie_is_no_match_and_is_told() -> None:
    yes, no = AuthorVerdict(name_in_paper="g", name_in_plan=("p",)), AuthorVerdict(name_in_paper="g")
    assert vote_on_author_verdicts([[yes], [no]]).tied_names == ("g",)
    (verdict,) = vote_on_author_verdicts([[yes], [no]]).verdicts
    assert verdict.name_in_plan == ()
    assert vote_on_author_verdicts([[yes], [yes], [no]]).tied_names == ()


def judge(run: Run, out: str, *more: object) -> None:
    result = run("judge", "plans", "--gold", "gold.jsonl", "-o", out, *more)
    assert result.exit_code == 0, result.stderr


@pytest.fixture
def three(run: Run, workdir: Path) -> Path:
    """Three judges: the offline one, one that misses "gate" in one, and one that could not score two."""
    write_gold(workdir / "gold.jsonl", PAPERS)
    write_plans(workdir / "plans", PLANS)
    judge(run, "a")
    judged_run = read_judged_run(workdir / "a")
    none: tuple[Verdict, ...] = tuple(AuthorVerdict(name_in_paper=one.name) for one in PAPERS["one"])
    run_b = judged_run.record.model_copy(update={"judge": "b"})
    write_judged_run(workdir / "b", type(judged_run)(run_b, {**judged_run.verdicts, "one": none}))
    (one, two) = judged_run.record.papers
    lost = two.model_copy(update={"status": PaperStatus.UNSCORED, "reason": "empty: the reply has no text"})
    run_c = judged_run.record.model_copy(update={"judge": "c", "papers": (one, lost)})
    write_judged_run(workdir / "c", type(judged_run)(run_c, {"one": judged_run.verdicts["one"]}))
    return workdir


def test_the_command_takes_the_majority_and_tells_who_did_not_vote(run: Run, three: Path) -> None:
    result = run("vote", "a", "b", "c", "-o", "v", "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["judge"] == "majority of offline, b, c"
    assert summary["coverage"]["scored"] == 2
    assert summary["told"] == ["two: no vote of c: empty: the reply has no text"]
    assert [round(found["same"], 2) for found in summary["agreement"]] == [0.5, 0.75, 1.0], (
        "b and c, b and offline, c and offline"
    )
    assert (three / "v" / "one.jsonl").read_text(encoding="utf-8") == (three / "a" / "one.jsonl").read_text(
        encoding="utf-8"
    )
    assert "0 items without a majority" in run("vote", "a", "b", "c", "-o", "v").stdout


def test_two_judges_that_differ_tie(run: Run, three: Path) -> None:
    result = run("vote", "a", "b", "-o", "v", "--json")
    assert json.loads(result.stdout)["told"] == ["one: no majority on 'gate': counted as no"]
    lines = (three / "v" / "one.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"name_in_paper": "gate", "name_in_plan": None}


def test_folders_of_another_program_get_numbers_with_gold_and_plans(run: Run, three: Path) -> None:
    for name in ("a", "b"):
        (three / name / "judging.json").unlink()
    result = run("vote", "a", "b", "-o", "v", "--gold", "gold.jsonl", "--plans", "plans", "--json")
    assert json.loads(result.stdout)["judge"] == "majority of a, b"
    assert json.loads(result.stdout)["coverage"]["scored"] == 2


def test_files_alone_are_voted_on_without_numbers(run: Run, three: Path) -> None:
    whole = run("vote", "a", "b", "c", "-o", "whole")
    assert whole.exit_code == 0
    for name in ("a", "b", "c"):
        (three / name / "judging.json").unlink()
    result = run("vote", "a", "b", "c", "-o", "v", "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["papers"], summary["missing"], summary["ties"]) == (2, 1, [])
    for name in ("one.jsonl", "two.jsonl"):
        assert (three / "v" / name).read_bytes() == (three / "whole" / name).read_bytes()
    assert not (three / "v" / "evaluations.json").exists()
    assert "no numbers without --gold and --plans" in run("vote", "a", "b", "-o", "v").stdout


def test_files_of_two_tasks_are_not_voted_on(run: Run, three: Path) -> None:
    (three / "b" / "judging.json").unlink()
    (three / "b" / "one.jsonl").write_text('{"name_in_plan": "p", "appears_in_review": true}', encoding="utf-8")
    result = run("vote", "a", "b", "-o", "v")
    assert result.exit_code == 1
    assert "different tasks" in result.stderr


def test_empty_folders_are_a_wrong_call(run: Run, workdir: Path) -> None:
    (workdir / "a").mkdir()
    (workdir / "b").mkdir()
    assert run("vote", "a", "b", "-o", "v").exit_code == 2
    assert run("vote", "a", "-o", "v").exit_code == 2


def test_one_judge_is_no_vote_and_different_plans_cannot_be_voted_on(run: Run, three: Path) -> None:
    assert run("vote", "a", "-o", "v").exit_code == 2
    a, b = read_judged_run(three / "a"), read_judged_run(three / "b")
    other = type(b)(b.record.model_copy(update={"system": "another"}), b.verdicts)
    with pytest.raises(UsageError, match="judged different plans"):
        vote_on_runs([a, other])


def test_a_damaged_file_of_verdicts_is_named(run: Run, three: Path) -> None:
    (three / "a" / "one.jsonl").write_text('{"name_in_plan": 3}\n', encoding="utf-8")
    result = run("vote", "a", "b", "-o", "v")
    assert result.exit_code == 1
    assert "one.jsonl: line 1" in result.stderr
