"""The options of the commands for runs. Other commands do not import this module, which saves time."""

from functools import partial

import click

from planner.batch.run_folder import Shard
from planner.batch.spec import ENGINES, LOCAL_CLUSTER, BatchServiceOptions, EngineOptions, RunLimits
from planner.cli.command import FOLDER, GroupedOption
from planner.cli.options import make_options_decorator
from planner.errors import UsageError
from planner.models.prompt_files import PromptFolders

limit_option = partial(click.option, cls=GroupedOption, group="Limits")
_service_option = partial(click.option, cls=GroupedOption, group="Batch service")
_engine_option = partial(click.option, cls=GroupedOption, group="Where it runs")
_file_option = partial(click.option, cls=GroupedOption, group="Prompts and replies in files")

limit_options = make_options_decorator(
    "limits",
    RunLimits,
    limit_option(
        "--concurrency",
        type=click.IntRange(1, 4096),
        default=32,
        show_default=True,
        envvar="ABLATION_PLANNER_CONCURRENCY",
        help="Maximum number of requests at once; fewer are sent while the endpoint reports too many.",
    ),
    limit_option(
        "--rpm",
        type=click.FloatRange(min=0, min_open=True),
        help="Maximum number of requests a minute.  [default: the endpoint's limit]",
    ),
    limit_option(
        "--tpm",
        type=click.FloatRange(min=0, min_open=True),
        help="Maximum number of tokens a minute.  [default: the endpoint's limit]",
    ),
    limit_option("--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Maximum cost of the run."),
    limit_option("--max-papers", type=click.IntRange(min=1), help="Maximum number of papers to begin in this command."),
)

_FINISH_LIVE_OPTION = _service_option(
    "--finish-live",
    is_flag=True,
    help="Send requests directly, at the full price, if the batch service leaves them unanswered.",
)
_POLL_OPTION = _service_option(
    "--poll",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    envvar="ABLATION_PLANNER_POLL",
    help="Pause between two checks of the batch service.  [default: 2 s, growing to 5 min]",
)

submission_options = make_options_decorator(
    "submission",
    BatchServiceOptions,
    _service_option(
        "--submit-only",
        is_flag=True,
        help="With --engine openai-batch: submit the requests and exit; `collect` gets the results.",
    ),
    _FINISH_LIVE_OPTION,
    _service_option("--prepare", is_flag=True, help="Only record the papers, and send nothing; then use `export`."),
    _POLL_OPTION,
)

collect_options = make_options_decorator(
    "submission",
    BatchServiceOptions,
    _service_option("--no-wait", "submit_only", is_flag=True, help="Get the results that are ready, and exit."),
    _FINISH_LIVE_OPTION,
    _POLL_OPTION,
)

engine_options = make_options_decorator(
    "engine",
    EngineOptions,
    _engine_option(
        "--engine",
        type=click.Choice(ENGINES),
        default="local",
        show_default=True,
        envvar="ABLATION_PLANNER_ENGINE",
        help="local: this machine; openai-batch: the provider's batch service, at half the price, within a day; "
        "ray: a Ray cluster reads the papers and sends the requests.",
    ),
    _engine_option(
        "--ray-address",
        default=LOCAL_CLUSTER,
        show_default=True,
        metavar="HOST:PORT",
        envvar="ABLATION_PLANNER_RAY_ADDRESS",
        help="Address of the Ray cluster's head node; local: start a cluster on this machine for the run.",
    ),
)


prompt_file_options = make_options_decorator(
    "prompt_folders",
    PromptFolders,
    _file_option(
        "--prompts-to",
        type=FOLDER,
        metavar="DIR",
        help="Send nothing; write each prompt that has no reply yet to a file in this folder.",
    ),
    _file_option(
        "--replies-from",
        type=FOLDER,
        metavar="DIR",
        help="Send nothing; read the replies in this folder. A reply's file has its prompt's name, with any ending.",
    ),
)


def _parse_shard(context: click.Context, option: click.Parameter, value: str | None) -> Shard | None:
    try:
        return None if value is None else Shard.parse(value)
    except UsageError as error:
        raise click.BadParameter(str(error), context, option) from error


shard_option = _engine_option(
    "--shard",
    callback=_parse_shard,
    metavar="I/N",
    envvar="ABLATION_PLANNER_SHARD",
    help="Plan only shard (part) I of N, in RUN/shards; run the command once for each shard, then `merge`.",
)
