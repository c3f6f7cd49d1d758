"""The commands `serve`, `mcp` and `skill`, which offer the planner as a local page or to coding agents."""

import asyncio
import signal
from contextlib import closing, suppress
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from planner.cli.command import EXISTING_FOLDER, FOLDER, command
from planner.cli.options import TaskOptions, model_options, offline_option, output_option, task_options
from planner.cli.paper import create_isolated_reader
from planner.cli.plan import folder_option
from planner.cli.terminal.console import InterruptHandler, add_log_options, log
from planner.errors import UsageError
from planner.files import write_file_atomically
from planner.models.connect import ModelSpec
from planner.sanitize import make_printable

_SKILL_NAME: Final = "ablation-planner"  # also the name of its folder, as the format of skills demands
_INSTALL: Final = "pip install 'ablation-planner[{0}]', or in a checkout pip install '.[{0}]'"


@command(epilog="Example: ablation-planner serve --model gpt-4o -o trajectories")
@output_option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="PORT",
    help="Port on this machine.  [default: a free port]",
)
@folder_option
@task_options
@model_options
@offline_option()
@add_log_options
def serve(port: int, output: Path, task: TaskOptions, model_spec: ModelSpec, offline: bool) -> None:
    """Serve a page on this machine, on which you read a paper, plan its ablations, edit the plan and export it.

    Prints the address of the page, with a secret token. Open this address in a browser. Ctrl-C ends the program once
    the replies in flight have arrived. The page writes the same files as `plan`, to the same folder.
    """
    if not (find_spec("starlette") and find_spec("uvicorn")):
        raise UsageError(f"serve needs two more packages: {_INSTALL.format('serve')}")
    raise SystemExit(asyncio.run(_serve(port, output, task, model_spec, offline)))


async def _serve(port: int, output: Path, task: TaskOptions, model_spec: ModelSpec, offline: bool) -> int:
    from planner.serve.app import PageApp
    from planner.serve.folder import PaperFolder
    from planner.serve.jobs import PerModelJobQueue
    from planner.serve.pages import PageDefaults
    from planner.serve.server import PageServer, open_loopback_socket

    stopped = asyncio.Event()
    async with create_isolated_reader(offline=offline) as reader:
        papers = PaperFolder(output, reader)
        queue = PerModelJobQueue(output, papers, offline=offline)
        app = PageApp(PageDefaults(output, model_spec, task.make_settings(), task.k, offline), papers, queue)
        server = PageServer(app.build_application(), open_loopback_socket(port))

        async def wait_for_end() -> None:
            await stopped.wait()
            await queue.stop_and_wait()

        click.echo(server.address)
        log.info("open this address in a browser; Ctrl-C ends the program")
        with closing(InterruptHandler(lambda _: stopped.set(), lambda: queue.is_sending)) as handler:
            with suppress(asyncio.CancelledError):  # the second signal
                await server.run_until(wait_for_end)
            return handler.exit_code


@command(epilog="Example: ablation-planner mcp papers --model gpt-4o")
@click.argument("folders", nargs=-1, metavar="FOLDER…", type=EXISTING_FOLDER)
@click.option("--root", "roots", multiple=True, type=EXISTING_FOLDER, metavar="FOLDER", help="The same as FOLDER.")
@task_options
@model_options
@folder_option
@offline_option()
@add_log_options
def mcp(
    folders: tuple[Path, ...],
    roots: tuple[Path, ...],
    task: TaskOptions,
    model_spec: ModelSpec,
    output: Path,
    offline: bool,
) -> None:
    """Serve tools over stdin and stdout to a client of the Model Context Protocol, such as a coding agent.

    The tools read the papers in each FOLDER, return prompts, check and save plans, and plan with the model of --model.
    They read nothing outside these folders and the output folder.
    """
    if not (named := (*folders, *roots)):
        raise UsageError("name the folders that the client may read, as in `ablation-planner mcp papers`")
    task.make_settings()  # settings that are wrong are refused before anything is served
    try:
        from planner.mcp import PlanTools, ReadableFolders, serve_tools  # an optional SDK, which takes 1 s to import
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise UsageError(f"mcp needs one more package: {_INSTALL.format('mcp')}") from None
    output, reader = output.resolve(), create_isolated_reader(offline=True)
    tools = PlanTools(ReadableFolders(named), output, reader, task.make_settings, model_spec, offline)
    log.info("reading papers in %s; writing plans to %s", tools.folders, output)
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.SIG_DFL)  # a thread waits for stdin, and only the system can end that
    asyncio.run(serve_tools(tools))


@command(epilog="Example: ablation-planner skill --to .claude/skills")
@click.option(
    "--to", "folder", type=FOLDER, help="Write the skill to this folder of skills, and print the path of its file."
)
def skill(folder: Path | None) -> None:
    """Print a skill: a file that tells a coding agent how to write plans with its own model, without a key."""
    text = (files("planner") / "skill" / "SKILL.md").read_text(encoding="utf-8")
    if folder is None:
        click.echo(text.encode(), nl=False)
        return
    path = (folder if folder.resolve().name == _SKILL_NAME else folder / _SKILL_NAME) / "SKILL.md"
    write_file_atomically(path, text)
    click.echo(make_printable(str(path)))
