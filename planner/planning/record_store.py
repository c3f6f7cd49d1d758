"""Store the requests and replies of one paper in its sidecar, and find the reply to a request that was sent before."""

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from planner.chat import Completion, Prompt
from planner.errors import ModelError, Outcome
from planner.files import describe_os_error, write_temporary_file
from planner.names import RECORD_SUFFIX
from planner.planning.record import REPLY_FAILURES, AttemptRecord, PlanRecord, ReplyPricer, create_attempt_record


class RecordStore:
    """The reply store of one paper: it writes each request and each reply to the sidecar file at once.

    A reply among `other_attempts`, those on record for other questions, is used too, and copied then.
    """

    def __init__(
        self,
        path: Path,
        record: PlanRecord,
        pricing: ReplyPricer,
        force: bool = False,
        other_attempts: tuple[AttemptRecord, ...] = (),
    ) -> None:
        self._path = path
        self._plan_record = record
        self._pricing = pricing
        self._force = force
        self._other_attempts = other_attempts

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """The recorded requests."""
        return self._plan_record.attempts

    def choose_sample(self, prompt: Prompt) -> int:
        """Return the number of the sample to request for a first prompt."""
        return choose_sample((*self._other_attempts, *self.attempts), prompt, self._force)

    def find_reply(self, identity: str) -> Completion | None:
        """Return the recorded reply to a request, or None."""
        own_number = len(self.attempts)
        for number, attempt in enumerate((*self.attempts, *self._other_attempts)):
            if attempt.identity == identity and attempt.completion is not None:
                if number >= own_number:
                    self._write_attempts((*self.attempts, attempt))
                return attempt.completion
        return None

    def record_request(self, identity: str, prompt: Prompt) -> None:
        """Record that a request is about to be sent."""
        self._write_attempts((*self.attempts, create_attempt_record(identity, prompt)))

    def record_reply(self, identity: str, completion: Completion) -> None:
        """Record the reply to a request.

        Raises:
            OSError: if the record cannot be written; the text says where the reply is kept instead.
        """
        try:
            self._update_attempt(identity, {"completion": completion, "cost": self._pricing(completion)})
        except OSError as error:
            raise OSError(f"{self._path}: {describe_os_error(error)}; {self._keep_elsewhere(completion)}") from error

    def _keep_elsewhere(self, completion: Completion) -> str:
        """Write the record, with a reply that was paid for, to another place; return a sentence that names it."""
        try:
            place = write_temporary_file(self._plan_record.to_json(), RECORD_SUFFIX)
        except OSError as error:
            reason = describe_os_error(error)
            return f"no other place could be written either ({reason}), so keep this reply: {completion.text}"
        return (
            f"the reply that was paid for is kept in {place}: when {self._path} can be written, "
            "move it there and run the same command again"
        )

    def record_failure(self, identity: str, error: ModelError) -> None:
        """Record the error of a request."""
        self._update_attempt(identity, {"outcome": error.outcome, "findings": (str(error),)})

    def _update_attempt(self, identity: str, update: dict[str, object]) -> None:
        """Change the last attempt at a request; several requests may be in flight."""
        last = next(attempt for attempt in reversed(self.attempts) if attempt.identity == identity)
        self._write_attempts([a.model_copy(update=update) if a is last else a for a in self.attempts])

    def _write_attempts(self, attempts: Sequence[AttemptRecord]) -> None:
        self._plan_record = self._plan_record.model_copy(update={"attempts": tuple(attempts)})
        self._plan_record.write(self._path)


def choose_sample(attempts: Sequence[AttemptRecord], prompt: Prompt, force: bool = False) -> int:
    """Return the number of the sample to request for a first prompt, from the recorded requests.

    The recorded replies are used again if one of them gave a plan or the last has no outcome yet. A new sample is
    requested if the last reply was truncated, refused, empty or invalid, or if `force` is true.
    """
    starts = [n for n, a in enumerate(attempts) if a.prompt_sha256 == prompt.sha256 and a.completion is not None]
    if not starts:
        return 0
    first, *later = attempts[starts[-1] :]
    # What followed the first request: its re-asks, which have more messages, and the further steps of a strategy.
    chain = [first, *takewhile(lambda attempt: attempt.step or attempt.messages > first.messages, later)]
    is_planned = any(attempt.outcome is Outcome.PLANNED for attempt in chain)
    return first.sample + (force or (not is_planned and chain[-1].outcome in REPLY_FAILURES))
