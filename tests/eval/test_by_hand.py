"""Judging without a key: questions out, answers in."""

import json
from pathlib import Path

import pytest

from tests.eval.conftest import Run
from tests.eval.made import GATE, LOSS, POOL, by_part, write_gold, write_plans

PAPERS = {"one": [GATE, LOSS], "two": [POOL]}


@pytest.fixture
def prompts(run: Run, workdir: Path) -> list[Path]:
    write_gold(workdir / "gold.jsonl", {**PAPERS, "three": [GATE]})
    write_plans(workdir / "plans", PAPERS)
    result = run("judge", "plans", "--gold", "gold.jsonl", "--prompts-to", "prompts")
    assert result.exit_code == 0, result.stderr
    return [Path(line) for line in result.stdout.splitlines()]


def judge_replies(run: Run, *more: object) -> tuple[int, dict[str, object]]:
    result = run("judge", "plans", "--gold", "gold.jsonl", "--replies-from", "replies", "-o", "out", "--json", *more)
    return result.exit_code, json.loads(result.stdout)


def test_answers_in_files_are_verdicts(run: Run, prompts: list[Path]) -> None:
    assert [path.name for path in prompts] == ["one.txt", "two.txt"], "a paper without a plan is not asked about"
    Path("replies").mkdir()
    for path, ending in zip(prompts, (".txt", ".md"), strict=True):
        Path("replies", path.stem + ending).write_text(by_part(path.read_text(encoding="utf-8")), encoding="utf-8")
    code, summary = judge_replies(run)
    assert code == 0
    assert summary["coverage"] == {"scored": 2, "unscored": 0, "failed": 0, "absent": 1}
    assert summary["f1"] == {"mean": 1.0, "sd": 0.0, "low": 1.0, "high": 1.0, "n": 2}


def test_a_missing_or_faulty_answer_leaves_its_paper_unscored_until_it_is_mended(run: Run, prompts: list[Path]) -> None:
    Path("replies").mkdir()
    Path("replies/one.txt").write_text("I do not know.", encoding="utf-8")
    code, summary = judge_replies(run)
    assert code == 1
    reasons = summary["reasons"]
    assert isinstance(reasons, dict)
    assert "no <verdicts> block" in reasons["one"]
    assert "expected one reply file named two.txt, found: none" in reasons["two"]
    for path in prompts:
        Path("replies", path.name).write_text(by_part(path.read_text(encoding="utf-8")), encoding="utf-8")
    code, summary = judge_replies(run)
    assert (code, summary["f1"]) == (0, {"mean": 1.0, "sd": 0.0, "low": 1.0, "high": 1.0, "n": 2})


def test_questions_are_the_same_bytes_every_time(run: Run, prompts: list[Path]) -> None:
    before = [path.read_bytes() for path in prompts]
    run("judge", "plans", "--gold", "gold.jsonl", "--prompts-to", "again")
    assert [Path("again", path.name).read_bytes() for path in prompts] == before
    run("judge", "plans", "--gold", "gold.jsonl", "--prompts-to", "other", "--repeat", "3")
    assert [Path("other", path.name).read_bytes() for path in prompts] != before


def test_replies_from_files_take_no_model(run: Run, prompts: list[Path]) -> None:
    result = run(
        "judge", "plans", "--gold", "gold.jsonl", "--replies-from", "prompts", "-o", "out", "--model", "gpt-4o"
    )
    assert result.exit_code == 2
