"""A trial: the same papers planned in several ways, the arms; read from a TOML file, and made into runs."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from eval.offline import OFFLINE_JUDGE
from planner.batch.run_folder import RunFolder
from planner.batch.spec import EngineOptions, RunLimits, RunSpec
from planner.errors import UsageError
from planner.files import read_bounded_file
from planner.models.connect import EXTRACTIVE, ModelSpec
from planner.models.prompt_files import PromptFolders
from planner.names import sanitize_file_name
from planner.planning.first_prompt import PlanSettings
from planner.planning.strategies import STRATEGIES
from planner.schema import DEFAULT_K, Task, list_validation_faults

_MAX_TRIAL_BYTES: Final = 1_000_000
_MAX_K: Final = 50
_NUMBERED_KEY: Final = re.compile(r"\A(arm|judge)s\.(\d+)")


def _list_texts(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _check_name(name: str) -> str:
    if sanitize_file_name(name) != name:
        raise ValueError(f"{name!r} cannot be the name of a folder")
    return name


def _check_strategy(name: str) -> str:
    if name not in STRATEGIES:
        raise ValueError(f"there is no strategy {name!r}; there are {', '.join(STRATEGIES)}")
    return name


Texts = Annotated[tuple[str, ...], BeforeValidator(_list_texts)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _ModelTable(_Table):
    """A model and how it is asked, with the meanings of the options of `batch`; "" and None are not sent."""

    model: str = ""
    base_url: Texts = Field(default=(), validation_alias=AliasChoices("base_url", "endpoint"))
    reasoning_effort: str = ""
    temperature: float | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    price: str = ""

    @property
    def model_spec(self) -> ModelSpec:
        """The model for the program."""
        return ModelSpec(
            self.model,
            self.base_url,
            reasoning_effort=self.reasoning_effort,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            price=self.price,
        )


class Arm(_ModelTable):
    """A way to plan: a model with its prompts and settings, or a combination of the plans of other arms."""

    name: Annotated[str, BeforeValidator(_check_name)]
    prompts: Path | None = None
    strategy: Annotated[str, BeforeValidator(_check_strategy)] = "single"
    plain: bool = False
    min_chance: int | None = Field(default=None, ge=0, le=100)
    k: int | None = Field(default=None, ge=1, le=_MAX_K)
    combine: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        combined_keys = {"name", "combine", "min_chance", "k"}
        if self.combine and (other := sorted(self.model_fields_set - combined_keys)):
            raise ValueError(f"{other[0]}: an arm that combines others sends nothing, so it has no such key")
        if not self.combine and not self.model:
            raise ValueError(f"model: name one, {EXTRACTIVE!r} for the built-in planner, or use combine")
        return self

    def is_asked_like(self, other: Self) -> bool:
        """Return True if another arm's requests are some of this arm's: what they keep of a reply may differ."""
        same = {"name": "", "min_chance": None, "strategy": other.strategy}
        return other.strategy in (self.strategy, "single") and self.model_copy(update=same) == other.model_copy(
            update=same
        )


class JudgeTable(_ModelTable):
    """A judge: a model, or `offline` for the match rule applied to words."""

    model: Annotated[str, BeforeValidator(_check_name)]

    @property
    def is_offline(self) -> bool:
        """True for the judge that sends nothing."""
        return self.model == OFFLINE_JUDGE.asked


Judge = Annotated[JudgeTable, BeforeValidator(lambda value: {"model": value} if isinstance(value, str) else value)]


class Trial(_Table):
    """A trial: its arms, papers, gold and judges, and the limits that its requests share.

    `max_cost` is in USD, for all plans together; `rpm` and `tpm` are requests and tokens a minute.
    """

    task: Task = Task.REVIEWER
    papers: Texts = Field(min_length=1)
    gold: Path
    judges: tuple[Judge, ...] = Field(default=(JudgeTable(model=OFFLINE_JUDGE.asked),), min_length=1)
    arms: tuple[Arm, ...] = Field(min_length=1)
    concurrency: int = Field(default=32, ge=1, le=4096)
    rpm: float | None = Field(default=None, gt=0)
    tpm: float | None = Field(default=None, gt=0)
    max_cost: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for key, names in (("arms", [a.name for a in self.arms]), ("judges", [j.model for j in self.judges])):
            name, count = Counter(map(str.casefold, names)).most_common(1)[0]
            if count > 1:
                raise ValueError(f"{key}: {name!r} occurs twice")
        known = {arm.name for arm in self.model_arms}
        for arm in self.arms:
            if arm.combine and (len(set(arm.combine)) < 2 or not known >= set(arm.combine)):
                raise ValueError(f"arms: {arm.name}: combine: name two or more of {', '.join(sorted(known))}")
        return self

    @property
    def model_arms(self) -> tuple[Arm, ...]:
        """The arms that ask a model; those of strategy `single` first, since others can use their replies."""
        return tuple(sorted((a for a in self.arms if not a.combine), key=lambda arm: arm.strategy != "single"))

    def find_arm_asked_like(self, arm: Arm) -> Arm | None:
        """Return an earlier arm whose requests are also those of `arm`, None if there is none."""
        earlier = self.model_arms[: self.model_arms.index(arm)]
        return next((other for other in earlier if arm.is_asked_like(other)), None)


def read_trial(path: Path) -> Trial:
    """Read a trial; paths in it are relative to its folder.

    Raises:
        UsageError: if the file cannot be read, or is not a trial; the text names the file and the key.
    """
    try:
        trial = Trial.model_validate(tomllib.loads(read_bounded_file(path, _MAX_TRIAL_BYTES).decode("utf-8-sig")))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: is not TOML: {error}") from error
    except ValidationError as error:
        faults = (_NUMBERED_KEY.sub(_format_number, fault) for fault in list_validation_faults(error)[:3])
        raise UsageError(f"{path}: {'; '.join(faults)}") from error
    return _resolve_paths(trial, path.resolve().parent)


def _format_number(key: re.Match[str]) -> str:
    """Return the place of a table in the file, such as "arm 2", counted from 1."""
    return f"{key[1]} {int(key[2]) + 1}"


def build_run_spec(trial: Trial, arm: Arm, output: Path, folders: PromptFolders) -> RunSpec:
    """Return the run of an arm that asks a model."""
    settings = PlanSettings(
        trial.task,
        arm.k or DEFAULT_K[trial.task],
        templates=arm.prompts,
        strategy=arm.strategy,
        plain=arm.plain,
        min_chance=arm.min_chance,
    )
    return RunSpec(
        locate_run(output, arm),
        (arm.model_spec,),
        settings,
        RunLimits(trial.concurrency, trial.rpm, trial.tpm, trial.max_cost),
        trial.papers,
        EngineOptions("local"),
        prompt_folders=PromptFolders() if arm.model == EXTRACTIVE else folders,
    )


def locate_run(output: Path, arm: Arm) -> RunFolder:
    """Return the folder with the run of an arm."""
    return RunFolder(output / "arms" / arm.name)


def locate_judged_runs(output: Path, judge: JudgeTable) -> Path:
    """Return the folder with a judge's replies, and the judged run of each arm."""
    return output / "judged" / judge.model


def _resolve_paths(trial: Trial, folder: Path) -> Trial:
    arms = tuple(arm.model_copy(update={"prompts": folder / arm.prompts}) if arm.prompts else arm for arm in trial.arms)
    papers = tuple(_resolve_sources(trial.papers, folder))
    return trial.model_copy(update={"arms": arms, "papers": papers, "gold": folder / trial.gold})


def _resolve_sources(sources: tuple[str, ...], folder: Path) -> Iterator[str]:
    """Yield each source, joined to the folder if it is a path or a pattern there and no arXiv id."""
    for source in sources:
        path = folder / source
        yield str(path) if path.exists() or any(sign in source for sign in "*?[") else source
