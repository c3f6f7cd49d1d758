"""Read papers and ask models on another machine, with the API keys of its own environment."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planner import __version__
from planner.chat import Completion, Model, Prompt
from planner.errors import ModelError, PaperError, RunError, TooLongError, UsageError
from planner.models.connect import RemoteModel
from planner.models.openai_chat.chat import OpenAIChat
from planner.models.openai_chat.endpoint import resolve_endpoint
from planner.models.replicas import combine_replicas
from planner.papers.arxiv import ArxivClient
from planner.reading.process import ReaderProcess
from planner.reading.request import ReadRequest, ReadResultOrError


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The configuration of a worker; relative paths start at `start_folder`, where the run was started."""

    models: Mapping[str, RemoteModel]
    arxiv: ArxivClient
    start_folder: str
    version: str = __version__


class RemoteWorker:
    """A worker on another machine; it reads one paper at a time, and has any number of requests in flight."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._models: dict[str, Model] = {}
        folder = Path(config.start_folder)
        self._reader = ReaderProcess(config.arxiv, folder=folder if folder.is_dir() else None)
        self._reading_lock = asyncio.Lock()

    async def find_problem(self) -> str:
        """Return the reason why this worker cannot do its work, "" if it can."""
        if self._config.version != __version__:
            return f"it has version {__version__} of ablation-planner, the run was started with {self._config.version}"
        try:
            for key in self._config.models:
                self._open_model(key)
        except UsageError as error:
            return str(error)
        return ""

    async def read_paper(self, request: ReadRequest) -> ReadResultOrError:
        """Read a paper; an error is returned, not raised."""
        async with self._reading_lock:
            try:
                return await self._reader.read_paper(request)
            except RunError as error:
                return PaperError(f"{request.source}: {error}")

    async def complete(self, model: str, prompt: Prompt) -> Completion | ModelError:
        """Send a request to a model once; an error is returned, not raised."""
        try:
            return await self._open_model(model).complete(prompt)
        except ModelError as error:
            return make_error_picklable(error)

    def _open_model(self, key: str) -> Model:
        if key not in self._models:
            wanted = self._config.models[key]
            endpoints = [resolve_endpoint(wanted.model, url, os.environ) for url in wanted.base_urls]
            chat = combine_replicas([OpenAIChat(endpoint, wanted.options) for endpoint in endpoints])
            if chat.info != wanted.info:
                raise UsageError(
                    f"its environment gives {chat.info.asked!r} at {chat.info.endpoint}, "
                    f"and not to {wanted.info.asked!r} at {wanted.info.endpoint}"
                )
            self._models[key] = chat
        return self._models[key]


def make_error_picklable(error: ModelError) -> ModelError:
    """Return a copy of an error that can be pickled, without its traceback and its cause."""
    if isinstance(error, TooLongError):
        return TooLongError(
            str(error), limit=error.limit, prompt_tokens=error.prompt_tokens, status=error.status, body=error.body
        )
    return ModelError(
        str(error),
        retryable=error.retryable,
        status=error.status,
        retry_after=error.retry_after,
        request_id=error.request_id,
        exhausted=error.exhausted,
        body=error.body,
        is_sent=error.is_sent,
    )
