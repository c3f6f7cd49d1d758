"""The agreement of judges is as a second implementation says; the offline judge states its own beside its numbers."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.agreement import JUDGED_PLANS, Agreement, compute_agreement, measure_offline_agreement
from eval.bench_papers import LABELS
from eval.offline import score_match
from eval.plans import PlannedPaper, System
from eval.runs import write_judged_run
from planner.details import Details
from planner.schema import Task
from tests.conftest import ROOT
from tests.eval.conftest import Run
from tests.eval.made import GATE, LOSS, author_gold, write_gold, write_plans
from tests.eval.test_runs import judge_offline
from tests.matching.test_silver import Pair, read_pairs

ROWS = [json.loads(line) for line in JUDGED_PLANS.read_text(encoding="utf-8").splitlines()]
README = (ROOT / "eval" / "README.md").read_text(encoding="utf-8")
SENTENCE = "The offline judge compares words: on the open bench it agrees with a model judge on"


def test_agreement_worked_out_by_hand() -> None:
    decisions = [(True, True), (True, True), (True, False), (False, True), (False, False)]
    found = compute_agreement(decisions)
    assert (found.item_count, found.same_share, found.precision, found.recall) == (5, 0.6, *[pytest.approx(2 / 3)] * 2)
    assert found.kappa == pytest.approx((0.6 - 0.52) / 0.48), "by chance 0.6² + 0.4²"
    assert compute_agreement([]) == Agreement(0, None, None, None, None)
    assert compute_agreement([(False, False)]) == Agreement(1, 1.0, None, None, None)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_a_second_implementation_gives_the_same_agreement(decisions: list[tuple[bool, bool]]) -> None:
    counts = {(a, b): decisions.count((a, b)) for a in (True, False) for b in (True, False)}
    both, first, second, neither = (counts[key] for key in ((True, True), (True, False), (False, True), (False, False)))
    found = compute_agreement(decisions)
    assert found.same_share == pytest.approx((both + neither) / len(decisions))
    assert found.precision == (pytest.approx(both / (both + first)) if both + first else None)
    assert found.recall == (pytest.approx(both / (both + second)) if both + second else None)
    # kappa of a table of two by two (Cohen, 1960), in another form
    below = (both + first) * (first + neither) + (both + second) * (second + neither)
    kappa = Fraction(2 * (both * neither - first * second), below) if below else None
    assert found.kappa == (None if kappa is None else pytest.approx(float(kappa)))


def test_judged_plans_name_labels_of_the_bench_and_ablations_of_their_plans() -> None:
    labels = {
        row["id"]: [each["name"] for each in row["ablations"]]
        for row in map(json.loads, LABELS.read_text(encoding="utf-8").splitlines())
    }
    assert [sum(row["task"] == task for row in ROWS) for task in Task] == [78, 40]
    for row in ROWS:
        planned = [each["name"] for each in row["plan"]]
        assert len(set(planned)) == len(planned)
        known = labels[row["id"].partition("__")[0]]
        assert row["matches"].keys() <= set(known)
        assert row["task"] == "reviewer" or list(row["matches"]) == known
        assert set(planned) >= {name for names in row["matches"].values() for name in names}


def test_the_offline_judge_agrees_with_a_model_on_most_of_the_bench() -> None:
    author, reviewer = measure_offline_agreement(Task.AUTHOR), measure_offline_agreement(Task.REVIEWER)
    assert (author.item_count, reviewer.item_count) == (164, 273)
    assert min(author.kappa or 0, reviewer.kappa or 0) > 0.6
    for found in (author, reviewer):
        shares = [f"{100 * (share or 0):.0f} %" for share in (found.same_share, found.recall, found.precision)]
        assert f"| {shares[0]} | {found.kappa:.2f} | {shares[1]} | {shares[2]} |" in README
    assert min(author.precision or 0, author.recall or 0, reviewer.precision or 0, reviewer.recall or 0) > 0.75


@pytest.mark.shared
def test_f1_on_silver_pairs_whose_words_differ(shared: Path) -> None:
    pairs = read_pairs(shared)
    hard = [pair for pair in pairs if pair.case == "hard"]
    assert compute_f1(hard) >= 0.70
    assert compute_f1([pair for pair in pairs[1::2] if pair.case == "hard"]) >= 0.60, "they played no part in the rule"
    assert compute_f1(pairs) >= 0.84


def compute_f1(pairs: Sequence[Pair]) -> float:
    decisions = [(score_match(pair.a, pair.b) > 0, pair.same) for pair in pairs]
    return 2 * decisions.count((True, True)) / (sum(a for a, _ in decisions) + sum(b for _, b in decisions))


def test_every_command_says_how_far_the_offline_judge_can_be_trusted(run: Run, workdir: Path) -> None:
    write_gold(workdir / "gold.jsonl", {"one": [GATE, LOSS]})
    write_plans(workdir / "plans", {"one": [GATE]})
    assert SENTENCE in run("judge", "plans", "--gold", "gold.jsonl", "-o", "judged").stdout
    assert (
        SENTENCE in json.loads(run("judge", "plans", "--gold", "gold.jsonl", "-o", "judged", "--json").stdout)["trust"]
    )
    run("report", "judged", "-o", "report", "--no-plots")
    for name in ("report.md", "report.html"):
        assert SENTENCE in Path("report", name).read_text(encoding="utf-8")
    planned = PlannedPaper("one", "made", ablations=(GATE,), details=(Details(chance=80),))
    write_judged_run(
        workdir / "chances",
        judge_offline(author_gold(one=[GATE]), System("lm-planner/m", Task.AUTHOR, {"one": planned})),
    )
    assert SENTENCE in run("calibration", "chances").stdout
    assert SENTENCE in json.loads(run("calibration", "chances", "--json").stdout)["trust"]


def test_a_judge_that_is_no_matcher_gets_no_such_sentence(run: Run, workdir: Path) -> None:
    write_gold(workdir / "gold.jsonl", {"one": [GATE]})
    write_plans(workdir / "plans", {"one": [GATE]})
    Path("replies").mkdir()
    told = run("judge", "plans", "--gold", "gold.jsonl", "--replies-from", "replies", "-o", "out").stdout
    assert "offline" not in told


def test_on_reviews_its_agreement_is_not_known(run: Run, workdir: Path) -> None:
    row = {"id": "one", "title": "On one", "reviews": ["Remove the harmonic residual gate."]}
    Path("gold.jsonl").write_text(json.dumps(row), encoding="utf-8")
    write_plans(workdir / "plans", {"one": [GATE]})
    told = run("judge", "plans", "--gold", "gold.jsonl", "-o", "judged").stdout
    assert "how far it agrees with people or models there is not known" in told
