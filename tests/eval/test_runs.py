"""The folder of a judge's run."""

import asyncio
import json
from pathlib import Path

import pytest

from eval.coverage import Status
from eval.gold import GoldSet
from eval.health import agreements, health
from eval.judging import OFFLINE, gathered, judge_all, judge_offline
from eval.metrics import Scores
from eval.plans import System
from eval.published import published_judging
from eval.results import contrasts, results
from eval.runs import Judging, read_judging, write_judging
from eval.scoring import paper_scores
from eval.tables import TableError
from eval.verdicts import AuthorVerdict, Verdict, verdict_path
from planner.errors import UsageError
from planner.schema import Task
from tests.eval.made import DEPTH, GATE, LOSS, POOL, author_gold, reviewer_gold, system, write_plans


def judged(gold: GoldSet, plans: System) -> Judging:
    return gathered(gold, plans, OFFLINE, asyncio.run(judge_all(gold, plans, judge_offline, lambda _: None)))


@pytest.fixture
def judging() -> Judging:
    return judged(author_gold(one=[GATE, LOSS], two=[GATE]), system(one=[POOL, GATE], two=[GATE]))


def with_verdicts(judging: Judging, judge: str, verdicts: dict[str, tuple[Verdict, ...]]) -> Judging:
    return Judging(judging.run.model_copy(update={"judge": judge}), verdicts)


def test_a_run_comes_back_as_it_was_written(tmp_path: Path, judging: Judging) -> None:
    write_judging(tmp_path, judging)
    assert read_judging(tmp_path) == judging


def test_k_cuts_the_plans_for_evaluations_alone(tmp_path: Path, judging: Judging) -> None:
    write_judging(tmp_path, judging, k=1)
    records = json.loads((tmp_path / "evaluations.json").read_text(encoding="utf-8"))
    assert [record["recall"] for record in records] == [0.0, 1.0], "the gate comes second in the plan of one"
    assert read_judging(tmp_path) == judging


def test_verdicts_of_a_paper_that_lost_its_score_are_removed(tmp_path: Path, judging: Judging) -> None:
    write_judging(tmp_path, judging)
    one, two = judging.run.papers
    lost = one.model_copy(update={"status": Status.UNSCORED})
    run = judging.run.model_copy(update={"papers": (lost, two)})
    write_judging(tmp_path, Judging(run, {"two": judging.verdicts["two"]}))
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["two.jsonl"]


@pytest.mark.parametrize("paper_id", ["gpt-4o/one", "../../etc/passwd", "a:b", ".hidden", "CON", "x" * 400])
def test_every_id_is_a_file_within_the_folder(tmp_path: Path, paper_id: str) -> None:
    path = verdict_path(tmp_path, paper_id)
    assert path.resolve().is_relative_to(tmp_path.resolve())
    assert len(path.name.encode()) <= 255
    assert path.name.endswith(".jsonl")


