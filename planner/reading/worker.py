"""Read papers in a separate process, which gets requests on stdin and writes results to stdout.

`planner.reading.process` starts the process as a new Python program. A fork would share the locks and sockets of the
main program, and `multiprocessing` would import the whole command line.
"""

import contextlib
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from planner.analysis.analyse import index_paper_for_check
from planner.analysis.passages import PaperIndex
from planner.errors import PaperError, PlannerError
from planner.papers.arxiv import ArxivClient
from planner.papers.load import load_paper
from planner.papers.paper import Paper
from planner.planning.first_prompt import PaperPrompt, build_prompt
from planner.reading.request import (
    DOWNLOAD_BEGINS,
    DOWNLOAD_ENDS,
    REQUEST_SIZES,
    RESULT_SIZE,
    PromptRequest,
    ReadLimits,
    ReadRequest,
    ReadResult,
    decode_request,
    encode_error,
    encode_result,
)
from planner.schema import Task

_PIPE_BYTES: Final = 1 << 19
_BEGINNING_CHARS: Final = 100  # characters at the beginning of an excerpt, by which it is found in its prompt

# A function that loads the paper of a request; it downloads papers with the client.
PaperLoader = Callable[[ReadRequest, ArxivClient], Paper]


def _load_requested_paper(request: ReadRequest, arxiv: ArxivClient) -> Paper:
    """Return the paper that a request names; raise `PaperError` if it cannot be read."""
    paper = load_paper(request.source, title=request.title, abstract=request.abstract, stdin=request.data, arxiv=arxiv)
    return replace(paper, id=request.paper_id or paper.id)


def read_paper_with_prompts(
    request: ReadRequest, arxiv: ArxivClient, limits: ReadLimits, load: PaperLoader = _load_requested_paper
) -> ReadResult:
    """Read a paper in this process and build its prompts; raise `PaperError` if the paper cannot be read."""
    try:
        paper = load(request, arxiv)
        prompts = tuple(_build_prompt_or_error(paper, prompt) for prompt in request.prompts)
        first = next((each for each in prompts if isinstance(each, PaperPrompt)), None)
        index = _index_paper(paper, request.prompts[0].settings.task, first) if first else None
        return ReadResult(paper.info, prompts, paper if request.keep_paper else None, index)
    except MemoryError:
        raise PaperError(limits.describe_memory_excess(request.source_name)) from None
    except RecursionError:
        message = f"{request.source_name!r} is nested too deeply to be read; convert it to another format"
        raise PaperError(message) from None


def _index_paper(paper: Paper, task: Task, paper_prompt: PaperPrompt) -> PaperIndex:
    """Return the index of a paper, without the text that can be restored from the prompt."""
    assert paper_prompt.excerpt is not None, "the prompt was built in this process"
    prompt, index = paper_prompt.prompt.messages[-1].content, index_paper_for_check(paper, task, paper_prompt.excerpt)
    start = prompt.find(paper_prompt.excerpt.text[:_BEGINNING_CHARS])  # to find all of it would take far longer
    smaller = index.omit_excerpt(max(start, 0))
    return smaller if smaller.restore_excerpt(prompt) == index else index


def _build_prompt_or_error(paper: Paper, request: PromptRequest) -> PaperPrompt | PlannerError:
    try:
        return build_prompt(paper, request.settings, request.token_counter)
    except PlannerError as error:
        return error


def serve_read_requests(arguments: list[str], load: PaperLoader = _load_requested_paper) -> None:
    """Read requests from stdin, and write results to stdout.

    `arguments` are three texts: the settings for arXiv as JSON, the cache folder, and the limits as JSON.
    """
    access, cache, limits_json = arguments
    limits = ReadLimits(**json.loads(limits_json))
    # Ctrl-C reaches the whole process group, but the program decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A paper has about ten thousand objects and hardly any cycles, and searching for cycles took a sixth of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()
    # The program may be killed, so that nothing reads the results.
    with contextlib.suppress(BrokenPipeError), os.fdopen(os.dup(sys.stdout.fileno()), "wb") as results:
        _enlarge_pipe(results)
        # Text that a library prints must not get between the results, nor block this process by filling the pipe.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        os.set_blocking(sys.stderr.fileno(), False)
        arxiv = ArxivClient(
            **json.loads(access),
            cache=Path(cache) if cache else None,
            make_download_context=partial(_lift_limits, limits, results),
        )
        _send(results, RESULT_SIZE.pack(DOWNLOAD_ENDS))
        while (request := _receive_request(sys.stdin.buffer)) is not None:
            _set_process_limits(limits)
            try:
                answer = encode_result(read_paper_with_prompts(request, arxiv, limits, load))
            except PaperError as error:
                answer = encode_error(error)
            _send(results, answer)


def _enlarge_pipe(results: BinaryIO) -> None:
    """Enlarge the pipe to the main program, so that a whole result fits in. Only Linux can do this."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # the user already has too many large pipes
            fcntl.fcntl(results, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _send(results: BinaryIO, data: bytes) -> None:
    results.write(data)
    results.flush()


def _receive_request(stdin: BinaryIO) -> ReadRequest | None:
    sizes = stdin.read(REQUEST_SIZES.size)
    if len(sizes) < REQUEST_SIZES.size:
        return None
    text_size, data_size = REQUEST_SIZES.unpack(sizes)
    return decode_request(stdin.read(text_size), stdin.read(data_size))


@contextlib.contextmanager
def _lift_limits(limits: ReadLimits, results: BinaryIO) -> Iterator[None]:
    """Lift the limits on time and on written bytes during a download."""
    _send(results, RESULT_SIZE.pack(DOWNLOAD_BEGINS))
    _set_process_limits(limits, is_downloading=True)
    try:
        yield
    finally:
        _set_process_limits(limits)
        _send(results, RESULT_SIZE.pack(DOWNLOAD_ENDS))


def _set_process_limits(limits: ReadLimits, *, is_downloading: bool = False) -> None:
    """Set the limits on memory, CPU time and written bytes for one paper; Windows has no such limits."""
    if sys.platform == "win32":
        return
    import resource

    for kind, limit in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, None if is_downloading else int(time.process_time()) + 1 + limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, None if is_downloading else limits.file_bytes),
    ):
        hard = resource.getrlimit(kind)[1]
        with contextlib.suppress(ValueError, OSError):  # macOS does not limit the address space
            resource.setrlimit(kind, (hard if limit is None else limit, hard))
