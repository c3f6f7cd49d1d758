"""The page on security: its table has the bounds of the code, and names modules and tests that exist."""

import inspect
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest

from tests.commands import commands
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "security.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = [
    line.strip("| ").split(" | ") for line in TEXT.partition("| what is read |")[2].split("\n\n")[0].splitlines()[2:]
]
MB, MIB = 1_000_000, 1024 * 1024


def read(path: str) -> Any:
    """Return a constant of the code, "module:NAME" or "module:NAME.field"."""
    module, _, names = path.partition(":")
    value: Any = import_module(module)
    for name in names.split("."):
        value = getattr(value, name)
    return value


def count(path: str, unit: int = 1) -> str:
    value = read(path) / unit
    assert value == int(value), path
    return f"{int(value):,}"


def read_default(function: Any, name: str) -> str:
    return f"{inspect.signature(function).parameters[name].default:,}"


def list_header_bounds() -> str:
    aiohttp = pytest.importorskip("aiohttp")
    size = read_default(aiohttp.ClientSession.__init__, "max_field_size")
    own = count("planner.models.openai_chat.transport:MAX_HEADERS")
    assert own == read_default(aiohttp.ClientSession.__init__, "max_headers")
    whole = count("httpcore2._async.http11:AsyncHTTP11Connection.MAX_INCOMPLETE_EVENT_SIZE")
    return f"{own}, of {size} bytes each with the extra `fast`, of {whole} bytes in all without"


def list_archive_bounds() -> str:
    module = "planner.papers.archive"
    unpacked, kept = (count(f"{module}:MAX_{name}_BYTES", MB) for name in ("UNPACKED", "KEPT"))
    return (
        f"{count(f'{module}:MAX_MEMBERS')} members, {unpacked} MB unpacked, {kept} MB of them kept, "
        f"{count(f'{module}:MAX_UNPACKED_RATIO')} times its size, {count(f'{module}:MAX_DEPTH')} levels of folders, "
        f"names of {count(f'{module}:MAX_PATH_CHARS')} characters"
    )


def read_option(name: str) -> str:
    option = next(p for p in commands()["plan"].params if f"--{name}" in p.opts)
    return f"`--{name}`, {option.default:.0f} s"


