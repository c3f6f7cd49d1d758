"""Carry many small requests through a batch service, in a process of its own whose memory can be measured.

`python -m tests.batch.service.carry FOLDER URL REQUESTS` writes, submits and collects them, and prints a JSON object:
parts, replies, peak memory in MB, seconds.
"""

import asyncio
import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import UnansweredRequest
from planner.batch.manifest import CorpusEntry, PlanTask
from planner.batch.service.services import PricedService
from planner.batch.service.submit import RequestFileWriter, SubmissionRetryOptions
from planner.batch.service.tracker import BatchTracker
from planner.batch.status import Progress
from planner.chat import Message, Prompt
from planner.models.openai_chat.batch_api import BatchService
from planner.models.openai_chat.chat import RequestOptions
from planner.models.openai_chat.endpoint import Endpoint
from planner.models.wrappers import RetryPolicy

MODEL = "lm-planner/m"


async def carry(folder: Path, url: str, requests: int) -> tuple[int, int]:
    service = BatchService(Endpoint("m", url), RequestOptions())
    async with service, Ledger(folder / "ledger.sqlite") as ledger:
        services = {MODEL: PricedService(service, lambda _: 0.0005)}
        tracker = BatchTracker(folder, "run", ledger, services, Progress(), SubmissionRetryOptions(RetryPolicy()))
        writer = RequestFileWriter(folder, ledger, services, tracker.submit)
        for number in range(requests):
            prompt = Prompt.from_messages((Message("user", f"Plan paper {number}."),), "")
            plan_task = PlanTask(CorpusEntry(f"paper{number}", "", "", "text"), MODEL)
            request = UnansweredRequest(plan_task, prompt.sha256, prompt.sha256, 0, 1)
            await writer.add_request(request, prompt)
        await writer.submit_partial_files()
        parts = len(tracker.open_submissions)
        while tracker.open_submissions:
            await tracker.collect_ended_batches()
        return parts, count_replies(folder / "ledger.sqlite")


def count_replies(path: Path) -> int:
    """Return the number of submitted requests that have a reply."""
    with closing(sqlite3.connect(path)) as db:
        query = "SELECT count(*) FROM attempts WHERE part IS NOT NULL AND state = 'replied'"
        return int(db.execute(query).fetchone()[0])


def main() -> None:
    folder, url, requests = sys.argv[1:]
    started = time.monotonic()
    parts, replies = asyncio.run(carry(Path(folder), url, int(requests)))
    # Linux lets a process inherit ru_maxrss from its parent, so it is of no use here.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1000
    seconds = time.monotonic() - started
    sys.stdout.write(json.dumps({"parts": parts, "replies": replies, "peak": peak, "seconds": seconds}))


if __name__ == "__main__":
    main()
