"""Show ablations to a judge as anonymous sides A and B, and turn its replies back into verdicts.

The sides are anonymous so that a judge cannot favour the paper or the plan. A hash of paper, judge and repetition seeds
the choice of sides and their order, and both are stored with the reply.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from eval.verdicts import AuthorVerdict, ReviewerVerdict


class Sides(BaseModel):
    """The names on each side, in the order A1, A2, … and B1, B2, …; a reviewer prompt has the plan as A and no B."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    a: tuple[str, ...]
    b: tuple[str, ...] = ()
    plan: Literal["A", "B"]

    def has_names(self, plan: Sequence[str], gold: Sequence[str]) -> bool:
        """Return True if these sides show exactly these names."""
        shown_plan, shown_gold = (self.a, self.b) if self.plan == "A" else (self.b, self.a)
        return sorted(shown_plan) == sorted(plan) and sorted(shown_gold) == sorted(gold)

    @property
    def a_ids(self) -> tuple[str, ...]:
        """The short ids of side A."""
        return tuple(f"A{number}" for number in range(1, len(self.a) + 1))

    @property
    def b_ids(self) -> tuple[str, ...]:
        """The short ids of side B."""
        return tuple(f"B{number}" for number in range(1, len(self.b) + 1))


def draw_sides(plan: Sequence[str], gold: Sequence[str], paper_id: str, judge: str, repetition: int) -> Sides:
    """Draw the sides of one prompt; the same arguments give the same sides on every machine."""
    draw = create_random(paper_id, judge, repetition)
    shown_plan, shown_gold = _shuffle_names(plan, draw), _shuffle_names(gold, draw)
    if not gold or draw.random() < 0.5:
        return Sides(a=shown_plan, b=shown_gold, plan="A")
    return Sides(a=shown_gold, b=shown_plan, plan="B")


def build_author_verdicts(
    sides: Sides, matches: Mapping[str, Sequence[str]], plan: Sequence[str], gold: Sequence[str]
) -> tuple[AuthorVerdict, ...]:
    """Return one verdict for each ablation of the paper, in its order, from matches of ids of A to ids of B.

    The names within a verdict are in the plan's order.
    """
    a, b = dict(zip(sides.a_ids, sides.a, strict=True)), dict(zip(sides.b_ids, sides.b, strict=True))
    pairs = {(a[left], b[right]) for left, rights in matches.items() for right in rights}
    if sides.plan == "A":
        pairs = {(right, left) for left, right in pairs}
    return tuple(
        AuthorVerdict(name_in_paper=paper, name_in_plan=tuple(name for name in plan if (paper, name) in pairs))
        for paper in gold
    )


def build_reviewer_verdicts(
    sides: Sides, decisions: Mapping[str, bool], plan: Sequence[str]
) -> tuple[ReviewerVerdict, ...]:
    """Return one verdict for each ablation of the plan, in its order; `decisions` holds yes or no for each id of A."""
    by_name = {name: decisions[item] for item, name in zip(sides.a_ids, sides.a, strict=True)}
    return tuple(ReviewerVerdict(name_in_plan=name, appears_in_review=by_name[name]) for name in plan)


def create_random(*facts: object) -> random.Random:
    """Return a source of random numbers that is the same for the same facts on every machine."""
    digest = hashlib.sha256("\0".join(map(str, facts)).encode("utf-8", "surrogatepass")).digest()
    return random.Random(int.from_bytes(digest))  # noqa: S311 - it must be repeatable, not secret


def _shuffle_names(names: Sequence[str], draw: random.Random) -> tuple[str, ...]:
    return tuple(draw.sample(names, len(names)))
