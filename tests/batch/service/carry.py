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

from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import NewRequest
from planner.batch.manifest import CorpusEntry, PlanTask
from planner.batch.progress import Progress
from planner.batch.service.results import PricedService
from planner.batch.service.submit import SubmissionWriter, SubmitOptions
from planner.batch.service.tracker import BatchTracker
from planner.chat import Message, Prompt
from planner.models.openai_chat.batch_api import BatchService
from planner.models.openai_chat.chat import RequestOptions
from planner.models.openai_chat.endpoint import Endpoint
from planner.models.retry import RetryPolicy

MODEL = "lm-planner/m"


async def carry(folder: Path, url: str, requests: int) -> tuple[int, int]:
    service = BatchService(Endpoint("m", url), RequestOptions())
    async with service, Ledger(folder / "ledger.sqlite") as ledger:
        desks = {MODEL: PricedService(service, lambda _: 0.0005)}
        courier = BatchTracker(folder, "run", ledger, desks, Progress(), SubmitOptions(RetryPolicy()))
        writer = SubmissionWriter(folder, ledger, {MODEL: service}, courier.submit)
        for number in range(requests):
            prompt = Prompt.from_messages((Message("user", f"Plan paper {number}."),), "")
            work = PlanTask(CorpusEntry(f"paper{number}", "", "", "text"), MODEL)
            wanted = NewRequest(work, service.info.identify_request(prompt), prompt.sha256, 0, 1)
            await writer.add_request(wanted, prompt)
        await writer.submit_drafts()
        parts = len(courier.open_submissions)
        while courier.open_submissions:
            await courier.collect_ended_batches()
        return parts, ledger.submissions.count_replies()


def main() -> None:
    folder, url, requests = sys.argv[1:]
    started = time.monotonic()
    parts, replies = asyncio.run(carry(Path(folder), url, int(requests)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    seconds = time.monotonic() - started
    sys.stdout.write(json.dumps({"parts": parts, "replies": replies, "peak": peak, "seconds": seconds}))


if __name__ == "__main__":
    main()
