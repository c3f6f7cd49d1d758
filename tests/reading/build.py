"""Read papers in a process as the tests need it."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from planner.errors import PaperError
from planner.papers.arxiv import ArxivClient
from planner.reading.process import WORKER_COMMAND, IsolatedReader, PaperReader
from planner.reading.request import READ_LIMITS, ReadLimits, ReadRequest, ReadResultOrError

OFFLINE = ArxivClient(offline=True)
CRASHING = (sys.executable, str(Path(__file__).with_name("crashing_worker.py")))


def read_all(
    *requests: ReadRequest,
    limits: ReadLimits = READ_LIMITS,
    command: Sequence[str] = WORKER_COMMAND,
    arxiv: ArxivClient = OFFLINE,
) -> list[ReadResultOrError]:
    """Read papers one after the other with one reader."""

    async def read_all() -> list[ReadResultOrError]:
        async with IsolatedReader(arxiv, limits, command=command) as reader:
            return [await read_or_catch(reader, request) for request in requests]

    return asyncio.run(read_all())


async def read_or_catch(reader: PaperReader, request: ReadRequest) -> ReadResultOrError:
    """Return what `reader` gives for a request, or the error of its paper."""
    try:
        return await reader.read_paper_with_prompts(request)
    except PaperError as error:
        return error


def read_misbehaving(*sources: str, limits: ReadLimits = READ_LIMITS) -> list[str]:
    """Read the papers of `crashing_worker`; return "" or the error of each."""
    results = read_all(*(ReadRequest(source, paper_id="x") for source in sources), limits=limits, command=CRASHING)
    return [str(result) if isinstance(result, Exception) else "" for result in results]
