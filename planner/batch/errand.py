"""What a worker is sent for, and what it brings back: the questions about a paper, ready to be sent."""

import struct
from dataclasses import dataclass
from typing import Final

from planner.batch.entry import Entry
from planner.errors import PaperError, PlannerError
from planner.gauge import Gauge
from planner.papers.paper import Paper, PaperHead
from planner.posing import Question, Settings, pose

# Errands and answers are sent pickled, each after its length in four bytes.
LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Posing:
    """How a question about a paper is to be posed."""

    settings: Settings
    gauge: Gauge


@dataclass(frozen=True, slots=True)
class Errand:
    """A paper to be read, and the questions to be posed about it.

    `whole` says that the paper itself is wanted too: the built-in planner reads it.
    """

    entry: Entry
    posings: tuple[Posing, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Posed:
    """A paper that was read, and for each posing of the errand the question, or why there is none."""

    head: PaperHead
    questions: tuple[Question | PlannerError, ...]
    paper: Paper | None = None


# What comes of an errand.
Answer = Posed | PaperError


def posed(errand: Errand, paper: Paper) -> Posed:
    """A paper with its questions."""
    questions = tuple(_question(paper, posing) for posing in errand.posings)
    return Posed(paper.head, questions, paper if errand.whole else None)


def _question(paper: Paper, posing: Posing) -> Question | PlannerError:
    try:
        return pose(paper, posing.settings, posing.gauge)
    except PlannerError as error:
        return error
