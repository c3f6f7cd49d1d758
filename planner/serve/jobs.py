"""Jobs that make plans, their messages for the page, and a queue that runs one job per model at a time."""

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from planner.chat import LM_PLANNER, Completion, ModelInfo, Prompt, TokenCounter
from planner.errors import ModelError, Outcome, PlannerError, UsageError
from planner.files import describe_os_error
from planner.models.connect import ModelClient, ModelSpec, open_model
from planner.models.wrappers import ModelWrapper
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import PlanOutput, plan_to_folder_with_client
from planner.sanitize import remove_unsafe_characters
from planner.serve.folder import GivenPaper, PaperFolder

log = logging.getLogger(__name__)

_KEPT: Final = "Complete replies are kept; a plan with the same settings continues from them."
_MAX_SHOWN_CHARS: Final = 1_000_000  # characters of the replies of a job that are shown while they arrive


class JobState(StrEnum):
    """The state of a job. ASKING means that the job waits for a person to paste a reply."""

    WAITING = "waiting"
    RUNNING = "running"
    ASKING = "asking"
    PLANNED = "planned"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def words(self) -> str:
        """The state as people read it."""
        return _STATE_WORDS.get(self, self.value)


_STATE_WORDS: Final = {
    JobState.WAITING: "waits for its turn",
    JobState.RUNNING: "is being made",
    JobState.ASKING: "waits for your reply",
    JobState.FAILED: "no plan",
}


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """The plan that a job shall make: the paper, the settings and the model.

    If `by_hand` is true, a person copies each prompt to a model and pastes the reply. If `force` is true, requests are
    sent even if they were answered before.
    """

    paper: GivenPaper
    settings: PlanSettings
    model_spec: ModelSpec
    by_hand: bool = False
    force: bool = False


