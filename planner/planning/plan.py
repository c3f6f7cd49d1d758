"""Plan one paper: ask the model, check its reply, and return the plan or the reason why there is none."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from planner.chat import LM_PLANNER, REPAIRED_NOTE, Model, TokenCounter
from planner.details import FindingResponse, PlanDetails, Revision
from planner.errors import BudgetExceeded, ModelError, Outcome, OutputError, PaperError, PlannerError
from planner.papers.paper import Paper
from planner.parsing.reply import Reply
from planner.planning.first_prompt import PaperPrompt, PlanSettings, build_prompt
from planner.planning.session import Attempt, PaperSession, PlannablePaper, SampleChooser, StepReporter
from planner.planning.strategies import STRATEGIES
from planner.schema import Task
from planner.trajectory.format import Trajectory, normalize_trajectory

if TYPE_CHECKING:
    from planner.analysis.check import Finding, PlanCheck

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The result of planning one paper: a trajectory with its details, or the reason why there is none."""

    outcome: Outcome
    reason: str = ""
    trajectory: Trajectory | None = None
    paper_prompt: PaperPrompt | None = None
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()
    details: PlanDetails = field(default_factory=PlanDetails)


@dataclass(frozen=True, slots=True)
class _LoadedPaper:
    """A `PlannablePaper` with its text in the memory of this process."""

    paper: Paper

    @property
    def id(self) -> str:
        return self.paper.id

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.paper.warnings

    async def build_prompt(self, settings: PlanSettings, token_counter: TokenCounter) -> PaperPrompt:
        return build_prompt(self.paper, settings, token_counter)

    def check_plan(self, reply: Reply, task: Task, paper_prompt: PaperPrompt) -> "PlanCheck":
        # Imported here, as both compile many patterns, which only a reply needs.
        from planner.analysis.analyse import index_paper_for_check
        from planner.analysis.check import locate_quotes_and_find_faults

        assert paper_prompt.excerpt is not None, "the prompt was built in this process"
        return locate_quotes_and_find_faults(reply, index_paper_for_check(self.paper, task, paper_prompt.excerpt))


async def plan_paper(
    paper: Paper | PlannablePaper,
    model: Model,
    settings: PlanSettings,
    choose_sample_number: SampleChooser = lambda _: 0,
    token_counter: TokenCounter | None = None,
    report_step: StepReporter = log.debug,
) -> PlanResult:
    """Plan the ablations of one paper; if the paper fails, return its outcome and raise no error.

    Raises:
        PromptError: if a template cannot be rendered, since this would fail for every paper.
    """
    source = _LoadedPaper(paper) if isinstance(paper, Paper) else paper
    max_reply_tokens = dict(model.info.parameters).get("max_tokens")
    if isinstance(max_reply_tokens, int):
        settings = replace(settings, max_reply_tokens=max_reply_tokens)
    counter = token_counter or TokenCounter()
    session = PaperSession(source, model, settings, choose_sample_number, counter, report_step)
    try:
        reply = await STRATEGIES[settings.strategy].run(session)
    except (PaperError, ModelError, BudgetExceeded, OutputError) as error:
        return _make_result(session, error.outcome, reason=_describe_error(session, error))
    trajectory = make_trajectory(model.info.planner, model.info.name, paper.id, settings.task, reply)
    check = session.check_plan(replace(reply, plan=trajectory.plan))
    check = replace(check, findings=tuple(_list_undefended(check.findings, reply.revisions)))
    result = _make_result(session, Outcome.PLANNED, (*trajectory.warnings, *check.warnings))
    return replace(result, trajectory=trajectory, details=replace(check.located_details, revisions=reply.revisions))


def _list_undefended(findings: Iterable["Finding"], revisions: Iterable[Revision]) -> Iterator["Finding"]:
    """Yield the findings that the model has not defended. Findings about absent quotes are always included."""
    from planner.analysis.check import FindingKind  # imported with the check of a plan, and not before

    defended = {(each.name, each.finding) for each in revisions if each.response is FindingResponse.DEFENDED}
    for finding in findings:
        if finding.kind is FindingKind.QUOTE_ABSENT or (finding.ablation_name, finding.text) not in defended:
            yield finding


def make_trajectory(planner: str, model: str, paper_id: str, task: Task, reply: Reply) -> Trajectory:
    """Return the trajectory of a parsed reply."""
    return normalize_trajectory(Trajectory(planner, model, paper_id, task, reply.reasoning, reply.plan, reply.notes))


def _describe_error(session: PaperSession, error: PlannerError) -> str:
    """Return the reason for a failure: the first note of the built-in planner, or the text of the error."""
    completion = session.attempts[-1].completion if session.attempts else None
    notes = () if completion is None or session.model.info.planner == LM_PLANNER else completion.notes
    return next((note for note in notes if note != REPAIRED_NOTE), str(error))


def _make_result(
    session: PaperSession, outcome: Outcome, plan_warnings: tuple[str, ...] = (), reason: str = ""
) -> PlanResult:
    """Return a result with the session's requests and warnings, but without a plan."""
    warnings = (
        *session.paper.warnings,
        *(session.paper_prompt.warnings if session.paper_prompt else ()),
        *(note for attempt in session.attempts if attempt.completion for note in attempt.completion.notes),
        *plan_warnings,
    )
    return PlanResult(
        outcome,
        reason,
        paper_prompt=session.paper_prompt,
        attempts=tuple(session.attempts),
        warnings=tuple(dict.fromkeys(warnings)),
    )
