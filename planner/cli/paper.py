"""The commands `prompt` and `paper`, and functions that read the papers on the command line."""

import asyncio
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from planner.chat import TokenCounter
from planner.cli.command import choose_wrap_width, command, shorten_middle, wrap_with_hanging_indents
from planner.cli.options import (
    MetadataOptions,
    TaskOptions,
    complete_path,
    create_cached_arxiv_client,
    metadata_options,
    output_option,
    task_options,
)
from planner.cli.terminal.console import add_log_options, log, log_omission_summary, print_json
from planner.details import ReportedStudy, format_approximate_number
from planner.errors import PaperError, UsageError
from planner.files import path_exists, read_bounded_file, read_stdin
from planner.names import build_paper_id, parse_arxiv_id
from planner.papers.arxiv import ArxivClient
from planner.papers.paper import Excerpt, Paper, Section
from planner.papers.sources import MAX_FILE_BYTES, FileFormat, detect_file_format
from planner.planning.first_prompt import (
    PaperPrompt,
    PlanSettings,
    build_prompt,
    describe_paper_as_dict,
    select_excerpt,
)
from planner.reading.process import IsolatedReader
from planner.reading.request import READ_LIMITS, ReadRequest
from planner.sanitize import make_printable, remove_unsafe_characters

_PAGE_WIDTH: Final = 100
_MAX_SHORT_TEXT: Final = 200_000  # bytes of a text that is read without a separate process
_SHORT_TEXT_KINDS: Final = (FileFormat.TEXT, FileFormat.MARKDOWN, FileFormat.EMPTY, FileFormat.OTHER)


def is_missing_path(source: str) -> bool:
    """Return whether a source is the path of a file or folder that does not exist."""
    if source == "-" or "://" in source or parse_arxiv_id(source):
        return False
    return not (source and path_exists(source))


def create_isolated_reader(*, offline: bool) -> IsolatedReader:
    """Return a reader that reads papers in a separate process."""
    return IsolatedReader(create_cached_arxiv_client(offline=offline))


async def read_named_paper(source: str, metadata: MetadataOptions, reader: IsolatedReader) -> Paper:
    """Read the paper that the user named. Anything but a short text is read in a separate process.

    Raises:
        PaperError: if the paper cannot be read.
    """
    title, abstract, paper_id = map(remove_unsafe_characters, (metadata.title, metadata.abstract, metadata.paper_id))
    data = _read_stdin() if source == "-" else await _fetch_paper(source, metadata)
    paper_id = build_paper_id("", given_id=paper_id) if paper_id.strip() else ""
    request = ReadRequest(source, data, title, abstract, paper_id, keep_paper=True)
    return _read_short_text(request) or await reader.load_paper(request)


async def _fetch_paper(source: str, metadata: MetadataOptions) -> bytes | None:
    """Return the content of a web address. For any other source, or if `--fetch` is not given, return None."""
    if "://" not in source or parse_arxiv_id(source) or not metadata.fetch:
        return None
    if metadata.offline:
        raise PaperError(f"{source}: cannot be downloaded with --offline")
    from planner.reading.fetch import PaperFetcher, find_pdf_address  # imports an HTTP client

    data = await PaperFetcher().fetch_content(source)
    if address := find_pdf_address(data):
        log.warning("%s: this web page links to a PDF of the paper; to read the PDF, give %s", source, address)
    return data


def read_command_paper(source: str, metadata: MetadataOptions) -> Paper:
    """Read the only paper of a command, as `read_named_paper` does.

    Raises:
        UsageError: if the source does not exist.
    """
    if is_missing_path(source):
        raise UsageError(f"{source}: no such file or folder")

    async def read() -> Paper:
        async with create_isolated_reader(offline=metadata.offline) as reader:
            return await read_named_paper(source, metadata, reader)

    return asyncio.run(read())


def _read_stdin() -> bytes:
    try:
        return read_stdin(MAX_FILE_BYTES)
    except OSError as error:
        raise PaperError(
            f"stdin cannot be read: {error.strerror}; pipe one paper and nothing else into the command"
        ) from None


def _read_short_text(request: ReadRequest) -> Paper | None:
    """Read a text file in this process. Return None if the source is too long, or is not a text file."""
    data = request.data
    try:
        data = read_bounded_file(Path(request.source), _MAX_SHORT_TEXT) if data is None else data
    except (OSError, ValueError):
        return None
    if len(data) > _MAX_SHORT_TEXT or detect_file_format(data, request.source_name) not in _SHORT_TEXT_KINDS:
        return None
    from planner.reading.worker import read_paper_with_prompts

    return read_paper_with_prompts(request, ArxivClient(offline=True), READ_LIMITS).paper


