"""The folder of a judge's run."""

import asyncio
import json
from pathlib import Path

import pytest

from eval.gold import GoldSet
from eval.judging import judge_run_offline, read_published_run
from eval.metrics import PaperScores
from eval.plans import PaperStatus, System
from eval.report.reliability import check_judge, compare_judges
from eval.runs import JudgedRun, read_judged_run, write_judged_run
from eval.scoring import compare_results, compute_results, score_papers
from eval.tables import TableError
from eval.verdicts import AuthorVerdict, Verdict, build_verdict_path
from planner.errors import UsageError
from planner.schema import Task
from tests.eval.made import DEPTH, GATE, LOSS, POOL, author_gold, reviewer_gold, system, write_plans


def judge_offline(gold: GoldSet, plans: System) -> JudgedRun:
    return asyncio.run(judge_run_offline(gold, plans))


@pytest.fixture
def judged_run() -> JudgedRun:
    return judge_offline(author_gold(one=[GATE, LOSS], two=[GATE]), system(one=[POOL, GATE], two=[GATE]))


def with_verdicts(judged_run: JudgedRun, judge: str, verdicts: dict[str, tuple[Verdict, ...]]) -> JudgedRun:
    return JudgedRun(judged_run.record.model_copy(update={"judge": judge}), verdicts)


def test_a_run_comes_back_as_it_was_written(tmp_path: Path, judged_run: JudgedRun) -> None:
    write_judged_run(tmp_path, judged_run)
    assert read_judged_run(tmp_path) == judged_run


def test_k_cuts_the_plans_for_evaluations_alone(tmp_path: Path, judged_run: JudgedRun) -> None:
    write_judged_run(tmp_path, judged_run, k=1)
    records = json.loads((tmp_path / "evaluations.json").read_text(encoding="utf-8"))
    assert [record["recall"] for record in records] == [0.0, 1.0], "the gate comes second in the plan of one"
    assert read_judged_run(tmp_path) == judged_run


def test_verdicts_of_a_paper_that_lost_its_score_are_removed(tmp_path: Path, judged_run: JudgedRun) -> None:
    write_judged_run(tmp_path, judged_run)
    one, two = judged_run.record.papers
    lost = one.model_copy(update={"status": PaperStatus.UNSCORED})
    run = judged_run.record.model_copy(update={"papers": (lost, two)})
    write_judged_run(tmp_path, JudgedRun(run, {"two": judged_run.verdicts["two"]}))
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["two.jsonl"]


@pytest.mark.parametrize("paper_id", ["gpt-4o/one", "../../etc/passwd", "a:b", ".hidden", "CON", "x" * 400])
def test_every_id_is_a_file_within_the_folder(tmp_path: Path, paper_id: str) -> None:
    path = build_verdict_path(tmp_path, paper_id)
    assert path.resolve().is_relative_to(tmp_path.resolve())
    assert len(path.name.encode()) <= 255
    assert path.name.endswith(".jsonl")


