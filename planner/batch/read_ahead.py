"""Read papers in advance, while other papers are planned."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from planner.batch.manifest import PlanTask
from planner.batch.spec import RunModel
from planner.chat import FixedTokenCounter, TokenCounter
from planner.errors import PaperError, PlannerError
from planner.papers.paper import PaperInfo
from planner.parsing.reply import Reply
from planner.planning.first_prompt import PaperPrompt, PlanSettings
from planner.reading.process import PaperReader
from planner.reading.request import PromptRequest, ReadRequest, ReadResult, ReadResultOrError
from planner.schema import Task

if TYPE_CHECKING:
    from planner.analysis.check import PlanCheck

# Token counts that do not depend on replies, so that a run builds the same prompts again.
_TOKEN_COUNTER: Final = FixedTokenCounter()


@dataclass(frozen=True, slots=True)
class PaperWithPrompt:
    """A paper that another process read, with the prompt that it built for one model.

    `built_prompt_or_error` is the result for `built_prompt_request`: a prompt, or the error if it could not be built.
    `reread_and_build_prompt` reads the paper again to build a prompt with other settings.
    """

    read_result: ReadResult
    built_prompt_or_error: PaperPrompt | PlannerError
    built_prompt_request: PromptRequest
    reread_and_build_prompt: Callable[[PromptRequest], Awaitable[PaperPrompt | PlannerError]]

    @property
    def info(self) -> PaperInfo:
        """The metadata of the paper."""
        return self.read_result.info

    @property
    def id(self) -> str:
        """The id of the paper."""
        return self.info.id

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings about how the paper was read."""
        return self.info.warnings

    async def build_prompt(self, settings: PlanSettings, token_counter: TokenCounter) -> PaperPrompt:
        """Return the first prompt about the paper (before any re-ask); raise the error if it cannot be built."""
        request = PromptRequest(settings, token_counter)
        paper_prompt = (
            self.built_prompt_or_error
            if request == self.built_prompt_request
            else await self.reread_and_build_prompt(request)
        )
        if isinstance(paper_prompt, PlannerError):
            raise paper_prompt
        return paper_prompt

    def check_plan(self, reply: Reply, _: Task, __: PaperPrompt) -> "PlanCheck":
        """Find the faults of the plan in a reply, and the places in the paper that the plan quotes."""
        # Importing it compiles many patterns, which only a reply needs.
        from planner.analysis.check import PlanCheck, locate_quotes_and_find_faults

        if (index := self.read_result.restore_full_index()) is None:
            return PlanCheck(reply)
        return locate_quotes_and_find_faults(reply, index)


@dataclass(frozen=True, slots=True)
class TaskWithPaper:
    """A paper to plan with a model; `paper_or_error` is an error if the paper could not be read."""

    plan_task: PlanTask
    paper_or_error: PaperWithPrompt | PaperError


class ReadAheadQueue:
    """A queue of tasks with their papers; while it is open, about `max_ahead` papers are read in advance.

    Several coroutines may take tasks from it. A paper for several models is read once. `models_by_key` holds each model
    by its name in the tasks.
    """

    def __init__(
        self,
        plan_tasks: Iterator[PlanTask],
        models_by_key: Mapping[str, RunModel],
        *,
        readers: Sequence[PaperReader],
        max_ahead: int,
    ) -> None:
        # Successive tasks about the same paper are one group, for which the paper is read once.
        groups = itertools.groupby(plan_tasks, key=lambda plan_task: plan_task.entry.id)
        self._groups = (tuple(group) for _, group in groups)
        self._models = models_by_key
        self._queue: asyncio.Queue[TaskWithPaper | BaseException | None] = asyncio.Queue(max_ahead)
        self._readers = readers
        self._active_readers = len(readers)
        self._open_readers = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for reader in self._readers:
            await self._open_readers.enter_async_context(reader)
        self._fillers = [asyncio.create_task(self._fill_queue(reader)) for reader in self._readers]
        return self

    async def __aexit__(self, *_: object) -> None:
        async with self._open_readers:
            for filler in self._fillers:
                filler.cancel()
            await asyncio.gather(*self._fillers, return_exceptions=True)

    def __aiter__(self) -> AsyncIterator[TaskWithPaper]:
        return self

    async def __anext__(self) -> TaskWithPaper:
        item = await self._queue.get()
        if isinstance(item, TaskWithPaper):
            return item
        # The end comes last, and is put back for the other tasks that wait.
        self._queue.put_nowait(item)
        if item is None:
            raise StopAsyncIteration
        raise item

    async def _fill_queue(self, reader: PaperReader) -> None:
        """Read papers with `reader` until none is left. The last reader to finish, or an error, ends the queue."""
        # However the reader ends, no task may wait for its papers for ever.
        (failure,) = await asyncio.gather(self._read_papers(reader), return_exceptions=True)
        self._active_readers -= 1
        if not self._active_readers or failure:
            await self._queue.put(failure)

    async def _read_papers(self, reader: PaperReader) -> None:
        for plan_tasks in self._groups:
            request = self._build_request(plan_tasks)
            try:
                result: ReadResultOrError = await reader.read_paper_with_prompts(request)
            except PaperError as error:
                result = error
            for number, plan_task in enumerate(plan_tasks):
                await self._queue.put(TaskWithPaper(plan_task, self._build_paper(request, result, number)))

    def _build_request(self, plan_tasks: Sequence[PlanTask]) -> ReadRequest:
        entry, models = plan_tasks[0].entry, [self._models[plan_task.model_key] for plan_task in plan_tasks]
        return ReadRequest(
            entry.source,
            title=entry.title,
            abstract=entry.abstract,
            paper_id=entry.id,
            prompts=tuple(PromptRequest(model.settings, _TOKEN_COUNTER) for model in models),
            keep_paper=any(model.is_builtin for model in models),
        )

    def _build_paper(
        self, request: ReadRequest, result: ReadResultOrError, number: int
    ) -> PaperWithPrompt | PaperError:
        if isinstance(result, PaperError):
            return result
        reread_and_build_prompt = partial(self._reread_and_build_prompt, request)
        return PaperWithPrompt(result, result.prompts[number], request.prompts[number], reread_and_build_prompt)

    async def _reread_and_build_prompt(
        self, request: ReadRequest, prompt_request: PromptRequest
    ) -> PaperPrompt | PlannerError:
        request = replace(request, prompts=(prompt_request,), keep_paper=False)
        return (await self._readers[0].read_paper_with_prompts(request)).prompts[0]
