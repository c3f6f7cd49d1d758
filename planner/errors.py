"""The errors of this package and the outcomes of planning a paper.

PlannerError
├── UsageError        the command or its options are wrong; nothing was done
├── PaperError        a source cannot be read as a paper
│   └── NotAPaperError    a source is something else, such as a picture or a folder of several papers
├── PromptError       a template cannot be rendered
├── ModelError        the endpoint returned no completion
│   └── TooLongError  the prompt does not fit the model's window
├── BudgetExceeded    the next request could exceed the cost limit
├── OutputError       a completion contains no valid plan
├── TrajectoryError   a file is not a trajectory
└── RunError          a run cannot start or continue
"""

from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """The outcome of planning one paper."""

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

    @property
    def words_after_count(self) -> str:
        """The words that follow a number of papers with this outcome, as in "3 too long for the model"."""
        return _OUTCOME_WORDS.get(self, self.value)


_OUTCOME_WORDS: Final = {
    Outcome.TRUNCATED: "with a reply that was cut short",
    Outcome.EMPTY: "with an empty reply",
    Outcome.INVALID: "without a valid plan in the replies",
    Outcome.TOO_LONG: "too long for the model",
    Outcome.PAPER_ERROR: "not readable as a paper",
    Outcome.MODEL_ERROR: "without a reply",
    Outcome.BUDGET: "stopped by the cost limit",
}


class PlannerError(Exception):
    """The base class of this package's errors. The text is one line and tells the user what to do."""


class UsageError(PlannerError):
    """A command or its options are wrong (exit code 2). Nothing was read, sent or written.

    `fault` says what is wrong. `advice` says what to do instead, and may be "". The error's text consists of both.
    """

    def __init__(self, fault: str, advice: str = "") -> None:
        super().__init__(f"{fault}; {advice}" if advice else fault)
        self.fault = fault
        self.advice = advice


class PaperError(PlannerError):
    """A source cannot be read as a paper. The text names the source and says what was expected."""

    outcome = Outcome.PAPER_ERROR


class NotAPaperError(PaperError):
    """A source is not one paper but, for example, a picture or a folder of several papers."""


class PromptError(PlannerError):
    """A prompt template cannot be rendered. The text names every missing variable."""


class ModelError(PlannerError):
    """The endpoint returned no completion.

    `retryable` is true if the same request may succeed later. `retry_after` is the wait in seconds that the endpoint
    asks for. `status` is the HTTP status. `request_id` is the endpoint's id of the request. `body` is the raw error
    body, with secrets masked. `exhausted` is true if the account has no quota left, so that waiting does not help.
    `is_sent` is false if there was no connection to the endpoint. `paused` is the number of seconds that the request
    waited because all requests were paused.
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
        is_sent: bool = True,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.status = status
        self.retry_after = retry_after
        self.request_id = request_id
        self.exhausted = exhausted
        self.body = body
        self.is_sent = is_sent
        self.paused = 0.0

    def with_message(self, text: str) -> "ModelError":
        """Return a plain `ModelError` with another text and the same attributes, but without traceback and cause."""
        facts = ("retryable", "status", "retry_after", "request_id", "exhausted", "body", "is_sent")
        return ModelError(text, **{name: getattr(self, name) for name in facts})


class TooLongError(ModelError):
    """The prompt does not fit the model's context window.

    `limit` is the size of the window in tokens, and `prompt_tokens` is the length of the prompt. Each is None if the
    endpoint did not report it.
    """

    outcome = Outcome.TOO_LONG

    def __init__(
        self,
        message: str,
        *,
        limit: int | None = None,
        prompt_tokens: int | None = None,
        status: int | None = None,
        body: str = "",
    ) -> None:
        super().__init__(message, status=status, body=body)
        self.limit = limit
        self.prompt_tokens = prompt_tokens


class BudgetExceeded(PlannerError):  # noqa: N818 - it is a stop, not a fault
    """A request was not sent, since it could exceed the cost limit."""

    outcome = Outcome.BUDGET


class OutputError(PlannerError):
    """A completion contains no valid plan.

    `outcome` is truncated, refused, empty or invalid. `findings` are the faults in words for the model, one sentence
    each. `shown` are the same faults in words for people.
    """

    def __init__(self, outcome: Outcome, findings: tuple[str, ...], shown: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join(shown or findings))
        self.outcome = outcome
        self.findings = findings

    @property
    def is_correctable(self) -> bool:
        """True if the model may repair its reply when it is shown the findings."""
        return self.outcome is Outcome.INVALID


class TrajectoryError(PlannerError):
    """A file is not a trajectory. The text names the line that was expected."""


class RunError(PlannerError):
    """A run cannot start or continue: its folder is in use, of another version or not writable, or the disk is full."""
