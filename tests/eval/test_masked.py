"""Reviewer plans on masked papers: ranks of the answers worked out by hand, and by a second implementation."""

import asyncio
import csv
import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.gold import MaskedGold, read_gold
from eval.masked import MaskedScores, score_masked_paper, summarize_masked_scores
from eval.plans import PaperStatus
from eval.runs import JudgedPaper, PlannedItem
from eval.tables import TableError
from eval.verdicts import AuthorVerdict
from planner.chat import Completion
from planner.errors import UsageError
from planner.models.fake import FakeModel
from planner.papers.paper import Paper, SectionKind
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import plan_to_folder
from planner.schema import Action, Task
from tests.eval.conftest import Run
from tests.eval.made import GATE, LOSS, by_part, dumped, shown, write_plans
from tests.papers_made import paper, section
from tests.scripted import contract

PARTS = ("harmonic gate", "patch encoder", "storm calendar", "learned travel time", "phase loss")


def judged_paper(planned: int, considered: int = 0, reported: int | None = None) -> JudgedPaper:
    items = [PlannedItem(name=f"a{number}", action=Action.REMOVE) for number in range(1, planned + considered + 1)]
    return JudgedPaper(
        id="x",
        status=PaperStatus.SCORED,
        gold=("answer",),
        plan=tuple(items[:planned]),
        considered=tuple(items[planned:]),
        reported=reported,
    )


def score(item: JudgedPaper, *matched: str) -> MaskedScores:
    return score_masked_paper(item, [AuthorVerdict(name_in_paper="answer", name_in_plan=matched)])


def test_scores_of_four_papers_worked_out_by_hand() -> None:
    scores = {
        "first": score(judged_paper(2, 3, reported=0), "a1"),
        "considered": score(judged_paper(2, 3, reported=1), "a5", "a3"),
        "second": score(judged_paper(2), "a2"),
        "never": score(judged_paper(2, 3, reported=2)),
    }
    assert [each.rank for each in scores.values()] == [1, 3, 2, None]
    means = {name: (mean.mean, mean.n) for name, mean in summarize_masked_scores(scores).items()}
    assert means == {
        "reciprocal_rank": (pytest.approx((1 + 1 / 3 + 1 / 2) / 4), 4),
        "hit@1": (0.25, 4),
        "hit@2": (0.5, 4),
        "hit@3": (0.75, 4),
        "hit@4": (0.75, 4),
        "hit@5": (0.75, 4),
        "in_plan": (0.5, 4),
        "already_reported": (pytest.approx((0 + 1 / 2 + 1) / 3), 3),
    }


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 6), st.sets(st.integers(1, 10)), st.integers(0, 1)),
        min_size=1,
        max_size=8,
    )
)
def test_a_second_implementation_gives_the_same_means(papers: list[tuple[int, int, set[int], int]]) -> None:
    scores = {
        str(n): score(judged_paper(kept, more, reported), *(f"a{i}" for i in sorted(matched)))
        for n, (kept, more, matched, reported) in enumerate(papers)
    }
    hits = dict.fromkeys(range(1, 6), Fraction())
    reciprocal, in_plan, shares = Fraction(), Fraction(), Fraction()
    for kept, more, matched, reported in papers:
        position = 1
        while position <= kept + more and position not in matched:
            position += 1
        if position <= kept + more:
            reciprocal += Fraction(1, position)
            in_plan += position <= kept
            for k in range(position, 6):
                hits[k] += 1
        shares += Fraction(reported, kept)
    expected = {"reciprocal_rank": reciprocal, "in_plan": in_plan, "already_reported": shares}
    expected |= {f"hit@{k}": count for k, count in hits.items()}
    means = summarize_masked_scores(scores)
    assert {name: mean.mean for name, mean in means.items()} == {
        name: pytest.approx(float(total / len(papers))) for name, total in expected.items()
    }


def write_answers(path: Path, **answers: Sequence[Any]) -> Path:
    rows = [{"id": name, "title": f"On {name}", "answers": dumped(given)} for name, given in answers.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_answers_are_gold_of_the_reviewer_task(tmp_path: Path) -> None:
    gold = read_gold(write_answers(tmp_path / "answers.jsonl", one=[GATE], two=[LOSS, GATE]))
    assert (gold.task, gold.is_masked) == (Task.REVIEWER, True)
    assert gold.papers["two"] == MaskedGold("two", "On two", (LOSS, GATE))


def test_answers_beside_reviews_or_none_at_all_are_errors(tmp_path: Path) -> None:
    path = write_answers(tmp_path / "gold.jsonl", one=[GATE])
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "two", "title": "", "reviews": ["Why?"]}) + "\n")
    with pytest.raises(UsageError, match="reviews and answers"):
        read_gold(path)
    with pytest.raises(TableError, match="row 1: has no answer"):
        read_gold(write_answers(tmp_path / "empty.jsonl", one=[]))


