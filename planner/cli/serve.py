"""`serve`: the local page."""

import asyncio
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import click

from planner.cli.command import command
from planner.cli.options import (
    LogOptions,
    TaskOptions,
    log_options,
    model_options,
    offline_option,
    output_option,
    task_options,
)
from planner.cli.paper import open_isolated_reader
from planner.cli.plan import folder_option
from planner.cli.terminal.console import InterruptHandler, log, send_log_messages
from planner.errors import UsageError
from planner.models.connect import ModelSpec


@command(epilog="Example: ablation-planner serve --model gpt-4o -o trajectories")
@output_option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="PORT",
    help="Port on this machine.  [one that is free]",
)
@folder_option
@task_options
@model_options
@offline_option
@log_options
def serve(
    port: int, output: Path, task: TaskOptions, model_spec: ModelSpec, offline: bool, log_settings: LogOptions
) -> None:
    """Open a page on this machine to read a paper, plan its ablations, edit the plan and export it.

    Prints the page's address, which holds a token: open it in a browser. Ctrl-C ends the program once the replies in
    flight have arrived. What the page makes is what `plan` makes, in the same folder.
    """
    if not (find_spec("starlette") and find_spec("uvicorn")):
        raise UsageError(
            "serve needs two more packages: pip install 'ablation-planner[serve]', "
            "or in a checkout pip install '.[serve]'"
        )
    with send_log_messages(log_settings):
        raise SystemExit(asyncio.run(_serve(port, output, task, model_spec, offline)))


async def _serve(port: int, output: Path, task: TaskOptions, model_spec: ModelSpec, offline: bool) -> int:
    from planner.serve.app import PageApp
    from planner.serve.folder import PaperFolder
    from planner.serve.jobs import JobQueue
    from planner.serve.pages import PageDefaults
    from planner.serve.server import PageServer, open_socket

    stopped = asyncio.Event()
    handler = InterruptHandler(lambda _: stopped.set())
    async with open_isolated_reader(offline=offline) as reader:
        papers = PaperFolder(output, reader)
        queue = JobQueue(output, papers, offline=offline)
        app = PageApp(PageDefaults(output, model_spec, task.settings, task.k, offline), papers, queue)
        server = PageServer(app.build(), open_socket(port))

        async def wait_for_end() -> None:
            await stopped.wait()
            await queue.stop()

        click.echo(server.address)
        log.info("open this address in a browser; Ctrl-C ends the program")
        with handler.handle_signals(), suppress(asyncio.CancelledError):  # the second signal
            await server.run_until(wait_for_end)
    return handler.exit_code
