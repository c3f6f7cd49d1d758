"""Everything that can go wrong, by name.

PlannerError
├── UsageError        the call makes no sense; nothing was done
├── PaperError        a source could not be read as a paper
├── PromptError       a template asks for what is not there
├── ModelError        the endpoint gave no completion
│   └── TooLongError  the prompt does not fit the model's window
├── BudgetExceeded    the next request could pass the cost limit
├── OutputError       a completion holds no valid plan
├── TrajectoryError   a file is not a trajectory
└── RunError          a run of a corpus cannot start or go on
"""

from enum import StrEnum


class Outcome(StrEnum):
    """How the planning of one paper ended; a closed list, used wherever outcomes are counted."""

    PLANNED = "planned"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    EMPTY = "empty"
    INVALID = "invalid"
    TOO_LONG = "too_long"
    PAPER_ERROR = "paper_error"
    MODEL_ERROR = "model_error"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"


class PlannerError(Exception):
    """Base of every error of this package; its text is one line that a user can act on."""


class UsageError(PlannerError):
    """The call makes no sense as it stands (exit code 2); nothing was read, sent or written."""


class PaperError(PlannerError):
    """A source could not be read as a paper; the text says which source and what was looked for."""

    outcome = Outcome.PAPER_ERROR


class PromptError(PlannerError):
    """A template could not be rendered; the text names every missing variable."""


class ModelError(PlannerError):
    """The endpoint gave no completion.

    `retryable` says whether the same request may succeed later, `retry_after` the least wait in seconds
    that the endpoint asked for, `status` the HTTP status and `request_id` the endpoint's own name for the request.
    `exhausted` marks a spent quota, which no wait mends. `body` is the raw error body, masked.
    """

    outcome = Outcome.MODEL_ERROR

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
        request_id: str = "",
        exhausted: bool = False,
        body: str = "",
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.status = status
        self.retry_after = retry_after
        self.request_id = request_id
        self.exhausted = exhausted
        self.body = body


class TooLongError(ModelError):
    """The prompt does not fit.

    `limit` is the window and `counted` the length of the prompt, in the model's own tokens; None where the endpoint
    did not say.
    """

    outcome = Outcome.TOO_LONG

    def __init__(
        self,
        message: str,
        *,
        limit: int | None = None,
        counted: int | None = None,
        status: int | None = None,
        body: str = "",
    ) -> None:
        super().__init__(message, status=status, body=body)
        self.limit = limit
        self.counted = counted


class BudgetExceeded(PlannerError):  # noqa: N818 - it is a stop, not a fault
    """The next request could pass the cost limit; it was not sent."""

    outcome = Outcome.BUDGET


class OutputError(PlannerError):
    """A completion holds no valid plan.

    `outcome` is one of truncated, refused, empty and invalid; `findings` say what is wrong, one sentence each,
    so that the model can be shown them. Only an invalid reply is worth asking for again.
    """

    def __init__(self, outcome: Outcome, findings: tuple[str, ...]) -> None:
        super().__init__("; ".join(findings))
        self.outcome = outcome
        self.findings = findings

    @property
    def reaskable(self) -> bool:
        """Whether showing the findings to the model may help."""
        return self.outcome is Outcome.INVALID


class TrajectoryError(PlannerError):
    """A file is not a trajectory; the text says which line was expected."""


class RunError(PlannerError):
    """A run of a corpus cannot start or go on: its folder is in use, full, of another version or not writable."""
