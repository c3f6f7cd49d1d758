"""Parse a judge's reply strictly: one plain verdict for every id that was shown, and for no other id."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from eval.sides import Sides
from planner.chat import Completion
from planner.errors import Outcome, OutputError

_BLOCK: Final = re.compile(r"<verdicts>(.*?)</verdicts>", re.DOTALL | re.IGNORECASE)
_FENCE: Final = re.compile(r"\s*```\w*\s*")
_CUT: Final = frozenset({"length", "max_tokens", "max_output_tokens"})
_WITHHELD: Final = frozenset({"content_filter", "refusal", "safety"})


def read_matches(completion: Completion, sides: Sides) -> dict[str, tuple[str, ...]]:
    """Return, for each id of side A, the ids of side B that are the same ablation.

    Raises:
        OutputError: if the reply is refused, truncated, empty or invalid; it is also invalid if it matches every item
            of A with every item of B.
    """
    findings: list[str] = []
    matches: dict[str, tuple[str, ...]] = {}
    for item, verdict in _verdicts(completion, sides.a_ids, "matches", findings):
        if isinstance(verdict, list) and all(isinstance(name, str) for name in verdict):
            matches[item] = tuple(dict.fromkeys(verdict))
            unknown = [name for name in matches[item] if name not in sides.b_ids]
            findings += [f"{item}: there is no {name!r} among {_range(sides.b_ids)}" for name in unknown]
        else:
            findings.append(f'{item}: "matches" should be a list of ids of side B, is {json.dumps(verdict)[:60]}')
    if min(len(sides.a), len(sides.b)) > 1 and all(set(m) == set(sides.b_ids) for m in matches.values()) and matches:
        findings.append("every item of A is matched with every item of B, but the items of one list differ")
    _check(findings)
    return matches


def read_asked(completion: Completion, sides: Sides) -> dict[str, bool]:
    """Return, for each id that was shown, True if a review asks for it.

    Raises:
        OutputError: if the reply is refused, truncated, empty or invalid.
    """
    findings: list[str] = []
    asked: dict[str, bool] = {}
    for item, verdict in _verdicts(completion, sides.a_ids, "asked", findings):
        if isinstance(verdict, bool):
            asked[item] = verdict
        else:
            findings.append(f'{item}: "asked" should be true or false, is {json.dumps(verdict)[:60]}')
    _check(findings)
    return asked


def _verdicts(completion: Completion, ids: Sequence[str], field: str, findings: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield each id with the value of `field`; add a finding for everything that is not as the prompt demands."""
    seen: set[str] = set()
    for number, line in _lines(completion):
        value = _object(line)
        if value is None or set(value) != {"id", field} or not isinstance(value["id"], str):
            findings.append(f'verdict {number} should be a JSON object with "id" and "{field}", is {line[:80]!r}')
        elif value["id"] not in ids:
            findings.append(f"verdict {number}: there is no {value['id']!r} among {_range(ids)}")
        elif value["id"] in seen:
            findings.append(f"{value['id']} has more than one verdict")
        else:
            seen.add(value["id"])
            yield value["id"], value[field]
    missing = [item for item in ids if item not in seen]
    if missing:
        findings.append(f"no verdict for {', '.join(missing)}")


def _lines(completion: Completion) -> list[tuple[int, str]]:
    """Return the numbered lines of the last block of verdicts, since a judge may correct itself."""
    reason = completion.finish_reason.lower()
    if completion.refusal or reason in _WITHHELD:
        raise OutputError(Outcome.REFUSED, (f"the judge refused: {completion.refusal or reason}",))
    if reason in _CUT:
        raise OutputError(Outcome.TRUNCATED, (f"the reply was cut by a token limit (finish_reason {reason!r})",))
    if not completion.text.strip():
        raise OutputError(Outcome.EMPTY, ("the reply has no text",))
    blocks = _BLOCK.findall(completion.text)
    if not blocks:
        raise OutputError(Outcome.INVALID, ("there is no <verdicts> block",))
    lines = [line.strip() for line in blocks[-1].split("\n") if line.strip() and not _FENCE.fullmatch(line)]
    return list(enumerate(lines, start=1))


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _check(findings: list[str]) -> None:
    if findings:
        raise OutputError(Outcome.INVALID, tuple(findings))


def _range(ids: Sequence[str]) -> str:
    return f"{ids[0]} to {ids[-1]}" if len(ids) > 1 else "".join(ids)
