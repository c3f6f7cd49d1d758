"""The strategies for planning a paper: the requests that they send, and estimates of the tokens.

To add a strategy, write a function that gets a `PlanSession` and returns a reply, and list it in `STRATEGIES`.
"""

import re
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from planner.chat import Prompt
from planner.details import Details, FindingResponse, RejectedAblation, RejectionReason, Revision, format_count
from planner.errors import ModelError, OutputError
from planner.schema import Ablation

if TYPE_CHECKING:
    from planner.analysis.check import Finding, PlanCheck
    from planner.parsing.reply import Reply  # the processes that only read papers need no parser

TYPICAL_REPLY_TOKENS: Final = 2_000  # tokens of a current model's reply with details
_FINDINGS_TOKENS: Final = 500
_REVISE_TEMPLATE: Final = "revise.jinja"
_REVISE_STEP: Final = "revise"
_MAX_WHY_CHARS: Final = 1_000
_ANSWER: Final = re.compile(
    r"\W{0,9}(?:finding\s+(?P<number>\d{1,3})\b|ablation\s+['\"‘“](?P<name>.{1,300}?)['\"’”]\W{0,9}:)(?P<rest>.*)", re.I
)
_OWN_FINDING: Final = "found by the model when it read its plan again"
_RESPONSE: Final = re.compile(r"\W{0,9}(?:mended|withdrawn|defended)?\W{0,9}(?:because\b)?\W{0,9}", re.IGNORECASE)


class PlanSession(Protocol):
    """The functions that a strategy may call to plan one paper."""

    async def build_prompt(self) -> Prompt:
        """Build the first prompt about the paper; it fits the model's context window."""

    def continue_prompt(self, template: str, **values: object) -> Prompt:
        """Return the prompt for the next step: the first prompt, the last reply and a rendered template.

        Raises:
            PromptError: if the template is missing or faulty.
        """

    async def ask(self, prompt: Prompt, step: str = "") -> "Reply":
        """Send a prompt and return the reply; if the reply is invalid, ask again and name its faults.

        `step` names the step in the records; it is "" for the first prompt.

        Raises:
            ModelError: if the request fails.
            BudgetExceeded: if the request could exceed the cost limit.
            OutputError: if no reply holds a valid plan.
        """

    def check_plan(self, reply: "Reply") -> "PlanCheck":
        """Return the faults of the plan in `reply`, and the plan's details with the place of each quote."""

    def report_step(self, message: str, /) -> None:
        """Tell the user what the strategy does next."""


