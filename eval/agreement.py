"""Measure how far two judges agree, and how far the offline judge agrees with a model on the open bench.

`bench/judged.jsonl` holds plans for papers of the bench, with the verdicts of a strong language model that saw nothing
but the judge's prompt; `bench/README.md` says more.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Final

from eval.bench_papers import LABELS
from eval.gold import AuthorGold, read_ablation, read_gold
from eval.offline import OFFLINE_JUDGE, match_answers, match_gold
from eval.runs import JudgingRecord
from eval.statistics import format_number, format_percent
from eval.tables import read_table_rows
from planner.schema import Ablation, Task

JUDGED_PLANS: Final = LABELS.with_name("judged.jsonl")
_ON_REVIEWS: Final = (
    "The offline judge looks for words in the sentences of reviews; how far it agrees with people or models there is "
    "not known."
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of a judge with another one on `item_count` ablations.

    `same_share` is the share with the same verdict, and `kappa` Cohen's. `precision` is the share of the judge's
    matches that the other one has too, `recall` the share of the other's that the judge has. All are from 0 to 1
    (kappa from -1), None where they are undefined.
    """

    item_count: int
    same_share: float | None
    kappa: float | None
    precision: float | None
    recall: float | None


def compute_agreement(decisions: Sequence[tuple[bool, bool]]) -> Agreement:
    """Return the agreement of a judge with another one: `decisions` has the yes or no of both for each ablation."""
    if not decisions:
        return Agreement(0, None, None, None, None)
    same = fmean(decision == other for decision, other in decisions)
    yes, other_yes = fmean(decision for decision, _ in decisions), fmean(other for _, other in decisions)
    both = fmean(decision and other for decision, other in decisions)
    chance = yes * other_yes + (1 - yes) * (1 - other_yes)
    return Agreement(
        len(decisions),
        same,
        (same - chance) / (1 - chance) if chance < 1 else None,
        both / yes if yes else None,
        both / other_yes if other_yes else None,
    )


@cache
def measure_offline_agreement(task: Task) -> Agreement:
    """Return the agreement of the offline judge with a model on the bench, measured anew from the stored verdicts.

    Author task: on the ablations that the papers report. Reviewer task: on those proposed for masked papers.

    Raises:
        TableError: if a file of the bench is damaged.
    """
    return compute_agreement([decision for row in _iter_rows(task) for decision in row])


def describe_offline_judge(records: Iterable[JudgingRecord]) -> tuple[str, ...]:
    """Return how far the offline judge can be trusted, in a sentence for each kind of gold that it judged."""
    kinds = dict.fromkeys((r.task, r.is_masked) for r in records if r.judge == OFFLINE_JUDGE.asked)
    return tuple(
        _ON_REVIEWS if task is Task.REVIEWER and not is_masked else _describe_agreement(task)
        for task, is_masked in kinds
    )


def _describe_agreement(task: Task) -> str:
    agreement = measure_offline_agreement(task)
    items = "reported ablations" if task is Task.AUTHOR else "proposals for masked papers"
    return (
        f"The offline judge compares words: on the open bench it agrees with a model judge on "
        f"{format_percent(agreement.same_share)} of {agreement.item_count} {items} (kappa "
        f"{format_number(agreement.kappa)}), finds {format_percent(agreement.recall)} of the model's matches, and "
        f"{format_percent(agreement.precision)} of its own are the model's too."
    )


def _iter_rows(task: Task) -> Iterator[list[tuple[bool, bool]]]:
    """Yield the verdicts of the offline judge and of the model on each stored plan of a task."""
    labels = read_gold(LABELS, Task.AUTHOR).papers
    for row in read_table_rows(JUDGED_PLANS):
        paper, matches = labels[row["id"].partition("__")[0]], row["matches"]
        if row["task"] == task and isinstance(paper, AuthorGold):
            gold = [ablation for ablation in paper.ablations if ablation.name in matches]
            yield _judge_again(task, gold, [read_ablation(value) for value in row["plan"]], matches)


def _judge_again(
    task: Task, gold: Sequence[Ablation], plan: Sequence[Ablation], matches: Mapping[str, Sequence[str]]
) -> list[tuple[bool, bool]]:
    if task is Task.AUTHOR:
        return [(verdict.is_positive, bool(matches[verdict.name_in_paper])) for verdict in match_gold(gold, plan)]
    found = {name for verdict in match_answers(gold, plan) for name in verdict.name_in_plan}
    names_of_model = {name for names in matches.values() for name in names}
    return [(ablation.name in found, ablation.name in names_of_model) for ablation in plan]
