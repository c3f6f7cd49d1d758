"""Flag plans and verdicts that a reader should check; a flag changes no score."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from eval.verdicts import AuthorVerdict, Verdict
from planner.matching import has_same_action_and_replacement
from planner.schema import Ablation, Action

ADDRESSES_JUDGE: Final = "speaks to the judge"
AGAINST_RULE: Final = "against the match rule"
UNKNOWN_NAME: Final = "unknown name"
NO_VERDICT: Final = "no verdict"

_INSTRUCTION: Final = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instruction|rule|prompt|above|previous|prior|guideline)"
    r"|\b(?:you are|as)\s+(?:the|a|an)\s+(?:judge|grader|evaluator|reviewer model|language model|ai)\b"
    r"|\b(?:dear|attention|note to|instructions? (?:to|for))\b.{0,20}\b(?:judge|grader|evaluator|reviewer|llm|ai)\b"
    r"|\b(?:match|mark|answer|count|score|report|return|rate|judge)\b.{0,30}\b(?:every|all|each|everything)\b"
    r".{0,40}\b(?:match\w*|asked|true|identical|item|items|ablations?|correct)\b"
    r"|</?\s*(?:verdicts?|system|data|discussion|instructions?)\b",
    re.IGNORECASE,
)


def flag_judge_instructions(plan: Iterable[Ablation]) -> Iterator[str]:
    """Yield a flag for each planned ablation whose text reads like an instruction to a judge."""
    for ablation in plan:
        text = " \n ".join((ablation.name, ablation.ablated_part, *ablation.replacement, *ablation.metrics))
        if match := _INSTRUCTION.search(text):
            yield f"{ADDRESSES_JUDGE}: {ablation.name[:60]!r} says {match[0][:80]!r}"


def flag_rule_violations(
    verdicts: Iterable[AuthorVerdict], gold: Sequence[Ablation], plan: Sequence[Ablation]
) -> Iterator[str]:
    """Yield a flag for each match that the published rule excludes: one removes a part and the other does not."""
    gold_by_name = {ablation.name: ablation for ablation in gold}
    plan_by_name = {ablation.name: ablation for ablation in plan}
    for verdict in verdicts:
        reported = gold_by_name.get(verdict.name_in_paper)
        for name in verdict.name_in_plan:
            planned = plan_by_name.get(name)
            if planned is None or reported is None:
                continue
            if Action.REMOVE in (planned.action, reported.action) and not has_same_action_and_replacement(
                planned, reported
            ):
                yield (
                    f"{AGAINST_RULE}: {reported.action} {reported.name[:60]!r} was matched with "
                    f"{planned.action} {name[:60]!r}"
                )


def flag_unknown_names(verdicts: Iterable[Verdict], gold: Sequence[str], plan: Sequence[str]) -> Iterator[str]:
    """Yield a flag for each name in a verdict that the paper or the plan lacks; other programs match by name."""
    for verdict in verdicts:
        names = verdict.name_in_plan
        for name in names if isinstance(names, tuple) else (names,):
            if name not in plan:
                yield f"{UNKNOWN_NAME}: the plan has no {name[:60]!r}"
        if isinstance(verdict, AuthorVerdict) and verdict.name_in_paper not in gold:
            yield f"{UNKNOWN_NAME}: the paper has no {verdict.name_in_paper[:60]!r}"


def flag_missing_verdicts(verdicts: Iterable[Verdict], expected_names: Sequence[str]) -> Iterator[str]:
    """Yield a flag for each name that has no verdict; other programs may leave some out."""
    judged_names = {verdict.judged_name for verdict in verdicts}
    for name in expected_names:
        if name not in judged_names:
            yield f"{NO_VERDICT}: none on {name[:60]!r}"
