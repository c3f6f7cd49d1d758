"""The published metrics and vote, written straight from their definitions, apart from the code under test."""

from collections import Counter
from math import log2
from typing import Any


def author_record(gold: list[str], plan: list[str], verdicts: list[dict[str, Any]], k: int | None) -> dict[str, float]:
    top = plan if k is None else plan[:k]
    hits = []
    for name in gold:
        hit = 0
        for verdict in verdicts:
            if verdict["name_in_paper"] == name and verdict["name_in_plan"] is not None:
                named = verdict["name_in_plan"]
                named = named if isinstance(named, list) else [named]
                if all(one in top for one in named):
                    hit = 1
        hits.append(hit)
    named_anywhere = set()
    for verdict in verdicts:
        named = verdict["name_in_plan"]
        named_anywhere |= set(named if isinstance(named, list) else [] if named is None else [named])
    false = [name for name in top if name not in named_anywhere]
    true, pred = [1] * len(gold) + [0] * len(false), hits + [1] * len(false)
    tp = sum(1 for t, p in zip(true, pred, strict=True) if t and p)
    precision = tp / sum(pred) if sum(pred) else 0.0
    recall = tp / sum(true) if sum(true) else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    m = min(len(top), len(gold))
    dcg = sum(p / log2(i + 2) for i, p in enumerate(pred[:m]))
    best = sum(t / log2(i + 2) for i, t in enumerate(true[:m]))
    return {"precision": precision, "recall": recall, "f1": f1, "ndcg": dcg / best if best else 0.0}


def reviewer_record(suggestions: int, plan: list[str], verdicts: dict[str, bool], k: int | None) -> dict[str, float]:
    decisions = [verdicts[name] for name in (plan if k is None else plan[:k])]
    tp, fp = min(sum(decisions), suggestions), decisions.count(False)
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / suggestions if suggestions else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def author_majority(judges: list[list[dict[str, Any]]]) -> dict[str, frozenset[str] | None]:
    votes: dict[str, list[frozenset[str] | None]] = {}
    for verdicts in judges:
        for verdict in verdicts:
            named = verdict["name_in_plan"]
            vote = None if named is None else frozenset(named if isinstance(named, list) else [named])
            votes.setdefault(verdict["name_in_paper"], []).append(vote)
    result = {}
    for name, cast in votes.items():
        winner, count = Counter(cast).most_common(1)[0]
        result[name] = winner if count > len(cast) // 2 else None
    return result


def reviewer_majority(judges: list[list[dict[str, Any]]]) -> dict[str, bool]:
    votes: dict[str, list[bool]] = {}
    for verdicts in judges:
        for verdict in verdicts:
            votes.setdefault(verdict["name_in_plan"], []).append(verdict["appears_in_review"])
    return {name: sum(cast) > len(cast) // 2 for name, cast in votes.items()}
