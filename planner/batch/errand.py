"""The requests to a reader process and its results: papers, and the prompts about them, ready to be sent."""

import struct
from dataclasses import dataclass
from typing import Final

from planner.batch.manifest import CorpusEntry
from planner.errors import PaperError, PlannerError
from planner.papers.paper import Paper, PaperInfo
from planner.planning.question import PaperPrompt, PlanSettings, build_prompt
from planner.tokens import TokenCounter

# Requests and results are sent pickled, each after its length in four bytes.
LENGTH_PREFIX: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """The settings and the token counter for building one prompt about a paper."""

    settings: PlanSettings
    token_counter: TokenCounter


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A request to read a paper and build the prompts about it.

    `keep_paper` asks for the paper itself too, which the built-in planner needs.
    """

    entry: CorpusEntry
    prompts: tuple[PromptRequest, ...]
    keep_paper: bool = False


@dataclass(frozen=True, slots=True)
class ReadResult:
    """A paper that was read: a prompt or an error for each prompt request, and the paper itself if requested."""

    info: PaperInfo
    prompts: tuple[PaperPrompt | PlannerError, ...]
    paper: Paper | None = None


# The result of a read request.
ReadResultOrError = ReadResult | PaperError


def build_read_result(request: ReadRequest, paper: Paper) -> ReadResult:
    """Build the prompts about a paper that a read request asks for."""
    questions = tuple(_build_prompt_or_error(paper, posing) for posing in request.prompts)
    return ReadResult(paper.info, questions, paper if request.keep_paper else None)


def _build_prompt_or_error(paper: Paper, prompt_request: PromptRequest) -> PaperPrompt | PlannerError:
    try:
        return build_prompt(paper, prompt_request.settings, prompt_request.token_counter)
    except PlannerError as error:
        return error
