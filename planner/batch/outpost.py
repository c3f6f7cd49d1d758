"""Read papers and ask models on another machine, with the API keys of its own environment."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planner import __version__
from planner.balancing import balanced
from planner.batch.errand import Answer, Errand
from planner.batch.reading import ProcessReader, command
from planner.chat import ChatModel, Completion, ModelCard, Prompt
from planner.errors import ModelError, PaperError, RunError, TooLongError, UsageError
from planner.openai_chat.endpoint import resolve
from planner.openai_chat.model import ChatSettings, OpenAIChat
from planner.papers.arxiv import Arxiv


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model as a worker is given it; it is sent over the network, so it holds no key and no password.

    `name` and `base_urls` are what the user gave, "" to use the worker's environment. The model that the worker opens
    must match `card`. Several addresses are of copies.
    """

    card: ModelCard
    name: str
    base_urls: tuple[str, ...]
    settings: ChatSettings


@dataclass(frozen=True, slots=True)
class Orders:
    """The configuration of a worker; `folder` is where the run was started, which paths are relative to."""

    models: Mapping[str, RemoteModel]
    arxiv: Arxiv
    folder: str
    version: str = __version__


class Outpost:
    """A worker on another machine; it reads one paper at a time, and has any number of requests in flight."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._chats: dict[str, ChatModel] = {}
        folder = Path(orders.folder)
        self._reader = ProcessReader(command(orders.arxiv), folder=folder if folder.is_dir() else None)
        self._one_paper = asyncio.Lock()

    async def problem(self) -> str:
        """Return the reason why this worker cannot do its work, "" if it can."""
        if self._orders.version != __version__:
            return f"it has version {__version__} of ablation-planner, the run was started with {self._orders.version}"
        try:
            for key in self._orders.models:
                self._chat(key)
        except UsageError as error:
            return str(error)
        return ""

    async def read(self, errand: Errand) -> Answer:
        """Read a paper; an error is returned, not raised."""
        async with self._one_paper:
            try:
                return await self._reader.read(errand)
            except RunError as error:
                return PaperError(f"{errand.entry.source}: {error}")

    async def complete(self, model: str, prompt: Prompt) -> Completion | ModelError:
        """Send a request to a model once; an error is returned, not raised."""
        try:
            return await self._chat(model).complete(prompt)
        except ModelError as error:
            return portable(error)

    def _chat(self, key: str) -> ChatModel:
        if key not in self._chats:
            wanted = self._orders.models[key]
            endpoints = [resolve(wanted.name, url, os.environ) for url in wanted.base_urls]
            chat = balanced([OpenAIChat(endpoint, wanted.settings) for endpoint in endpoints])
            if chat.card != wanted.card:
                raise UsageError(
                    f"its environment leads to {chat.card.asked!r} at {chat.card.endpoint}, "
                    f"and not to {wanted.card.asked!r} at {wanted.card.endpoint}"
                )
            self._chats[key] = chat
        return self._chats[key]


def portable(error: ModelError) -> ModelError:
    """Return a copy of an error that can be pickled, without its traceback and its cause."""
    if isinstance(error, TooLongError):
        return TooLongError(str(error), limit=error.limit, counted=error.counted, status=error.status, body=error.body)
    return ModelError(
        str(error),
        retryable=error.retryable,
        status=error.status,
        retry_after=error.retry_after,
        request_id=error.request_id,
        exhausted=error.exhausted,
        body=error.body,
    )