@dataclass(frozen=True, slots=True)
class RequestEstimate:
    """An estimate for one paper: the number of requests, and the sums of their prompt and reply tokens."""

    requests: int
    prompt_tokens: int
    reply_tokens: int


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to plan a paper: `run` asks the model, and `estimate` estimates the requests.

    The argument of `estimate` is the number of tokens of the first prompt. `templates` are the prompt templates that
    the strategy needs besides those of the task.
    """

    name: str
    run: Callable[[PlanSession], Awaitable["Reply"]]
    estimate: Callable[[int], RequestEstimate]
    templates: tuple[str, ...] = ()


async def _run_single_request(session: PlanSession) -> "Reply":
    """Return the plan of the first valid reply."""
    return await session.ask(await session.build_prompt())


def _estimate_one_request(prompt_tokens: int) -> RequestEstimate:
    """Return the estimate of one request."""
    return RequestEstimate(1, prompt_tokens, TYPICAL_REPLY_TOKENS)


async def _plan_and_revise(session: PlanSession) -> "Reply":
    """Ask for a plan (the draft), ask the model to revise it, and return the revised plan.

    The draft is returned if the program finds no faults in it, or if the revised plan is not valid.

    Raises:
        ModelError, BudgetExceeded, OutputError: if the first request gives no draft.
        ModelError: if the second request failed but may succeed in a later run.
        BudgetExceeded: if the second request could exceed the cost limit.
    """
    draft = await session.ask(await session.build_prompt())
    findings = session.check_plan(draft).findings
    if not findings:
        return draft
    kinds = ", ".join(dict.fromkeys(finding.kind for finding in findings))
    session.report_step(f"a revision is needed because of {format_count(len(findings), 'finding')}: {kinds}")
    prompt = session.continue_prompt(_REVISE_TEMPLATE, findings=[finding.warning for finding in findings])
    try:
        revised = await session.ask(prompt, step=_REVISE_STEP)
    except (OutputError, ModelError) as error:
        if isinstance(error, ModelError) and error.retryable:
            raise
        note = f"the plan was not revised, since the second request failed: {error}"
        return replace(draft, notes=(*draft.notes, note))
    return _join_revision(draft, findings, revised)


def _join_revision(draft: "Reply", findings: "Sequence[Finding]", revised: "Reply") -> "Reply":
    """Return the revised reply, with the revisions and the withdrawn ablations added.

    A revision is the model's response to a finding, or its own change of another ablation.
    """
    reasons = _read_reasons(revised.reasoning)
    revisions = [
        Revision(
            name=draft.plan.ablations[finding.ablation_index].name,
            finding=finding.text,
            response=_find_response(draft, finding.ablation_index, revised),
            why=reasons.get(number, ""),
        )
        for number, finding in enumerate(findings, start=1)
    ]
    revisions += _list_own_revisions(draft, {finding.ablation_index for finding in findings}, revised, reasons)
    untouched = tuple(candidate for candidate in draft.considered if _find_ablation(candidate, revised) is None)
    return replace(
        revised,
        details=revised.details or tuple(_take_details(draft, revised)),
        considered=(*(revised.considered or untouched), *_list_withdrawn(draft, revised)),
        reported=revised.reported or draft.reported,
        revisions=tuple(revisions),
    )


def _list_own_revisions(
    draft: "Reply", named: Container[int], revised: "Reply", reasons: Mapping[int | str, str]
) -> Iterator[Revision]:
    """Yield a revision for each ablation of the draft that the model changed or withdrew, though no finding named it.

    `named` holds the indices of the ablations with a finding. New details are a change only if the model says why.
    """
    for number, ablation in enumerate(draft.plan.ablations):
        response, why = _find_response(draft, number, revised), reasons.get(ablation.name, "")
        is_changed = ablation not in revised.plan.ablations or (why and response is not FindingResponse.DEFENDED)
        if number not in named and is_changed:
            yield Revision(name=ablation.name, finding=_OWN_FINDING, response=response, why=why)


def _read_reasons(reasoning: str) -> dict[int | str, str]:
    """Return {number of a finding or name of an ablation: the model's reason for its response}."""
    answers = filter(None, map(_ANSWER.match, reasoning.split("\n")))
    return {
        a["name"] or int(a["number"]): _RESPONSE.sub("", a["rest"], count=1).strip()[:_MAX_WHY_CHARS] for a in answers
    }


def _find_response(draft: "Reply", number: int, revised: "Reply") -> FindingResponse:
    before = draft.plan.ablations[number]
    place = _find_ablation(before, revised)
    if place is None:
        is_considered = any(candidate.name == before.name for candidate in revised.considered)
        return FindingResponse.MENDED if is_considered else FindingResponse.WITHDRAWN
    has_other_details = bool(revised.details) and _get_details(draft, number) != _get_details(revised, place)
    is_same = revised.plan.ablations[place] == before and not has_other_details
    return FindingResponse.DEFENDED if is_same else FindingResponse.MENDED


def _take_details(draft: "Reply", revised: "Reply") -> Iterator[Details]:
    """Yield details for each ablation of a revised plan without details: those in the draft, or empty ones."""
    for ablation in revised.plan.ablations if draft.details else ():
        place = _find_ablation(ablation, draft)
        yield Details() if place is None else draft.details[place]


def _get_details(reply: "Reply", number: int) -> Details:
    return reply.details[number] if reply.details else Details()


def _find_ablation(ablation: Ablation, reply: "Reply") -> int | None:
    """Return the index of the ablation in a reply's plan, found by its name or else by its part; None if missing."""
    others = reply.plan.ablations
    by_name = (n for n, other in enumerate(others) if other.name == ablation.name)
    by_part = (n for n, other in enumerate(others) if other.ablated_part == ablation.ablated_part)
    return next(by_name, next(by_part, None))


def _list_withdrawn(draft: "Reply", revised: "Reply") -> Iterator[RejectedAblation]:
    """Yield the ablations of the draft that are missing from the revised reply, as withdrawn candidates."""
    considered = {candidate.name for candidate in revised.considered}
    for number, ablation in enumerate(draft.plan.ablations):
        if _find_ablation(ablation, revised) is None and ablation.name not in considered:
            yield RejectedAblation(**dict(ablation), details=_get_details(draft, number), why=RejectionReason.WITHDRAWN)


def _estimate_two_requests(prompt_tokens: int) -> RequestEstimate:
    """Return the estimate of two requests, for a plan and its revision; most papers need both."""
    second_prompt = prompt_tokens + TYPICAL_REPLY_TOKENS + _FINDINGS_TOKENS
    return RequestEstimate(2, prompt_tokens + second_prompt, 2 * TYPICAL_REPLY_TOKENS)


STRATEGIES: Final = {
    strategy.name: strategy
    for strategy in (
        Strategy("single", _run_single_request, _estimate_one_request),
        Strategy("revise", _plan_and_revise, _estimate_two_requests, (_REVISE_TEMPLATE,)),
    )
}
