"""Plan a run without an endpoint: prompts go to files, and replies that a person or a program writes are recorded."""

import asyncio
import logging

from planner.batch.engine import ResultRecorder
from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import NewRequest
from planner.batch.progress import Progress
from planner.batch.run_folder import RunFolder, convert_os_errors
from planner.batch.service.replan import Replanner
from planner.batch.spec import BatchJob
from planner.chat import Completion, Prompt
from planner.errors import ModelError
from planner.models.prompt_files import PromptFiles, PromptFolders
from planner.planning.record import create_attempt_record

log = logging.getLogger(__name__)


class PromptFileEngine:
    """An engine that plans as far as the replies in files go, and writes each prompt that has none to a file."""

    def __init__(self, job: BatchJob, run: RunFolder, ledger: Ledger, folders: PromptFolders) -> None:
        self.progress = Progress()
        self._run = run
        self._ledger = ledger
        self._models = {model.ledger_model.key: model for model in job.models}
        self._recorder = ResultRecorder(job, run, ledger, self.progress)
        self._replanner = Replanner(job, ledger, self._recorder, submit_once=False)
        self._files = PromptFiles(folders)
        self._turn = asyncio.Lock()

    async def plan(self) -> None:
        """Plan everything that is pending and has its replies.

        Raises:
            RunError: if the run's folder or ledger, or a prompt's file, cannot be written.
            PromptError: if a prompt template is faulty.
        """
        await self._recorder.begin_call()
        await self._replanner.replan_papers(self._find_reply)

    def stop(self, reason: str) -> None:
        """Read no further paper."""
        self.progress.stop_reason = self.progress.stop_reason or reason
        self._replanner.is_stopped = True

    async def _find_reply(self, request: NewRequest, prompt: Prompt) -> Completion | None:
        """Return the reply in a file once it is in the ledger, or None; papers with the same text share a reply."""
        async with self._turn:
            if (reply := self._ledger.find_reply(request.identity)) is None:
                reply = self._read_reply(request, prompt)
                if reply is not None:
                    await self._record_reply(request, prompt, reply)
            self.progress.waiting_prompts = len(self._files.waiting)
        return reply

    def _read_reply(self, request: NewRequest, prompt: Prompt) -> Completion | None:
        paper_id, info = request.plan_task.entry.id, self._models[request.plan_task.model].info
        try:
            with convert_os_errors(self._run.path):
                return self._files.find_reply_or_write_prompt(info, paper_id, prompt)
        except ModelError as error:
            log.warning("%s: %s", paper_id, error)
            return None

    async def _record_reply(self, request: NewRequest, prompt: Prompt, reply: Completion) -> None:
        number = await self._ledger.record_request(
            request.plan_task, create_attempt_record(request.identity, prompt), 0.0
        )
        await self._ledger.record_reply(number, request.identity, reply, 0.0, 0.0)
        self.progress.record_reply(reply.usage, 0.0)
