"""The web application of the page. It answers requests with pages, and changes papers, jobs and plans."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from planner.chat import Usage
from planner.errors import Outcome, PaperError, PlannerError, TrajectoryError, UsageError
from planner.exports.export import build_export_file
from planner.models.connect import EXTRACTIVE, ModelClient, open_model
from planner.models.prompt_files import MAX_REPLY_BYTES
from planner.names import TRAJECTORY_SUFFIX
from planner.papers.paper import Paper
from planner.papers.sources import MAX_FILE_BYTES
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import find_complete_plan_path
from planner.planning.strategies import STRATEGIES
from planner.schema import MAX_K, list_validation_faults
from planner.serve.edits import read_edited_plan
from planner.serve.folder import GivenPaper, PaperFolder, StoredEntry, find_stored_entry, list_stored_entries
from planner.serve.jobs import Job, JobState, PerModelJobQueue, PlanRequest, build_manual_model_info, describe_failure
from planner.serve.pages import (
    BY_HAND,
    ArxivMessage,
    EditMessage,
    PageDefaults,
    PaperFacts,
    PlanForm,
    ReplyMessage,
    read_asset,
    render_page,
)
from planner.site.views import build_paper_view

_MAX_MESSAGE_BYTES: Final = 6 * MAX_REPLY_BYTES  # a character of a reply takes up to six bytes of JSON
_MAX_FACTS: Final = 8  # papers and settings whose facts are kept in memory
_EVENT_PAUSE: Final = 0.1  # seconds between two messages to a page; pieces of a reply are joined meanwhile

_Message = TypeVar("_Message", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class PageApp:
    """The web application for the papers and plans in one output folder."""

    defaults: PageDefaults
    papers: PaperFolder
    queue: PerModelJobQueue
    _facts: dict[tuple[str, PlanSettings], PaperFacts] = field(default_factory=dict)

    def build_application(self) -> Starlette:
        """Return the Starlette application with its routes."""
        return Starlette(
            routes=[
                Route("/", self.show_home),
                Route("/papers", self.take_file, methods=["POST"]),
                Route("/arxiv", self.take_arxiv_id, methods=["POST"]),
                Route("/papers/{key}", self.show_paper),
                Route("/papers/{key}/jobs", self.start_job, methods=["POST"]),
                Route("/jobs/{id}", self.show_job),
                Route("/jobs/{id}/events", self.stream_events),
                Route("/jobs/{id}/cancel", self.cancel_job, methods=["POST"]),
                Route("/jobs/{id}/reply", self.take_reply, methods=["POST"]),
                Route("/plans/{path:path}", self.show_plan, methods=["GET"]),
                Route("/plans/{path:path}", self.edit_plan, methods=["POST"]),
                Route("/exports/{form}/{path:path}", self.export_plan),
                Route("/assets/{name}", self.send_asset),
            ],
            exception_handlers=dict.fromkeys((HTTPException, PlannerError, OSError, ClientDisconnect), _show_problem),
        )

    async def show_home(self, request: Request) -> Response:
        """Show the home page, with a place to drop papers, the jobs, and the earlier papers and plans."""
        jobs = [job for job in self.queue.jobs.values() if not job.has_ended]
        cancelled = [job for job in self.queue.jobs.values() if job.state is JobState.CANCELLED]
        plans = await asyncio.to_thread(list_stored_entries, self.defaults.output)
        return _show(
            request,
            "home",
            plans=[plan for plan in plans if not any(_may_have_begun(job, plan) for job in jobs)],
            cancelled=[plan.path for plan in plans if any(_may_have_begun(job, plan) for job in cancelled)],
            papers=self.papers.list_papers(),
            jobs=jobs,
            defaults=self.defaults,
            max_bytes=MAX_FILE_BYTES,
        )

    async def take_file(self, request: Request) -> Response:
        """Keep a file that was dropped on the page. Refuse it if it cannot be read as a paper."""
        content = await _read_body(request, MAX_FILE_BYTES)
        paper = await asyncio.to_thread(self.papers.add_file, request.query_params.get("name", "paper"), content)
        try:
            await self.papers.read_paper(paper)
        except PaperError:
            self.papers.remove_paper(paper)
            raise
        return _lead_to(f"papers/{paper.key}")

    async def take_arxiv_id(self, request: Request) -> Response:
        """Keep an arXiv id. The paper is downloaded later, when it is shown."""
        message = await _read_message(request, ArxivMessage)
        return _lead_to(f"papers/{self.papers.add_arxiv_id(message.id).key}")

    async def show_paper(self, request: Request) -> Response:
        """Show the facts of a paper, and the estimated requests, tokens and cost of a plan."""
        paper, form = self._find_paper(request), self._read_form(request)
        facts, estimate, cost, plan_on_record, problem = None, None, None, "", ""
        client, model_problem = await self._describe_model(form)
        settings = self.defaults.make_settings(form)
        settings = replace(settings, window=settings.window or (client.window if client else None))
        try:
            read = await self.papers.read_paper(paper)
            facts = await self._collect_facts(paper, read, settings)
            tokens = facts.description["prompt_tokens"]
            if client and tokens is not None:
                estimate = STRATEGIES[form.strategy].estimate(tokens)
                cost = client.compute_cost(Usage(estimate.prompt_tokens, estimate.reply_tokens))
            if tokens and (client or form.model == BY_HAND) and not form.force:
                plan_on_record = await self._find_plan_on_record(read, form, settings, client)
        except (PlannerError, OSError) as error:
            problem = describe_failure(error)
        return _show(
            request,
            "paper",
            paper=paper,
            form=form,
            k=settings.k,
            facts=facts,
            client=client,
            plan_on_record=plan_on_record,
            estimate=estimate,
            cost=cost,
            problem=problem,
            model_problem=model_problem,
            models=tuple(self.defaults.iterate_model_choices()),
            max_k=MAX_K,
            jobs=[job for job in self.queue.jobs.values() if job.request.paper.key == paper.key],
        )

    def _read_form(self, request: Request) -> PlanForm:
        settings = self.defaults.settings
        begun = {"task": settings.task, "model": self.defaults.default_model, "strategy": settings.strategy}
        with _refuse_invalid_fields():
            return PlanForm.model_validate(begun | {name: text for name, text in request.query_params.items() if text})

    async def _describe_model(self, form: PlanForm) -> tuple[ModelClient | None, str]:
        """Return (client, problem) for the chosen model. The client is None if there is a problem or none is needed."""
        if form.model in (BY_HAND, EXTRACTIVE):
            return None, ""
        try:
            async with open_model(self.defaults.make_model_spec(form), offline=self.defaults.offline) as client:
                return client, ""
        except PlannerError as error:
            return None, describe_failure(error)

    async def _collect_facts(self, given: GivenPaper, paper: Paper, settings: PlanSettings) -> PaperFacts:
        """Return the facts of a paper, from memory if asked for lately: a long paper takes seconds."""
        if (given.key, settings) not in self._facts:
            self._facts[given.key, settings] = await asyncio.to_thread(PaperFacts.collect, paper, settings)
            for old in list(self._facts)[:-_MAX_FACTS]:
                del self._facts[old]
        return self._facts[given.key, settings]

    async def _find_plan_on_record(
        self, paper: Paper, form: PlanForm, settings: PlanSettings, client: ModelClient | None
    ) -> str:
        """Return the path of a finished plan with this paper, model and settings, or "" if there is none."""
        info = client.info if client else build_manual_model_info(self.defaults.make_model_spec(form))
        path = await asyncio.to_thread(find_complete_plan_path, self.defaults.output, paper, info, settings)
        return self._shorten_path(path) if path else ""

    def _find_paper(self, request: Request) -> GivenPaper:
        if (paper := self.papers.find_paper(request.path_params["key"])) is None:
            raise HTTPException(404, "there is no such paper in this folder")
        return paper

    async def start_job(self, request: Request) -> Response:
        """Start a job that plans a paper."""
        paper, form = self._find_paper(request), await _read_message(request, PlanForm)
        spec = self.defaults.make_model_spec(form)
        by_hand = form.model == BY_HAND
        job = self.queue.start_job(PlanRequest(paper, self.defaults.make_settings(form), spec, by_hand, form.force))
        return _lead_to(f"jobs/{job.id}")

    def _find_job(self, request: Request) -> Job:
        if (job := self.queue.jobs.get(request.path_params["id"])) is None:
            raise HTTPException(404, "there is no such job; the program may have been restarted")
        return job

    async def show_job(self, request: Request) -> Response:
        """Show a job. If the job has made a plan, redirect to the plan."""
        job = self._find_job(request)
        path = self._derive_plan_path(job)
        if job.state is JobState.PLANNED:
            return RedirectResponse(f"{_get_base(request)}plans/{quote(path)}", 303)
        return _show(request, "job", job=job, path=path, ahead=self.queue.count_jobs_ahead(job))

    def _derive_plan_path(self, job: Job) -> str:
        """Return the path of a job's plan in the output folder, or "" if there is no plan."""
        if job.output is None or not (job.output.trajectory_path.exists() or job.output.record_path.exists()):
            return ""
        return self._shorten_path(job.output.trajectory_path)

    def _shorten_path(self, trajectory: Path) -> str:
        return trajectory.relative_to(self.defaults.output).as_posix().removesuffix(TRAJECTORY_SUFFIX)

    async def stream_events(self, request: Request) -> Response:
        """Send the messages of a job as server-sent events, from the first message on."""
        return StreamingResponse(_encode_events(self._find_job(request)), media_type="text/event-stream")

    async def cancel_job(self, request: Request) -> Response:
        """Cancel a job."""
        job = self._find_job(request)
        self.queue.cancel_job(job)
        return _lead_to(f"jobs/{job.id}")

    async def take_reply(self, request: Request) -> Response:
        """Give a job the reply that a person pasted."""
        job, message = self._find_job(request), await _read_message(request, ReplyMessage)
        if not message.reply.strip():
            raise UsageError("the reply is empty; paste the model's reply into the box")
        job.take_reply(message.number, message.reply)
        return _lead_to(f"jobs/{job.id}")

    async def show_plan(self, request: Request) -> Response:
        """Show a plan with its edits, or the reason why there is no plan."""
        plan = await self._find_plan(request)
        edited, problem = None, ""
        try:
            edited = read_edited_plan(plan)
        except TrajectoryError as error:
            problem = str(error)
        given = [each for each in self.papers.list_papers() if each.sha256 and each.sha256 == plan.entry.paper_sha256]
        entries = (edited.kept_entry, edited.left_out_entry) if edited else (plan.entry,)
        view = await asyncio.to_thread(build_paper_view, entries)
        return _show(request, "plan", plan=plan, edited=edited, view=view, given=given, problem=problem)

    async def _find_plan(self, request: Request) -> StoredEntry:
        plan = await asyncio.to_thread(find_stored_entry, self.defaults.output, request.path_params["path"])
        if plan is None:
            raise HTTPException(404, "there is no such plan in this folder")
        return plan

    async def edit_plan(self, request: Request) -> Response:
        """Save an edit of a plan. The model's own plan is not changed."""
        message = await _read_message(request, EditMessage)
        edited = read_edited_plan(await self._find_plan(request))
        if edited is None:
            raise UsageError("there is no plan to edit")
        if edited.edit.version != message.version:
            raise HTTPException(409, "the plan was edited in another window; reload the page")
        changed = edited.make_change(message.change, message.ablation, message.replacement)
        changed.write_edits()
        return JSONResponse({"version": changed.edit.version})

    async def export_plan(self, request: Request) -> Response:
        """Send an edited plan in an export format. Several files are sent as one archive."""
        edited = read_edited_plan(await self._find_plan(request))
        if edited is None or not edited.edit.kept:
            raise UsageError("there is no ablation to export")
        file = await asyncio.to_thread(build_export_file, edited.kept_entry, request.path_params["form"])
        headers = {"content-disposition": f"attachment; filename*=utf-8''{quote(file.name)}"}
        return Response(file.content, media_type="application/octet-stream", headers=headers)

    async def send_asset(self, request: Request) -> Response:
        """Send a style sheet or a script."""
        name = request.path_params["name"]
        if (text := read_asset(name)) is None:
            raise HTTPException(404, "there is no such file")
        return Response(text, media_type="text/css" if name.endswith(".css") else "text/javascript")