def test_a_damaged_run_is_named(tmp_path: Path, judging: Judging) -> None:
    write_judging(tmp_path, judging)
    (tmp_path / "one.jsonl").unlink()
    with pytest.raises(TableError, match=r"one\.jsonl"):
        read_judging(tmp_path)
    (tmp_path / "judging.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TableError, match=r"judging\.json"):
        read_judging(tmp_path)
    with pytest.raises(UsageError, match=r"no judging\.json"):
        read_judging(tmp_path / "nowhere")


def test_an_author_paper_without_ablations_scores_nothing_for_anyone() -> None:
    found = judged(author_gold(one=[]), system(one=[GATE]))
    assert paper_scores(found)["one"] == Scores(0.0, 0.0, 0.0, 0.0, 0.0), "as the published definitions have it"


def test_the_reviewer_task_offline() -> None:
    gold = reviewer_gold(one="What happens without the harmonic residual gate?", two="Well written.")
    found = judged(gold, system(Task.REVIEWER, one=[GATE, LOSS], two=[GATE]))
    assert [score.recall for score in paper_scores(found).values()] == [1.0, 0.0]


def test_failed_and_absent_papers_count_only_as_published(judging: Judging) -> None:
    gold = author_gold(one=[GATE], two=[GATE], three=[GATE])
    found = judged(gold, system(one=[GATE]))
    assert set(paper_scores(found)) == {"one"}
    published = paper_scores(found, as_published=True)
    assert [published[name].f1 for name in ("one", "two", "three")] == [1.0, 0.0, 0.0]


def test_agreement_of_two_judges_by_hand(judging: Judging) -> None:
    # Of three items a says yes to gate and gate, b to loss and gate: one in three the same.
    a = with_verdicts(judging, "a", {"one": said(gate="gate", loss=None), "two": said(gate="gate")})
    b = with_verdicts(judging, "b", {"one": said(gate=None, loss="pooling"), "two": said(gate="gate")})
    (found,) = agreements(results([a, b]))
    assert (found.items, found.same) == (3, pytest.approx(1 / 3))
    chance = 2 / 3 * 2 / 3 + 1 / 3 * 1 / 3
    assert found.kappa == pytest.approx((1 / 3 - chance) / (1 - chance))


def said(**pairs: str | None) -> tuple[Verdict, ...]:
    return tuple(AuthorVerdict.model_validate({"name_in_paper": g, "name_in_plan": p}) for g, p in pairs.items())


def test_judges_of_different_plans_do_not_agree_or_differ(judging: Judging) -> None:
    other = Judging(judging.run.model_copy(update={"system": "other"}), judging.verdicts)
    assert agreements(results([judging, other])) == ()


def test_systems_are_contrasted_under_one_judge_alone(judging: Judging) -> None:
    other = Judging(judging.run.model_copy(update={"system": "other"}), judging.verdicts)
    another_judge = Judging(other.run.model_copy(update={"judge": "b"}), judging.verdicts)
    (contrast,) = contrasts(results([judging, other, another_judge]))
    assert {contrast.a.run.judge, contrast.b.run.judge} == {"offline"}
    assert (contrast.f1.n, contrast.f1.mean, contrast.f1.p) == (2, 0.0, 1.0)


def test_too_few_papers_are_not_remarked_on(judging: Judging) -> None:
    (row,) = results([with_verdicts(judging, "a", {"one": said(gate=None, loss=None), "two": said(gate=None)})])
    assert health(row).matched == 0.0
    assert health(row).remarks == ()


def test_verdicts_of_another_program_are_taken_up_and_their_typos_flagged(tmp_path: Path) -> None:
    gold, plans = author_gold(one=[GATE], two=[GATE], three=[DEPTH]), system(one=[GATE], two=[GATE], three=[DEPTH])
    write_plans(tmp_path, {})
    line = {"name_in_paper": "gate", "name_in_plan": "gaet"}
    (tmp_path / "one.jsonl").write_text(json.dumps(line), encoding="utf-8")
    (tmp_path / "two.jsonl").write_text("", encoding="utf-8")
    found = asyncio.run(published_judging(tmp_path, gold, plans))
    one, two, three = found.run.papers
    assert one.flags == ("unknown name: the plan has no 'gaet'",)
    assert (one.status, one.reason) == (Status.SCORED, "")
    assert (two.status, two.reason) == (Status.UNSCORED, "the file of verdicts is empty")
    assert (three.status, three.reason) == (Status.UNSCORED, "the judge left no file of verdicts")
    assert paper_scores(found)["one"].f1 == 0.0, "a name is all that the published form has"


def test_what_another_program_gave_no_verdict_on_is_flagged(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"name_in_paper": "gate", "name_in_plan": null}', encoding="utf-8")
    author = author_gold(one=[GATE, LOSS])
    (paper,) = asyncio.run(published_judging(tmp_path, author, system(one=[GATE]))).run.papers
    assert paper.flags == ("no verdict: none on 'loss'",)
    (tmp_path / "one.jsonl").write_text('{"name_in_plan": "gate", "appears_in_review": true}', encoding="utf-8")
    reviewer = reviewer_gold(one="Remove the gate.")
    (paper,) = asyncio.run(published_judging(tmp_path, reviewer, system(Task.REVIEWER, one=[GATE, LOSS]))).run.papers
    assert paper.flags == ("no verdict: none on 'loss'",)


def test_a_paper_without_ablations_needs_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text("", encoding="utf-8")
    (paper,) = asyncio.run(published_judging(tmp_path, author_gold(one=[]), system(one=[GATE]))).run.papers
    assert paper.status is Status.SCORED
