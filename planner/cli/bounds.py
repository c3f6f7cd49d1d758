"""What a run may use, and how a batch service is used, as options."""

from dataclasses import dataclass

import click

from planner.cli.options import gathered


@dataclass(frozen=True, slots=True)
class BoundOptions:
    """What a run may use."""

    concurrency: int
    rpm: float | None
    tpm: float | None
    max_cost: float | None
    max_papers: int | None


bound_options = gathered(
    "bounded",
    BoundOptions,
    click.option(
        "--concurrency",
        type=click.IntRange(1, 4096),
        default=32,
        show_default=True,
        envvar="ABLATION_PLANNER_CONCURRENCY",
        show_envvar=True,
        help="At most so many requests at once; fewer while the endpoint says it is too much.",
    ),
    click.option(
        "--rpm", type=click.FloatRange(min=0, min_open=True), help="Requests a minute.  [from the endpoint's headers]"
    ),
    click.option(
        "--tpm", type=click.FloatRange(min=0, min_open=True), help="Tokens a minute.  [from the endpoint's headers]"
    ),
    click.option(
        "--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Never pass this cost, whatever happens."
    ),
    click.option("--max-papers", type=click.IntRange(min=1), help="Plan at most so many papers this time."),
)


@dataclass(frozen=True, slots=True)
class SubmissionOptions:
    """How a batch service is used; `poll` is in seconds, None for the usual course."""

    submit_only: bool = False
    finish_live: bool = False
    prepare: bool = False
    poll: float | None = None

    @property
    def wait(self) -> bool:
        """Whether to stay until the results are in."""
        return not self.submit_only


poll_option = click.option(
    "--poll",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    envvar="ABLATION_PLANNER_POLL",
    show_envvar=True,
    help="Between two looks at the batch service.  [2 s, doubled up to 5 min]",
)
finish_live_option = click.option(
    "--finish-live", is_flag=True, help="Ask live, at the full price, for what the batch service leaves unanswered."
)

submission_options = gathered(
    "submission",
    SubmissionOptions,
    click.option(
        "--submit-only", is_flag=True, help="With openai-batch: submit and leave; `collect RUN` gets the results."
    ),
    finish_live_option,
    click.option("--prepare", is_flag=True, help="Put the corpus on record and send nothing; `export RUN` goes on."),
    poll_option,
)
