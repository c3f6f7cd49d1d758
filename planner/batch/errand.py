"""The requests to a reader process and its results: papers, and the prompts about them, ready to be sent."""

import struct
from dataclasses import dataclass
from typing import Final

from planner.batch.entry import Entry
from planner.errors import PaperError, PlannerError
from planner.gauge import Gauge
from planner.papers.paper import Paper, PaperHead
from planner.posing import Question, Settings, pose

# Requests and results are sent pickled, each after its length in four bytes.
LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Posing:
    """The settings and the token counter for building one prompt about a paper."""

    settings: Settings
    gauge: Gauge


@dataclass(frozen=True, slots=True)
class Errand:
    """A request to read a paper and build the prompts about it.

    `whole` asks for the paper itself too, which the built-in planner needs.
    """

    entry: Entry
    posings: tuple[Posing, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Posed:
    """A paper that was read: a prompt or an error for each prompt request, and the paper itself if requested."""

    head: PaperHead
    questions: tuple[Question | PlannerError, ...]
    paper: Paper | None = None


# The result of a read request.
Answer = Posed | PaperError


def posed(errand: Errand, paper: Paper) -> Posed:
    """Build the prompts about a paper that a read request asks for."""
    questions = tuple(_question(paper, posing) for posing in errand.posings)
    return Posed(paper.head, questions, paper if errand.whole else None)


def _question(paper: Paper, posing: Posing) -> Question | PlannerError:
    try:
        return pose(paper, posing.settings, posing.gauge)
    except PlannerError as error:
        return error