def list_bounds() -> Mapping[str, str]:
    """Return the bound of each row, from the code."""
    pause, limits = "planner.batch.rate_limit", "planner.reading.request:READ_LIMITS"
    fetch = "planner.reading.fetch"
    levels = count("planner.files:MAX_FOLDER_DEPTH")
    return {
        "a reply over HTTP, or a line of a result file": (
            f"{count('planner.models.openai_chat.stream:MAX_REPLY_BYTES', MIB)} MiB"
        ),
        "a stream without a token": f"{read_option('timeout')}; comments and white space are no tokens",
        "a whole reply, however it drips": (
            f"{count('planner.models.openai_chat.transport:MAX_REPLY_SECONDS')} s, or `--timeout` if that is longer"
        ),
        "the body of an error": f"{count('planner.models.openai_chat.transport:MAX_ERROR_BYTES', MIB)} MiB",
        "headers of a response": list_header_bounds(),
        "values of JSON in a response": (
            f"{count('planner.models.openai_chat.stream:MAX_JSON_VALUES')}; of a stream those that it adds to the reply"
        ),
        "levels of JSON in a response": count("planner.models.openai_chat.stream:MAX_JSON_DEPTH"),
        "waits for one paper, those for others included": read_option("max-wait"),
        "a pause after a 429 that names none": (
            f"{count(f'{pause}:_FIRST_PAUSE_SECONDS')} s, doubled with each refusal in a row up to "
            f"{count(f'{pause}:_MAX_PAUSE_SECONDS')} s, and never over `--max-wait`"
        ),
        "the text of a reply, and its reasoning": f"{count('planner.parsing.reply:MAX_REPLY_CHARS')} characters each",
        "an ablation in a reply": f"{count('planner.parsing.ablations:_MAX_ABLATION_CHARS')} characters",
        "pieces of a reply's predictions": (
            f"{count('planner.parsing.predictions:_MAX_PIECES')}; "
            f"{count('planner.parsing.predictions:_MAX_NOTES')} notes about them are kept"
        ),
        "characters of markup in one text": count("planner.trajectory.escape:_MAX_MARKS"),
        "reading one paper, in a process of its own": (
            f"{count(f'{limits}.seconds')} s and {count(f'{limits}.memory_bytes', 1000 * MB)} GB"
        ),
        "a PDF or an archive, also on stdin": f"{count('planner.papers.load:MAX_FILE_BYTES', MB)} MB",
        "a text file of a paper": f"{count('planner.papers.characters:MAX_TEXT_BYTES', MB)} MB",
        "the text of a paper": (
            f"{count('planner.papers.load:MIN_CHARACTERS')} to {count('planner.papers.load:MAX_CHARACTERS')} characters"
        ),
        "an archive": list_archive_bounds(),
        "the folder of a paper": f"{count('planner.papers.sources:MAX_FILES')} entries, {levels} levels",
        "folders that are searched for papers or plans": f"{levels} levels",
        "a download from arXiv": (
            f"{count('planner.papers.arxiv:_MAX_BODY_BYTES', MB)} MB in "
            f"{count('planner.papers.arxiv:_MAX_BODY_SECONDS')} s"
        ),
        "a paper at an address, with `--fetch`": (
            f"{count(f'{fetch}:MAX_FETCHED_BYTES', MB)} MB in {count(f'{fetch}:MAX_FETCH_SECONDS')} s, "
            f"{count(f'{fetch}:MAX_REDIRECTS')} redirects"
        ),
        "a settings file": f"{count('planner.cli.settings:MAX_SETTINGS_BYTES')} bytes",
        "a list of papers on stdin": f"{count('planner.batch.manifest:MAX_STDIN_LIST_BYTES', MB)} MB",
        "a list of papers in a text file": f"{count('planner.batch.corpus:_MAX_LIST_BYTES', MB)} MB",
        "a manifest: JSONL, CSV": f"{count('planner.batch.manifest:MAX_MANIFEST_BYTES', 1000 * MB)} GB",
        "a reply given to `parse`": f"{count('planner.models.prompt_files:MAX_REPLY_BYTES', MB)} MB",
        "a record": (
            f"{count('planner.planning.record:MAX_RECORD_BYTES', MIB)} MiB, and "
            f"{count('planner.planning.record:MAX_STORED_VALUES')} values of JSON"
        ),
        "a trajectory": f"{count('planner.trajectory.reader:MAX_TRAJECTORY_BYTES', MIB)} MiB",
        "a template of `--prompts`": f"{count('planner.planning.prompts:_MAX_TEMPLATE_BYTES', MB)} MB",
        "a file for `eval`": f"{count('eval.tables:MAX_TABLE_BYTES', MB)} MB",
        "a title, a heading or a name that is shown": f"{count('planner.sanitize:MAX_NAME_CHARS')} characters",
        "a name of a file that is written": f"{count('planner.names:MAX_FILE_NAME_BYTES')} bytes",
        "links in a row, when a file may be a device": count("planner.files:_MAX_LINKS"),
    }


def test_each_row_of_the_table_has_the_bound_of_the_code() -> None:
    assert {row[0]: row[1] for row in ROWS} == dict(list_bounds())


def test_the_page_leads_to_modules_and_tests_that_exist() -> None:
    named = re.findall(r"`((?:planner|eval|tests)/[^`]+)`", TEXT)
    assert len(named) >= 2 * len(ROWS)
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_what_the_page_says_of_masks_is_so() -> None:
    assert f"fewer than {count('planner.masking:MIN_SECRET_LENGTH')} characters" in TEXT
    assert f"fewer than {count('planner.masking:_MAX_WORD_LENGTH')} letters" in TEXT