@command(epilog="Example: ablation-planner prompt paper.pdf --to text > prompt.txt")
@click.argument("source", metavar="PAPER", shell_complete=complete_path)
@output_option("--to", "form", type=click.Choice(("json", "text")), default="json", show_default=True, help="Format.")
@metadata_options
@task_options
@add_log_options
def prompt(source: str, form: str, metadata: MetadataOptions, task: TaskOptions) -> None:
    """Print the exact messages that `plan` would send, and send nothing.

    Paste them into any chat window, then give the reply to `parse`.
    """
    counter = TokenCounter()
    paper_prompt = build_prompt(read_command_paper(source, metadata), task.make_settings(), counter)
    _log_excerpt(paper_prompt)
    log.info("%s tokens", format_approximate_number(counter.count_prompt(paper_prompt.prompt)))
    rendered = paper_prompt.prompt
    if form == "text":
        click.echo("\n\n".join(message.content for message in rendered.messages).encode())
        return
    messages = [asdict(message) for message in rendered.messages]
    print_json({"messages": messages, "sha256": rendered.sha256})


@command(epilog="Example: ablation-planner paper paper.pdf --to json")
@click.argument("source", metavar="PAPER", shell_complete=complete_path)
@output_option(
    "--to", "form", type=click.Choice(("page", "json", "text")), default="page", show_default=True, help="Format."
)
@metadata_options
@task_options
@add_log_options
def paper(source: str, form: str, metadata: MetadataOptions, task: TaskOptions) -> None:
    """Show what is read from a paper: title, abstract, sections, sizes, warnings, and parts that `plan` leaves out."""
    settings = task.make_settings()
    read = read_command_paper(source, metadata)
    if form == "text":
        sent = select_excerpt(read, settings, TokenCounter())
        _log_excerpt(sent)
        click.echo(sent.full_text.encode())
        return
    understood = describe_paper_as_dict(read, settings)
    if form == "json":
        print_json(understood)
    else:
        click.echo(make_printable(_format_page(read, settings, understood)))


def _log_excerpt(excerpt: Excerpt | PaperPrompt) -> None:
    log_omission_summary(excerpt.omissions)
    for warning in excerpt.warnings:
        log.warning("%s", warning)


def _format_page(paper: Paper, settings: PlanSettings, description: dict[str, Any]) -> str:
    """Return a paper and its description as text for a terminal."""
    width, file = choose_wrap_width(sys.stdout), f", {paper.format} {paper.main_file}".rstrip()
    paper_id = shorten_middle(paper.id, width and width - len("id ") - len(file))
    abstract = " ".join(paper.abstract.split()) or "(no abstract found)"
    abstract = textwrap.fill(abstract, width or _PAGE_WIDTH, break_on_hyphens=not width)
    size, tokens = format_approximate_number(description["tokens"]), description["prompt_tokens"]
    prompt_size = "none" if tokens is None else f"{format_approximate_number(tokens)} tokens"
    omissions = (f"{each['heading']}, {each['chars']:,} characters: {each['why']}" for each in description["left_out"])
    reported = (ReportedStudy(name=e["ablated_part"], section=e["heading"]) for e in description["reported_ablations"])
    page = "\n\n".join(
        (
            f"{paper.title or '(no title found)'}\nid {paper_id}{file}",
            abstract,
            _format_list(f"Sections, {size} tokens", map(_format_section, paper.sections)),
            f"Prompt of the {settings.task} task: {prompt_size}",
            _format_list(f"Left out in the {settings.task} task", omissions),
            _format_list("Components that the method names", (c["name"] for c in description["components"])),
            _format_list("Already reported by the paper", map(str, reported)),
            _format_list("Metrics", (m["name"] for m in description["metrics"])),
            _format_list("Warnings", description["warnings"]),
        )
    )
    return wrap_with_hanging_indents(page, width)


def _format_list(heading: str, lines: Iterable[str]) -> str:
    return f"{heading}:" + ("".join(f"\n  {line}" for line in lines) or " none")


def _format_section(section: Section) -> str:
    page = f", page {section.page}" if section.page else ""
    heading = section.display_heading
    return f"{'  ' * max(0, section.level - 1)}{heading}  [{section.kind}, {len(section.text):,} characters{page}]"