def reviewed_paper() -> Paper:
    """A paper that reports the removal of its patch encoder."""
    sections = (
        section("Introduction", SectionKind.INTRODUCTION, "Tides turn."),
        section("Method", SectionKind.METHOD, *(f"The {part} is a part of the model." for part in PARTS)),
        section(
            "Ablation study",
            SectionKind.ABLATION,
            "Removing the patch encoder raises the MAE from 0.08 to 0.12. Without the patch encoder, MAE is 0.12.",
        ),
    )
    return paper(sections=sections)


async def plan_paper(folder: Path, chances: Sequence[int], name: str = "some-model") -> None:
    """Plan the removal of part 0, part 1, … with these chances; at most two that have 40 percent are kept."""
    lines = [
        {"name": f"No {part}", "ablated_part": part, "action": "REMOVE", "metrics": ["MAE"], "chance": chance}
        for part, chance in zip(PARTS, chances, strict=True)
    ]
    model = FakeModel(Completion(contract("Because.", lines), finish_reason="stop"), name=name)
    settings = PlanSettings(Task.REVIEWER, k=2, min_chance=40)
    await plan_to_folder(folder, reviewed_paper(), model, settings, lambda _: None)


@pytest.fixture
def gold(workdir: Path) -> Path:
    """The answer is the removal of the storm calendar."""
    answer = {"name": "calendar", "ablated_part": PARTS[2], "action": "REMOVE", "metrics": ["MAE"]}
    row = {"id": paper().id, "title": "A Paper", "answers": [answer]}
    path = workdir / "answers.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return path


def test_candidates_that_were_not_kept_rank_after_the_plan(run: Run, workdir: Path, gold: Path) -> None:
    asyncio.run(plan_paper(workdir / "plans", [80, 70, 60, 30, 20]))
    told = json.loads(run("judge", "plans", "--gold", gold, "-o", "judged", "--json").stdout)
    means = {name: mean["mean"] for name, mean in told["masked"].items() if isinstance(mean, dict)}
    assert means["reciprocal_rank"] == pytest.approx(1 / 3)
    assert [means[f"hit@{k}"] for k in (1, 2, 3, 5)] == [0, 0, 1, 1]
    assert (means["in_plan"], means["already_reported"]) == (0, 0.5)
    assert (told["masked"]["unchecked"], told["f1"], told["by_k"]) == (0, None, [])
    printed = run("judge", "plans", "--gold", gold, "-o", "judged").stdout
    assert "reciprocal rank     0.33" in printed
    table = run("calibration", "judged").stdout
    assert "| 60–69 % | 1 | 1 |" in table
    assert "5 ablations with a chance, 0 without" in table


def test_a_judge_sees_candidates_and_plan_alike(run: Run, workdir: Path, gold: Path) -> None:
    asyncio.run(plan_paper(workdir / "plans", [80, 70, 60, 30, 20]))
    (written,) = run("judge", "plans", "--gold", gold, "--prompts-to", "prompts").stdout.split()
    prompt = Path(written).read_text(encoding="utf-8")
    assert sorted(len(side) for side in shown(prompt)) == [1, 5]
    assert not any(word in prompt for word in ("chance", "considered", "masked"))
    (workdir / "replies").mkdir()
    (workdir / "replies" / Path(written).name).write_text(by_part(prompt), encoding="utf-8")
    words = ("judge", "plans", "--gold", gold, "--replies-from", "replies", "-o", "judged", "--json")
    told = json.loads(run(*words).stdout)
    assert (told["judge"], told["masked"]["hit@3"]["mean"], told["masked"]["hit@2"]["mean"]) == ("by-hand", 1, 0)


