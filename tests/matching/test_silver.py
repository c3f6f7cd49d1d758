"""The matcher against pairs that were labelled by reading them, as README.md here explains."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from eval.matching import MATCH_THRESHOLD
from planner.matching import compute_ablation_similarity
from planner.schema import Ablation
from planner.trajectory.reader import read_trajectory

SILVER = Path(__file__).with_name("silver.jsonl")
MIN_F1 = 0.75


@dataclass(frozen=True)
class Pair:
    a: Ablation
    b: Ablation
    same: bool
    case: str


def read_pairs(shared: Path) -> list[Pair]:
    rows = [json.loads(line) for line in SILVER.read_text(encoding="utf-8").splitlines()]
    return [
        Pair(
            read_trajectory(shared / row["a"]).plan.ablations[row["a_item"] - 1],
            read_trajectory(shared / row["b"]).plan.ablations[row["b_item"] - 1],
            row["same"],
            row["case"],
        )
        for row in rows
    ]


def score_pairs(labelled: list[Pair]) -> tuple[float, float, float]:
    """Return precision, recall and F1 of the matches."""
    outcomes = [(compute_ablation_similarity(pair.a, pair.b) >= MATCH_THRESHOLD, pair.same) for pair in labelled]
    counts = Counter(outcomes)
    hit, false, missed = counts[True, True], counts[True, False], counts[False, True]
    return hit / (hit + false), hit / (hit + missed), 2 * hit / (2 * hit + false + missed)


@pytest.mark.shared
def test_f1_on_the_held_out_half_and_on_all_pairs(shared: Path) -> None:
    labelled = read_pairs(shared)
    for name, part in (
        ("tuned on", labelled[0::2]),
        ("held out", labelled[1::2]),
        ("clear", [pair for pair in labelled if pair.case == "clear"]),
        ("hard", [pair for pair in labelled if pair.case == "hard"]),
    ):
        precision, recall, f1 = score_pairs(part)
        print(f"{name}: precision {precision:.2f}, recall {recall:.2f}, F1 {f1:.2f} over {len(part)} pairs")  # noqa: T201
    assert score_pairs(labelled[1::2])[2] >= MIN_F1
    assert score_pairs(labelled)[2] >= MIN_F1


def test_the_labels_are_enough_and_half_of_them_hard() -> None:
    rows = [json.loads(line) for line in SILVER.read_text(encoding="utf-8").splitlines()]
    assert len(rows) >= 150
    assert 0.4 <= sum(row["case"] == "hard" for row in rows) / len(rows) <= 0.6
    assert len({(row["a"].rsplit("/", 1)[1]) for row in rows}) == len(rows), "one pair a paper"
    for row in rows:
        assert row["a"].rsplit("/", 1)[1] == row["b"].rsplit("/", 1)[1], "the same paper"
        assert row["a"] != row["b"], "different models"