def _may_have_begun(job: Job, plan: StoredEntry) -> bool:
    """Return whether a plan may be the interrupted plan of a job: it has the job's task and paper text."""
    is_open = plan.entry.outcome is Outcome.INTERRUPTED and plan.entry.task is job.request.settings.task
    return is_open and plan.entry.paper_sha256 == job.paper_sha256


async def _encode_events(job: Job) -> AsyncIterator[str]:
    yield "event: begin\ndata: 0\n\n"
    async for kind, text in job.iterate_events():
        yield f"event: {kind}\ndata: {json.dumps(text)}\n\n"
        await asyncio.sleep(_EVENT_PAUSE)


async def _read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request.

    Raises:
        HTTPException: if the body has more than `max_bytes` bytes.
    """
    content, stated_size = bytearray(), request.headers.get("content-length", "")
    too_large = HTTPException(413, f"the upload is too large: at most {max_bytes:,} bytes are accepted")
    if stated_size.isdecimal() and int(stated_size) > max_bytes:
        raise too_large
    async for piece in request.stream():
        content += piece
        if len(content) > max_bytes:
            raise too_large
    return bytes(content)


async def _read_message(request: Request, kind: type[_Message]) -> _Message:
    if request.headers.get("content-type") != "application/json":
        raise HTTPException(415, "the request must be JSON")
    body = await _read_body(request, _MAX_MESSAGE_BYTES)
    with _refuse_invalid_fields():
        return kind.model_validate_json(body)


@contextmanager
def _refuse_invalid_fields() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise HTTPException(400, "; ".join(list_validation_faults(error))) from None


def _get_base(request: Request) -> str:
    """Return the path with which the addresses of all pages begin. It contains the token."""
    return f"{request.scope['root_path']}/"


def _lead_to(path: str) -> Response:
    return JSONResponse({"to": path})


def _show(request: Request, template: str, status: int = 200, **values: object) -> Response:
    return HTMLResponse(render_page(template, _get_base(request), **values), status)


async def _show_problem(request: Request, error: Exception) -> Response:
    """Answer with an error message. POST requests come from scripts and get JSON; others get a page."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    text = error.detail if isinstance(error, HTTPException) else describe_failure(error)
    if request.method == "POST":
        return JSONResponse({"error": text}, status)
    return _show(request, "problem", status, problem=text)
