"""The README's figures for the shipped prompts, computed anew from the verdicts that are stored beside the bench."""

import json
from collections import defaultdict

from eval.agreement import JUDGED_PLANS
from eval.metrics import score_author_plan
from eval.statistics import compute_difference, compute_mean
from eval.verdicts import AuthorVerdict
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
Values = dict[str, float]


def read_scores() -> dict[tuple[str, str], Values]:
    """The value of each measure and prompt, by paper or masked copy."""
    scores: dict[tuple[str, str], Values] = defaultdict(dict)
    for row in map(json.loads, JUDGED_PLANS.read_text(encoding="utf-8").splitlines()):
        planned, matches, prompt = [each["name"] for each in row["plan"]], row["matches"], row["prompt"]
        if row["task"] == "author":
            assert len(planned) <= 5
            verdicts = [AuthorVerdict(name_in_paper=name, name_in_plan=tuple(matches[name])) for name in matches]
            scores[prompt, "F1@5"][row["id"]] = score_author_plan(list(matches), planned, verdicts).f1
        else:
            answers = {name for names in matches.values() for name in names}
            rank = next((n for n, name in enumerate(planned, start=1) if name in answers), None)
            scores[prompt, "the answer is among the first two"][row["id"]] = float(rank in (1, 2))
            scores[prompt, "the answer is among the first five"][row["id"]] = float(rank is not None)
            scores[prompt, "reciprocal rank of the answer"][row["id"]] = 1 / rank if rank else 0.0
    return scores


def format_mean(values: Values) -> str:
    mean = compute_mean([values[paper] for paper in sorted(values)])
    return f"{mean.mean:.2f} ({mean.low:.2f} to {mean.high:.2f})"


def test_the_figures_of_the_readme_are_those_of_the_stored_verdicts() -> None:
    scores = read_scores()
    for task, papers, measure in (
        ("author", 20, "F1@5"),
        ("reviewer", 39, "the answer is among the first two"),
        ("reviewer", 39, "reciprocal rank of the answer"),
    ):
        plain, detailed = scores["plain", measure], scores["details", measure]
        difference = compute_difference(detailed, plain)
        assert difference.n == len(plain) == len(detailed) == papers
        interval = f"{difference.mean:+z.2f} ({difference.low:+z.2f} to {difference.high:+z.2f})"
        cells = (task, str(papers), measure, format_mean(plain), format_mean(detailed), interval)
        assert f"| {' | '.join(cells)} |" in README


def test_the_prompts_keep_what_was_promised_of_them() -> None:
    scores = read_scores()
    author = compute_difference(scores["details", "F1@5"], scores["plain", "F1@5"])
    assert author.mean >= 0.08
    assert author.low > 0
    among_two, among_five = (
        scores["details", f"the answer is among the first {number}"].values() for number in ("two", "five")
    )
    assert sum(among_two) > sum(scores["plain", "the answer is among the first two"].values())
    assert sum(among_five) >= 0.9 * len(among_five)
