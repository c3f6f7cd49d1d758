"""Score reviewer plans on masked papers, where the ablation that was taken out of the text is the known answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from eval import statistics
from eval.plans import PaperStatus
from eval.runs import JudgedPaper, JudgedRun
from eval.statistics import Mean
from eval.verdicts import AuthorVerdict, Verdict

MAX_HIT_K: Final = 5


@dataclass(frozen=True, slots=True)
class MaskedScores:
    """The scores of one masked paper.

    `rank` is that of the first ablation that is an answer, from 1, or None; the ablations of the plan rank first, then
    the considered ones. `is_in_plan` is true if the plan holds an answer. `reported_share` is the share of the planned
    ablations that the text reports already, from 0 to 1, None if they were not checked.
    """

    rank: int | None
    is_in_plan: bool
    reported_share: float | None

    @property
    def reciprocal_rank(self) -> float:
        """The reciprocal of the rank, 0 without an answer (Voorhees, "The TREC-8 Question Answering Track", 1999)."""
        return 1 / self.rank if self.rank else 0.0


def has_hit(scores: MaskedScores, k: int) -> bool:
    """Return whether an answer is among the first k ablations."""
    return scores.rank is not None and scores.rank <= k


MaskedMeasure = Callable[[MaskedScores], float | None]

MASKED_MEASURES: Final[Mapping[str, MaskedMeasure]] = {
    "reciprocal_rank": lambda scores: scores.reciprocal_rank,
    **{f"hit@{k}": partial(has_hit, k=k) for k in range(1, MAX_HIT_K + 1)},
    "in_plan": lambda scores: scores.is_in_plan,
    "already_reported": lambda scores: scores.reported_share,
}
"""The measures of masked papers by the names that they have in files, each from 0 to 1, or None if it is unknown."""


def score_masked_paper(paper: JudgedPaper, verdicts: Sequence[Verdict]) -> MaskedScores:
    """Return the scores of one paper from the verdicts on its answers; each name in a verdict is an answer."""
    answers = {name for verdict in verdicts if isinstance(verdict, AuthorVerdict) for name in verdict.name_in_plan}
    names = [item.name for item in paper.judged_items]
    rank = next((rank for rank, name in enumerate(names, start=1) if name in answers), None)
    is_checked = paper.reported is not None and bool(paper.plan)
    return MaskedScores(
        rank=rank,
        is_in_plan=rank is not None and rank <= len(paper.plan),
        reported_share=(paper.reported or 0) / len(paper.plan) if is_checked else None,
    )


def score_masked_papers(judged_run: JudgedRun, *, as_published: bool = False) -> dict[str, MaskedScores]:
    """Return the scores of each scored paper, by id; with `as_published`, failed and absent papers have no answer."""
    scores: dict[str, MaskedScores] = {}
    for paper in judged_run.record.papers if judged_run.record.is_masked else ():
        if paper.status is PaperStatus.SCORED:
            scores[paper.id] = score_masked_paper(paper, judged_run.verdicts[paper.id])
        elif as_published and paper.status is not PaperStatus.UNSCORED:
            scores[paper.id] = MaskedScores(None, is_in_plan=False, reported_share=None)
    return scores


def summarize_masked_scores(scores: Mapping[str, MaskedScores]) -> dict[str, Mean]:
    """Return the macro mean of each measure over the papers for which it is known."""
    return {
        name: statistics.compute_mean(list(list_values(scores, measure).values()))
        for name, measure in MASKED_MEASURES.items()
    }


def count_unchecked_papers(scores: Mapping[str, MaskedScores]) -> int:
    """Return the number of papers for which it is not known how many planned ablations the text reports already."""
    return sum(each.reported_share is None for each in scores.values())


def list_values(scores: Mapping[str, MaskedScores], measure: MaskedMeasure) -> dict[str, float]:
    """Return the values of one measure by paper, where they are known."""
    values = ((paper, measure(each)) for paper, each in scores.items())
    return {paper: float(value) for paper, value in values if value is not None}
