"""Options that limit a run, and options for a batch service."""

from dataclasses import dataclass

import click

from planner.cli.options import option_group


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """The limits of a run: requests at once, requests and tokens a minute, USD, and papers."""

    concurrency: int
    rpm: float | None
    tpm: float | None
    max_cost: float | None
    max_papers: int | None


limit_options = option_group(
    "limits",
    LimitOptions,
    click.option(
        "--concurrency",
        type=click.IntRange(1, 4096),
        default=32,
        show_default=True,
        envvar="ABLATION_PLANNER_CONCURRENCY",
        show_envvar=True,
        help="Most requests at once; fewer while the endpoint reports too many.",
    ),
    click.option(
        "--rpm", type=click.FloatRange(min=0, min_open=True), help="Requests per minute.  [from the endpoint's headers]"
    ),
    click.option(
        "--tpm", type=click.FloatRange(min=0, min_open=True), help="Tokens per minute.  [from the endpoint's headers]"
    ),
    click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Never spend more than this."),
    click.option("--max-papers", type=click.IntRange(min=1), help="Most papers to begin in this call."),
)


@dataclass(frozen=True, slots=True)
class BatchServiceOptions:
    """Options for a batch service; `poll` is the pause between checks in seconds, None for the default."""

    submit_only: bool = False
    finish_live: bool = False
    prepare: bool = False
    poll: float | None = None

    @property
    def wait(self) -> bool:
        """True if the command waits for the results."""
        return not self.submit_only


poll_option = click.option(
    "--poll",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    envvar="ABLATION_PLANNER_POLL",
    show_envvar=True,
    help="Pause between two checks of the batch service.  [2 s, doubled up to 5 min]",
)
finish_live_option = click.option(
    "--finish-live", is_flag=True, help="Send what the batch service leaves unanswered live, at the full price."
)

batch_service_options = option_group(
    "batch_service",
    BatchServiceOptions,
    click.option(
        "--submit-only", is_flag=True, help="With openai-batch: submit and exit; `collect RUN` gets the results."
    ),
    finish_live_option,
    click.option("--prepare", is_flag=True, help="Record the corpus and send nothing; continue with `export RUN`."),
    poll_option,
)
