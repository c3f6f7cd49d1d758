"""Read and write a judge's verdicts in AblationBench's files: `<id>.jsonl`, one verdict on each line."""

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from eval.tables import TableError, parse_json_lines, read_text
from planner.files import write_file_atomically
from planner.names import sanitize_file_name
from planner.schema import Task, list_validation_faults


def _parse_names(value: Any) -> Any:
    """Return a name, a list of names or null as a tuple of unique names; return any other value unchanged."""
    if value is None or value == "":
        return ()
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(dict.fromkeys(value))
    return (value,) if isinstance(value, str) else value


class AuthorVerdict(BaseModel):
    """A verdict on one ablation of the paper: the names of the plan's ablations that match it, empty if none does."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name_in_paper: str = Field(min_length=1)
    name_in_plan: Annotated[tuple[str, ...], BeforeValidator(_parse_names)] = ()

    @property
    def judged_name(self) -> str:
        """The name of the ablation that the verdict is on."""
        return self.name_in_paper

    @property
    def is_positive(self) -> bool:
        """True if an ablation of the plan matches."""
        return bool(self.name_in_plan)

    def to_published(self) -> dict[str, Any]:
        """Return the verdict in AblationBench's format."""
        names = list(self.name_in_plan)
        return {
            "name_in_paper": self.name_in_paper,
            "name_in_plan": names if len(names) > 1 else next(iter(names), None),
        }


class ReviewerVerdict(BaseModel):
    """A verdict on one ablation of the plan: `appears_in_review` is True if a review asks for it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name_in_plan: str = Field(min_length=1)
    appears_in_review: bool = False

    @property
    def judged_name(self) -> str:
        """The name of the ablation that the verdict is on."""
        return self.name_in_plan

    @property
    def is_positive(self) -> bool:
        """True if a review asks for the ablation."""
        return self.appears_in_review

    def to_published(self) -> dict[str, Any]:
        """Return the verdict in AblationBench's format."""
        return {"name_in_plan": self.name_in_plan, "appears_in_review": self.appears_in_review}


Verdict = AuthorVerdict | ReviewerVerdict
_Verdict = TypeVar("_Verdict", AuthorVerdict, ReviewerVerdict)


def build_verdict_path(folder: Path, paper_id: str) -> Path:
    """Return the path of a paper's verdicts; the id `model/paper` gives a file in a folder, as published."""
    *folders, name = map(sanitize_file_name, paper_id.split("/"))
    return folder / PurePosixPath(*folders, f"{name}.jsonl")


def read_author_verdicts(path: Path) -> tuple[AuthorVerdict, ...]:
    """Read the verdicts on one paper of the author task.

    Raises:
        TableError: if a line is not such a verdict.
    """
    return tuple(_read_verdicts(path, AuthorVerdict))


def read_reviewer_verdicts(path: Path) -> tuple[ReviewerVerdict, ...]:
    """Read the verdicts on one paper of the reviewer task.

    Raises:
        TableError: if a line is not such a verdict.
    """
    return tuple(_read_verdicts(path, ReviewerVerdict))


def detect_verdict_task(path: Path) -> Task | None:
    """Return the task of a file of verdicts, None if the file holds no verdict."""
    for _, value in parse_json_lines(read_text(path), str(path)):
        if isinstance(value, dict):
            return Task.AUTHOR if "name_in_paper" in value else Task.REVIEWER
    return None


def write_verdicts(path: Path, verdicts: Iterable[Verdict]) -> None:
    """Write verdicts to a file in AblationBench's format, in order; the file is written atomically."""
    lines = [json.dumps(verdict.to_published(), ensure_ascii=False) + "\n" for verdict in verdicts]
    write_file_atomically(path, "".join(lines))


def _read_verdicts(path: Path, kind: type[_Verdict]) -> Iterable[_Verdict]:
    for number, value in parse_json_lines(read_text(path), str(path)):
        try:
            yield kind.model_validate(value)
        except ValidationError as error:
            raise TableError(f"{path}: line {number}: {'; '.join(list_validation_faults(error))}") from error