def test_a_damaged_run_is_named(tmp_path: Path, judged_run: JudgedRun) -> None:
    write_judged_run(tmp_path, judged_run)
    (tmp_path / "one.jsonl").unlink()
    with pytest.raises(TableError, match=r"one\.jsonl"):
        read_judged_run(tmp_path)
    (tmp_path / "judging.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TableError, match=r"judging\.json"):
        read_judged_run(tmp_path)
    with pytest.raises(UsageError, match=r"no judging\.json"):
        read_judged_run(tmp_path / "nowhere")


def test_an_author_paper_without_ablations_scores_nothing_for_anyone() -> None:
    found = judge_offline(author_gold(one=[]), system(one=[GATE]))
    assert score_papers(found)["one"] == PaperScores(0.0, 0.0, 0.0, 0.0, 0.0), "as the published definitions have it"


def test_the_reviewer_task_offline() -> None:
    gold = reviewer_gold(one="What happens without the harmonic residual gate?", two="Well written.")
    found = judge_offline(gold, system(Task.REVIEWER, one=[GATE, LOSS], two=[GATE]))
    assert [score.recall for score in score_papers(found).values()] == [1.0, 0.0]


def test_failed_and_absent_papers_count_only_as_published(judged_run: JudgedRun) -> None:
    gold = author_gold(one=[GATE], two=[GATE], three=[GATE])
    found = judge_offline(gold, system(one=[GATE]))
    assert set(score_papers(found)) == {"one"}
    published = score_papers(found, as_published=True)
    assert [published[name].f1 for name in ("one", "two", "three")] == [1.0, 0.0, 0.0]


def test_agreement_of_two_judges_by_hand(judged_run: JudgedRun) -> None:
    # Of three items a says yes to gate and gate, b to loss and gate: one in three the same.
    a = with_verdicts(
        judged_run, "a", {"one": make_verdicts(gate="gate", loss=None), "two": make_verdicts(gate="gate")}
    )
    b = with_verdicts(
        judged_run, "b", {"one": make_verdicts(gate=None, loss="pooling"), "two": make_verdicts(gate="gate")}
    )
    (found,) = compare_judges(compute_results([a, b]))
    assert found.agreement.item_count == 3
    assert found.agreement.same_share == pytest.approx(1 / 3)
    chance = 2 / 3 * 2 / 3 + 1 / 3 * 1 / 3
    assert found.agreement.kappa == pytest.approx((1 / 3 - chance) / (1 - chance))


def make_verdicts(**pairs: str | None) -> tuple[Verdict, ...]:
    return tuple(AuthorVerdict.model_validate({"name_in_paper": g, "name_in_plan": p}) for g, p in pairs.items())


def test_judges_of_different_plans_do_not_agree_or_differ(judged_run: JudgedRun) -> None:
    other = JudgedRun(judged_run.record.model_copy(update={"system": "other"}), judged_run.verdicts)
    assert compare_judges(compute_results([judged_run, other])) == ()


def test_systems_are_contrasted_under_one_judge_alone(judged_run: JudgedRun) -> None:
    other = JudgedRun(judged_run.record.model_copy(update={"system": "other"}), judged_run.verdicts)
    another_judge = JudgedRun(other.record.model_copy(update={"judge": "b"}), judged_run.verdicts)
    (contrast,) = compare_results(compute_results([judged_run, other, another_judge]))
    assert {contrast.a.record.judge, contrast.b.record.judge} == {"offline"}
    assert (contrast.difference.n, contrast.difference.mean, contrast.difference.p) == (2, 0.0, 1.0)


def test_too_few_papers_are_not_remarked_on(judged_run: JudgedRun) -> None:
    (row,) = compute_results(
        [with_verdicts(judged_run, "a", {"one": make_verdicts(gate=None, loss=None), "two": make_verdicts(gate=None)})]
    )
    assert check_judge(row).matched_share == 0.0
    assert check_judge(row).warnings == ()


def test_verdicts_of_another_program_are_taken_up_and_their_typos_flagged(tmp_path: Path) -> None:
    gold, plans = author_gold(one=[GATE], two=[GATE], three=[DEPTH]), system(one=[GATE], two=[GATE], three=[DEPTH])
    write_plans(tmp_path, {})
    line = {"name_in_paper": "gate", "name_in_plan": "gaet"}
    (tmp_path / "one.jsonl").write_text(json.dumps(line), encoding="utf-8")
    (tmp_path / "two.jsonl").write_text("", encoding="utf-8")
    found = asyncio.run(read_published_run(tmp_path, gold, plans))
    one, two, three = found.record.papers
    assert one.flags == ("unknown name: the plan has no 'gaet'",)
    assert (one.status, one.reason) == (PaperStatus.SCORED, "")
    assert (two.status, two.reason) == (PaperStatus.UNSCORED, "the file of verdicts is empty")
    assert (three.status, three.reason) == (PaperStatus.UNSCORED, "the judge left no file of verdicts")
    assert score_papers(found)["one"].f1 == 0.0, "a name is all that the published form has"


def test_what_another_program_gave_no_verdict_on_is_flagged(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"name_in_paper": "gate", "name_in_plan": null}', encoding="utf-8")
    author = author_gold(one=[GATE, LOSS])
    (paper,) = asyncio.run(read_published_run(tmp_path, author, system(one=[GATE]))).record.papers
    assert paper.flags == ("no verdict: none on 'loss'",)
    (tmp_path / "one.jsonl").write_text('{"name_in_plan": "gate", "appears_in_review": true}', encoding="utf-8")
    reviewer = reviewer_gold(one="Remove the gate.")
    (paper,) = asyncio.run(
        read_published_run(tmp_path, reviewer, system(Task.REVIEWER, one=[GATE, LOSS]))
    ).record.papers
    assert paper.flags == ("no verdict: none on 'loss'",)


def test_a_paper_without_ablations_needs_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text("", encoding="utf-8")
    (paper,) = asyncio.run(read_published_run(tmp_path, author_gold(one=[]), system(one=[GATE]))).record.papers
    assert paper.status is PaperStatus.SCORED
