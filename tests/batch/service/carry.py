"""So many small requests through a batch service, as a process of its own whose memory can be measured.

`python -m tests.batch.service.carry FOLDER URL REQUESTS` writes, submits and collects them, and prints a JSON object:
parts, replies, peak memory in MB, seconds.
"""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from planner.batch.entry import Entry, Work
from planner.batch.ledger import Ledger
from planner.batch.parts import Wanted
from planner.batch.progress import Progress
from planner.batch.service.courier import Courier
from planner.batch.service.results import Counterpart
from planner.batch.service.sending import Manner
from planner.batch.service.writing import PartWriter
from planner.chat import Message, Prompt
from planner.openai_chat.endpoint import Endpoint
from planner.openai_chat.model import ChatSettings
from planner.openai_chat.service import BatchService
from planner.retrying import RetryPolicy

MODEL = "lm-planner/m"


async def carry(folder: Path, url: str, requests: int) -> tuple[int, int]:
    service = BatchService(Endpoint("m", url), ChatSettings())
    async with service, Ledger(folder / "ledger.sqlite") as ledger:
        desks = {MODEL: Counterpart(service, lambda _: 0.001, 0.5)}
        courier = Courier(folder, "run", ledger, desks, Progress(), Manner(RetryPolicy()))
        writer = PartWriter(folder, ledger, {MODEL: service}, courier.submit)
        for number in range(requests):
            prompt = Prompt.of((Message("user", f"Plan paper {number}."),), "")
            work = Work(Entry(f"paper{number}", "", "", "text"), MODEL)
            wanted = Wanted(work, service.card.identity(prompt), prompt.sha256, 0, 1)
            await writer.take(wanted, prompt)
        await writer.finish()
        parts = len(courier.open)
        while courier.open:
            await courier.look()
        return parts, ledger.parts.replies()


def main() -> None:
    folder, url, requests = sys.argv[1:]
    started = time.monotonic()
    parts, replies = asyncio.run(carry(Path(folder), url, int(requests)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    seconds = time.monotonic() - started
    sys.stdout.write(json.dumps({"parts": parts, "replies": replies, "peak": peak, "seconds": seconds}))


if __name__ == "__main__":
    main()
