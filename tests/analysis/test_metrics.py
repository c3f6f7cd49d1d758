"""Metrics that a paper measures."""

import pytest

from planner.analysis.metrics import find_metrics
from planner.analysis.passages import split_sections_into_passages
from planner.papers.paper import Paper
from tests.analysis.papers import PLAIN, F, P, T, paper, section


def names(source: Paper) -> list[str]:
    return [metric.name for metric in find_metrics(split_sections_into_passages(source.sections))]


def test_known_names_and_those_that_the_paper_defines() -> None:
    assert set(names(PLAIN)) == {"mAP", "HER"}


def test_the_most_frequent_first() -> None:
    assert names(paper(section("Experiments", (P, "BLEU and ROUGE-L. BLEU again.")))) == ["BLEU", "ROUGE-L"]


def test_two_spellings_are_one_metric_in_its_most_frequent_spelling() -> None:
    (metric,) = find_metrics(
        split_sections_into_passages(
            [section("Results", (P, "Mean average precision (mAP). The mAP rises; mAP is high."))]
        )
    )
    assert (metric.name, metric.mention_count) == ("mAP", 4)


def test_a_name_inside_a_word_is_none() -> None:
    assert names(paper(section("Experiments", (P, "mAPping, FIDelity, WERE and accuracyless")))) == []


@pytest.mark.parametrize(
    "name", ["NDCG@20", "top-1 accuracy", "F1-score", "RMSE", "perplexity", "mIoU", "success rate"]
)
def test_known(name: str) -> None:
    assert names(paper(section("Experiments", (P, f"We report {name}.")))) == [name]


@pytest.mark.parametrize(
    ("table", "heads"),
    [
        ("| Model | Hoot Score (↑) | Wind<br>Loss ↓ |\n|---|---|---|\n| a | 1 | 2 |", ["Hoot Score", "Wind Loss"]),
        ("Model & Hoot Score $\\uparrow$ & Loss $\\downarrow$ \\\\\na & 1 & 2", ["Hoot Score", "Loss"]),
        ("Model Hoot ↑ Loss ↓\na 1 2", ["Hoot", "Loss"]),
    ],
)
def test_column_heads_with_an_arrow(table: str, heads: list[str]) -> None:
    assert names(paper(section("Experiments", (T, table)))) == heads


def test_without_experiments_the_rest_is_read_and_ambiguous_words_are_left_out() -> None:
    assert names(paper(section("Method", (P, "With full precision and sparsity we raise the AUROC.")))) == ["AUROC"]


def test_the_references_are_not_read() -> None:
    assert names(paper(section("Method", (P, "It works.")), section("References", (P, "On BLEU. 2002.")))) == []


def test_locations_point_to_the_text() -> None:
    for metric in find_metrics(split_sections_into_passages(PLAIN.sections)):
        assert PLAIN.text[metric.location.paper_offset :].startswith(metric.location.text)


def test_an_announced_metric_is_kept_beside_frequent_names() -> None:
    text = "BLEU, BLEU, BLEU and BLEU. Once CIDEr. We report the hoot rate."
    assert names(paper(section("Experiments", (P, text)))) == ["BLEU", "hoot rate"]


def test_the_acronym_of_a_quantity_is_kept_where_the_text_mentions_metrics() -> None:
    text = "BLEU, BLEU, BLEU and BLEU. Our other metric is the hoot error rate (HER)."
    assert "HER" in names(paper(section("Experiments", (P, text))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("With half precision all is well.", []),
        ("Recall that owls hoot.", []),
        ("Recall and precision fall.", ["Recall", "precision"]),
    ],
)
def test_precision_and_recall_go_together(text: str, expected: list[str]) -> None:
    assert sorted(names(paper(section("Experiments", (P, text))))) == sorted(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The sensitivity to wind is low.", []),
        ("Sensitivity and specificity rise.", ["Sensitivity", "specificity"]),
        ("We train with the MSE loss, then measure the MAE.", ["MAE"]),
        ("The mean squared error (MSE) loss falls.", []),
        ("HR@20 is shown as H@20, and HR@20 rises.", ["HR@20"]),
        ("The average per-owl F1 (OF1) rises.", ["OF1"]),
        ("Top-1 Acc. and the top-1 accuracy; top-1 accuracy rises.", ["top-1 accuracy"]),
    ],
)
def test_a_metric_is_counted_once_and_a_loss_is_none(text: str, expected: list[str]) -> None:
    assert names(paper(section("Experiments", (P, text)))) == expected


def test_columns_are_read_wherever_a_table_stands() -> None:
    source = paper(section("Method", (T, "| Model | Hoot Score (↑) |\n|---|---|\n| a | 1 |")), section("Results"))
    assert names(source) == ["Hoot Score"]


def test_panels_of_figures_and_not_of_sentences() -> None:
    caption = "(a) Hoot rate: it rises."
    assert names(paper(section("Results", (F, caption)))) == ["Hoot rate"]
    assert names(paper(section("Results", (P, caption)))) == []