@dataclass(eq=False, slots=True)
class Job:
    """A job that makes a plan.

    `prompt` is the last prompt that a person was asked to copy, and `prompt_count` is the number of these prompts so
    far. `step_reason` says why there is another request: to revise the plan, or to repair an unusable reply.
    `is_sending` is true while a request is in flight.
    """

    request: PlanRequest
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: JobState = JobState.WAITING
    reason: str = ""
    prompt: Prompt | None = None
    prompt_count: int = 0
    step_reason: str = ""
    is_revising: bool = False
    is_sending: bool = False
    output: PlanOutput | None = None
    paper_sha256: str = ""
    _messages: list[tuple[str, str]] = field(default_factory=list)  # ("text", a piece of a reply) or ("note", a text)
    _shown_chars: int = 0
    _reply: "asyncio.Future[str] | None" = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_ended(self) -> bool:
        """True if the job has ended."""
        return self.state in (JobState.PLANNED, JobState.FAILED, JobState.CANCELLED)

    @property
    def progress(self) -> str:
        """The state and `prompt_count` as text, such as "asking 2"."""
        return f"{self.state} {self.prompt_count}"

    def add_note(self, text: str) -> None:
        """Add a message that says what the job does."""
        self._add_message("note", text)

    def add_step_reason(self, text: str) -> None:
        """Add a message that says why the job sends another request."""
        self.step_reason = text
        self.add_note(text)

    def add_reply_text(self, text: str) -> None:
        """Add a piece of a reply to the messages. The end of a very long reply is left out."""
        shown = text[: _MAX_SHOWN_CHARS - self._shown_chars]
        self._shown_chars += len(shown)
        if shown:
            self._add_message("text", shown)

    def set_state(self, state: JobState, reason: str = "") -> None:
        """Set the state. If there is no plan, `reason` says why."""
        self.state, self.reason = state, reason
        self._report_change()

    async def wait_for_pasted_reply(self, prompt: Prompt) -> str:
        """Wait until a person has pasted the reply to a prompt, and return the reply."""
        self.is_revising = prompt.step != (self.prompt.step if self.prompt else "")
        self.prompt, self.prompt_count = prompt, self.prompt_count + 1
        self._reply = asyncio.get_running_loop().create_future()
        self.set_state(JobState.ASKING)
        reply = await self._reply
        self.set_state(JobState.RUNNING)
        return reply

    def take_reply(self, prompt_number: int, reply: str) -> None:
        """Take the pasted reply to a prompt. Raise `UsageError` if the job does not wait for a reply to that prompt."""
        if self.state is not JobState.ASKING or prompt_number != self.prompt_count or self._reply is None:
            raise UsageError("this prompt already has a reply; reload the page")
        if not self._reply.done():
            self._reply.set_result(reply)

    async def iterate_events(self) -> AsyncIterator[tuple[str, str]]:
        """Yield the messages of the job as pairs (kind, text), from the first message to the end of the job.

        Pieces of a reply are joined. At the beginning, and after each change of state, the pair ("state", `progress`)
        is yielded.
        """
        shown, state = 0, ""
        while True:
            # All values are taken at one moment, since they may change while the caller handles what is yielded.
            news, changed, has_ended, now = self._messages[shown:], self._changed, self.has_ended, self.progress
            shown += len(news)
            for message in _join_reply_texts(news):
                yield message
            if now != state:
                state = now
                yield "state", state
            if has_ended:
                return
            await changed.wait()

    def _add_message(self, kind: str, text: str) -> None:
        self._messages.append((kind, remove_unsafe_characters(text)))
        self._report_change()

    def _report_change(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _join_reply_texts(messages: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for kind, group in groupby(messages, key=itemgetter(0)):
        if kind == "text":
            yield kind, "".join(text for _, text in group)
        else:
            yield from group


class PerModelJobQueue:
    """The jobs of one output folder. Jobs of the same model run one at a time, but jobs with `by_hand` do not wait."""

    def __init__(self, output: Path, papers: PaperFolder, *, offline: bool) -> None:
        self.jobs: dict[str, Job] = {}
        self.is_stopped = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._output = output
        self._papers = papers
        self._offline = offline
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def start_job(self, request: PlanRequest) -> Job:
        """Start a job. It may have to wait for another job of the same model."""
        job = Job(request)
        self.jobs[job.id] = job
        self._tasks[job.id] = asyncio.create_task(self._run(job))
        self._tasks[job.id].add_done_callback(lambda task: _report_crash(job, task))
        return job

    def cancel_job(self, job: Job) -> None:
        """Cancel a job that has not ended. A reply that has not arrived completely is lost."""
        if not job.has_ended:
            lost = "The reply in flight was not complete; it is not on record, but may be billed."
            job.reason = f"{lost if job.is_sending else 'No request was in flight.'} {_KEPT}"
            self._tasks[job.id].cancel()

    @property
    def is_sending(self) -> bool:
        """True while a job has a request in flight."""
        return any(job.is_sending for job in self.jobs.values())

    def count_jobs_ahead(self, job: Job) -> int:
        """Return the number of jobs for which a waiting job must wait."""
        others = list(self.jobs.values())
        ahead = others[: others.index(job)] if job.state is JobState.WAITING else []
        return sum(not each.has_ended and _name_turn(each) == _name_turn(job) for each in ahead)

    async def stop_and_wait(self) -> None:
        """Stop sending requests, and wait until the replies in flight are recorded."""
        self.is_stopped = True
        for job in self.jobs.values():
            if job.state in (JobState.WAITING, JobState.ASKING):
                self.cancel_job(job)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, job: Job) -> None:
        try:
            async with self._turns[_name_turn(job)]:
                job.set_state(JobState.RUNNING)
                job.output = await self._plan(job)
        except (PlannerError, OSError) as error:
            job.set_state(JobState.FAILED, describe_failure(error))
        except asyncio.CancelledError:
            job.set_state(JobState.CANCELLED, job.reason or _KEPT)
            raise
        else:
            record = job.output.record
            is_planned = record.outcome is Outcome.PLANNED
            job.set_state(JobState.PLANNED if is_planned else JobState.FAILED, record.reason)

    async def _plan(self, job: Job) -> PlanOutput:
        request, spec, settings = job.request, job.request.model_spec, job.request.settings
        job.add_note(f"reading {request.paper.source}")
        paper = await self._papers.read_paper(request.paper)
        job.paper_sha256 = paper.sha256
        plan = partial(
            plan_to_folder_with_client,
            self._output,
            paper,
            max_wait=spec.max_wait,
            force=request.force,
            report_step=job.add_step_reason,
        )
        if request.by_hand:
            info = build_manual_model_info(spec)
            return await plan(ModelClient(info, lambda _: None, model=_ManualModel(info, job)), settings)
        async with open_model(spec, offline=self._offline, on_text=job.add_reply_text) as client:
            if client.model is not None:
                await asyncio.to_thread(client.warm_up)
                client = replace(client, model=_ReportedModel(client.model, job, self, client.host))
            return await plan(client, replace(settings, window=settings.window or client.window))


def describe_failure(error: Exception) -> str:
    """Return the message of an error for the page. If the error is about a file, the message begins with its path."""
    if isinstance(error, UsageError) and error.advice:
        return f"{error.fault}; the built-in planner and “by hand” need no endpoint"
    path = getattr(error, "filename", None)
    return f"{path}: {describe_os_error(error)}" if path else describe_os_error(error)


def _name_turn(job: Job) -> str:
    return f"by hand {job.id}" if job.request.by_hand else job.request.model_spec.model


def _report_crash(job: Job, task: "asyncio.Task[None]") -> None:
    """Log an unexpected error of a job, and show it on the page."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a plan failed because of an error in the program: %r", error, exc_info=error)
        job.set_state(JobState.FAILED, f"an error in the program: {error!r}")


def build_manual_model_info(spec: ModelSpec) -> ModelInfo:
    """Return the `ModelInfo` of a model whose replies a person pastes. It has no endpoint."""
    return ModelInfo(LM_PLANNER, spec.model, spec.model)


@dataclass(frozen=True, slots=True)
class _ManualModel:
    """A model whose replies a person pastes on the page."""

    info: ModelInfo
    job: Job

    async def complete(self, prompt: Prompt) -> Completion:
        return Completion(await self.job.wait_for_pasted_reply(prompt), model=self.info.name)


@dataclass(slots=True)
class _ReportedModel(ModelWrapper):
    """A wrapper around a model. Before each request, it adds a message to the job."""

    job: Job
    queue: PerModelJobQueue
    host: str
    last_prompt: Prompt | None = None

    async def complete(self, prompt: Prompt) -> Completion:
        if self.queue.is_stopped:
            raise asyncio.CancelledError
        self.job.add_note(self._describe_request(prompt))
        self.last_prompt = prompt
        self.job.is_sending = True
        try:
            return await self.model.complete(prompt)
        except ModelError as error:
            self.job.add_note(str(error))
            raise
        finally:
            self.job.is_sending = False

    def _describe_request(self, prompt: Prompt) -> str:
        if prompt == self.last_prompt:
            return "sending the same prompt again"
        return f"sending about {TokenCounter().count_prompt(prompt):,} tokens to {self.host}"
