"""CPU of one request in our client and in a bare `openai` client: `python -m tests.openai_chat.bench`.

Both talk to the suite's server in a process of its own; the prompt has 80 KB, as a paper has.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import openai

from planner.chat import Message, Prompt
from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import resolve_endpoint

REQUESTS, AT_ONCE, SIZE = 100, 16, 8000
TEXT = "some words " * 7300


async def milliseconds(ask: Callable[[], Awaitable[object]]) -> float:
    """CPU of this process, in ms a request."""
    bound = asyncio.Semaphore(AT_ONCE)

    async def bounded() -> None:
        async with bound:
            await ask()

    await bounded()
    before = time.process_time()
    await asyncio.gather(*(bounded() for _ in range(REQUESTS)))
    return (time.process_time() - before) / REQUESTS * 1000


async def ours(base_url: str, stream: bool) -> float:
    prompt = Prompt.from_messages((Message("user", TEXT),), "0" * 64)
    async with OpenAIChat(resolve_endpoint("m", base_url, {}), RequestOptions(stream=stream)) as chat:
        return await milliseconds(lambda: chat.complete(prompt))


async def bare(base_url: str, stream: bool) -> float:
    async with openai.AsyncOpenAI(api_key="k", base_url=base_url, max_retries=0) as client:

        async def ask() -> str:
            create = client.chat.completions.create
            if not stream:
                whole = await create(model="m", messages=[{"role": "user", "content": TEXT}])
                return whole.choices[0].message.content or ""
            chunks = await create(model="m", messages=[{"role": "user", "content": TEXT}], stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])

        return await milliseconds(ask)


def main() -> None:
    for pieces in (10, 1000):
        command = [sys.executable, "-m", "tests.server", "--pieces", str(pieces), "--size", str(SIZE)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin and process.stdout
            base_url = process.stdout.readline().strip()
            for stream in (True, False):
                label = f"{pieces} chunks" if stream else "not streamed"
                figures = [asyncio.run(client(base_url, stream)) for client in (ours, bare)]
                print(f"{label:14} ours {figures[0]:6.2f} ms   bare {figures[1]:6.2f} ms")  # noqa: T201
            process.stdin.close()


if __name__ == "__main__":
    main()
