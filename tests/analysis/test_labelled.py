"""The analysis and the built-in planner against labels: those of the shared folder, and a small paper of our own."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eval.__main__ import main
from eval.labelled import MatchCounts, count_matches, read_analysis_label, score_analyses

PAPER = """# Owls

## Abstract

We find owls in the forest by listening to what they say at night, which is more than most people would expect.

## 1 Introduction

Owls hoot, and hooting is a sound that carries far. We propose a spectral gating unit (SGU) that listens.

## 2 Method

### 2.1 Echo Memory

Echo memory keeps past calls, since owls answer one another across a valley and the answer tells where they sit.

## 3 Experiments

### 3.1 Ablation Study

| Model | mAP |
|---|---|
| Full | 81.2 |
| w/o SGU | 77.0 |
| w/o echo memory | 79.0 |
"""


def write_labelled(folder: Path, *parts: str) -> None:
    (folder / "owls.md").write_text(PAPER, encoding="utf-8")
    ablations = [{"name": f"w/o {part}", "ablated_part": part, "replacement": []} for part in parts]
    (folder / "owls.json").write_text(json.dumps({"ablations": ablations, "metrics": ["mAP"]}), encoding="utf-8")


def test_labels_and_findings_match_by_stems() -> None:
    assert count_matches(["echo memory", "gate"], ["memory of echoes", "window length"]) == MatchCounts(2, 1, 2, 1)


def test_each_label_needs_a_finding_of_its_own() -> None:
    assert count_matches(["gate"], ["gate of the encoder", "gate of the decoder"]) == MatchCounts(2, 1, 1, 1)


def test_nothing_to_count_has_no_recall_or_precision() -> None:
    assert count_matches([], []) == MatchCounts(0, 0, 0, 0)
    assert MatchCounts(0, 0, 0, 0).recall is None
    assert MatchCounts(0, 0, 0, 0).precision is None


def test_a_labelled_paper_is_measured(tmp_path: Path) -> None:
    write_labelled(tmp_path, "spectral gating unit (SGU)", "echo memory", "owl dictionary")
    (score,) = score_analyses(tmp_path)
    assert score.ablations == MatchCounts(label_count=3, found_labels=2, finding_count=2, correct_findings=2)
    assert score.metrics == MatchCounts(label_count=1, found_labels=1, finding_count=1, correct_findings=1)


def test_the_command_prints_a_row_a_paper_and_the_sum(tmp_path: Path) -> None:
    write_labelled(tmp_path, "spectral gating unit (SGU)", "echo memory", "owl dictionary")
    result = CliRunner().invoke(main, ["analysis", str(tmp_path)])
    assert result.exit_code == 0
    assert "owls" in result.output
    assert "ablations: recall 0.67, precision 1.00, over 3 labels" in result.output


def test_a_paper_that_cannot_be_read_is_reported_and_left_out(tmp_path: Path) -> None:
    write_labelled(tmp_path, "echo memory")
    (tmp_path / "empty.pdf").write_bytes(b"")
    (tmp_path / "empty.json").write_text('{"ablations": [], "metrics": []}', encoding="utf-8")
    messages: list[str] = []
    assert [score.id for score in score_analyses(tmp_path, messages.append)] == ["owls"]
    assert len(messages) == 1
    assert "empty" in messages[0]


def test_a_folder_without_labels_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["analysis", str(tmp_path)])
    assert result.exit_code == 2
    assert "no labelled papers" in result.output


def test_a_paper_in_source_form_holds_its_label(tmp_path: Path) -> None:
    folder = tmp_path / "owls"
    folder.mkdir()
    (folder / "owls.md").write_text(PAPER, encoding="utf-8")
    label = {"ablated_components": ["echo memory"], "metrics": ["mAP"]}
    (folder / "meta.json").write_text(json.dumps(label), encoding="utf-8")
    (score,) = score_analyses(tmp_path)
    assert (score.id, score.ablations.found_labels, score.metrics.found_labels) == ("owls", 1, 1)


def test_other_json_is_no_label(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[1]", encoding="utf-8")
    assert read_analysis_label(tmp_path / "x.json") is None


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "papers", "ablations", "metrics"),
    [("labelled", 20, (0.88, 0.8), (0.8, 0.85)), ("source", 13, (0.7, 0.6), (0.65, 0.65))],
)
def test_recall_and_precision_on_real_papers(
    shared: Path, folder: str, papers: int, ablations: tuple[float, float], metrics: tuple[float, float]
) -> None:
    scores = list(score_analyses(shared / "papers" / folder))
    assert len(scores) == papers
    assert_reached(sum((score.ablations for score in scores), MatchCounts(0, 0, 0, 0)), *ablations)
    assert_reached(sum((score.metrics for score in scores), MatchCounts(0, 0, 0, 0)), *metrics)


def assert_reached(total: MatchCounts, recall: float, precision: float) -> None:
    assert total.recall is not None and total.recall >= recall
    assert total.precision is not None and total.precision >= precision