def test_plans_without_a_record_say_that_they_were_not_checked(run: Run, workdir: Path) -> None:
    gold = write_answers(workdir / "answers.jsonl", one=[GATE], two=[LOSS])
    write_plans(workdir / "plans", {"one": [LOSS, GATE], "two": [GATE]})
    result = run("judge", "plans", "--gold", gold, "-o", "judged")
    assert "already reported is unknown for 2 of 2 papers" in result.stdout
    told = json.loads(run("judge", "plans", "--gold", gold, "-o", "judged", "--json").stdout)
    assert (told["masked"]["already_reported"], told["masked"]["unchecked"]) == (None, 2)
    assert told["masked"]["reciprocal_rank"]["mean"] == pytest.approx(0.25)


def test_a_report_compares_two_runs_on_the_same_masked_papers(run: Run, workdir: Path) -> None:
    names = [f"p{number}" for number in range(6)]
    gold = write_answers(workdir / "answers.jsonl", **{name: [GATE] for name in names})
    for model, plan in {"better": [GATE, LOSS], "worse": [LOSS, GATE]}.items():
        write_plans(workdir / model, dict.fromkeys(names, plan))
        assert run("judge", model, "--gold", gold, "-o", f"judged/{model}").exit_code == 0
    result = run("report", "judged/better", "judged/worse", "-o", "report", "--no-plots")
    assert result.exit_code == 0, result.stderr
    text = (workdir / "report" / "report.md").read_text(encoding="utf-8")
    assert "## Masked papers" in text
    assert "| better | worse | Reciprocal rank | 6 | +0.500 | +0.500 to +0.500 | 0.031 | 0.031 |" in text
    assert "## At every k" not in text
    with (workdir / "report" / "report-masked-papers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    worse = [(row["paper"], row["rank"], row["hit@1"], row["hit@2"]) for row in rows if row["system"] == "worse"]
    assert worse == [(name, "2", "0.0", "1.0") for name in names]
    with (workdir / "report" / "report-masked-differences.csv").open(encoding="utf-8") as file:
        by_measure = {row["measure"]: row for row in csv.DictReader(file)}
    assert (by_measure["hit@1"]["difference"], by_measure["hit@2"]["difference"]) == ("1.0", "0.0")
    assert "already_reported" not in by_measure
    drawn = run("report", "worse", "--gold", gold, "-o", "drawn")
    assert drawn.exit_code == 0, drawn.stderr
    assert (workdir / "drawn" / "hits-by-k.svg").is_file()


def test_judges_of_masked_papers_can_vote(run: Run, workdir: Path) -> None:
    gold = write_answers(workdir / "answers.jsonl", one=[GATE])
    write_plans(workdir / "plans", {"one": [LOSS, GATE]})
    for number in range(3):
        run("judge", "plans", "--gold", gold, "-o", f"judged/{number}")
    told = json.loads(run("vote", *(f"judged/{n}" for n in range(3)), "-o", "majority", "--json").stdout)
    assert told["masked"]["reciprocal_rank"]["mean"] == 0.5


def test_copies_of_one_title_are_paired_by_their_files(run: Run, workdir: Path) -> None:
    rows = [{"id": f"p__{n}", "title": "A Paper", "answers": dumped([GATE])} for n in (1, 2)]
    (workdir / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    lines = [{"name": "No gate", "ablated_part": GATE.ablated_part, "action": "REMOVE", "metrics": ["MAE"]}]
    model = FakeModel(Completion(contract("Because.", lines), finish_reason="stop"))
    settings = PlanSettings(Task.REVIEWER, k=2)
    copy = paper(source="copies/p__2.md")
    asyncio.run(plan_to_folder(workdir / "plans", copy, model, settings, lambda _: None))
    run("judge", "plans", "--gold", "answers.jsonl", "-o", "judged")
    record = json.loads((workdir / "judged" / "judging.json").read_text(encoding="utf-8"))
    assert [each["status"] for each in record["papers"]] == ["absent", "scored"]


def test_a_folder_of_verdicts_keeps_to_its_kind_of_gold(run: Run, workdir: Path) -> None:
    write_plans(workdir / "plans", {"one": [GATE]})
    row = {"id": "one", "title": "On one", "reviews": ["Remove the gate."]}
    (workdir / "reviews.jsonl").write_text(json.dumps(row), encoding="utf-8")
    assert run("judge", "plans", "--gold", "reviews.jsonl", "-o", "judged").exit_code == 0
    gold = write_answers(workdir / "answers.jsonl", one=[GATE])
    result = run("judge", "plans", "--gold", gold, "-o", "judged")
    assert result.exit_code == 2
    assert "choose another folder" in result.stderr
