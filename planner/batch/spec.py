"""Define the options of a `batch` command, save them in the ledger, and describe the job for an engine."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter, ValidationError

from planner.batch.cluster.merge import list_unmerged_shards
from planner.batch.ledger.schema import query_ledger
from planner.batch.ledger.store import LedgerModel
from planner.batch.manifest import Corpus
from planner.batch.run_folder import RunFolder, Shard
from planner.chat import Model, ModelInfo
from planner.errors import RunError, UsageError
from planner.models.connect import EXTRACTIVE, ModelClient, ModelSpec
from planner.models.openai_chat.endpoint import resolve_endpoint
from planner.models.prompt_files import PromptFolders
from planner.models.wrappers import RetryPolicy
from planner.papers.paper import Paper
from planner.planning.first_prompt import PlanSettings

if TYPE_CHECKING:
    from planner.reading.process import ReaderFactory  # imports what reads papers

log = logging.getLogger(__name__)

# Tokens that hardly any reply exceeds: the assumed length of a reply that has no cap.
ASSUMED_REPLY_TOKENS: Final = 16_384
RUN_SPEC_KEY: Final = "call"
BATCH_SERVICE_ENGINE: Final = "openai-batch"
RAY_ENGINE: Final = "ray"
LOCAL_CLUSTER: Final = "local"
# The settings of prompts that settings files may change.
PROMPT_SETTINGS: Final = ("task", "k", "strategy", "templates", "window")
# With 30 % of all requests failing, one paper in 15,000 is given up.
_MAX_ATTEMPTS: Final = 8
ENGINES: Final = ("local", BATCH_SERVICE_ENGINE, RAY_ENGINE)


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The limits of a command: `rpm` and `tpm` are per minute, `max_cost` is in USD, and None means no limit."""

    concurrency: int
    rpm: float | None = None
    tpm: float | None = None
    max_cost: float | None = None
    max_papers: int | None = None


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The engine of a command: its name, and the address of the Ray cluster ("" for other engines)."""

    engine: str
    ray_address: str = ""


@dataclass(frozen=True, slots=True)
class BatchServiceOptions:
    """Options for a batch service.

    With `submit_only` the command does not wait for the results. With `finish_live` a request that the service leaves
    unanswered is sent directly. With `prepare` the command records the papers and sends nothing. `poll` is the pause
    between two checks in seconds, None for pauses that grow.
    """

    submit_only: bool = False
    finish_live: bool = False
    prepare: bool = False
    poll: float | None = None


@dataclass(frozen=True, slots=True)
class RunSpec:
    """The options of `batch` or of a command that continues a run.

    If `sources` is empty, the papers of the run are used. The models differ only in name, address, key and price. With
    `prompt_folders`, prompts and replies are exchanged as files. Paths are relative to `base_folder`. If
    `sends_requests` is false, the command sends nothing and needs no key. `unset_fields` holds the names of the fields
    that neither the command line nor the environment sets. `uses_settings_file` is true if a settings file sets one of
    these fields. `command_words` are the words of the command line without secrets.
    """

    run: RunFolder
    models: tuple[ModelSpec, ...]
    settings: PlanSettings
    limits: RunLimits
    sources: tuple[str, ...] = ()
    engine: EngineOptions = EngineOptions(BATCH_SERVICE_ENGINE)
    shard: Shard | None = None
    submission: BatchServiceOptions = BatchServiceOptions()
    offline: bool = False
    retry_failed: bool = False
    prompt_folders: PromptFolders = field(default_factory=PromptFolders)
    base_folder: Path = field(default_factory=Path.cwd)
    sends_requests: bool = True
    unset_fields: frozenset[str] = frozenset()
    uses_settings_file: bool = False
    command_words: tuple[str, ...] = ()

    @property
    def uses_batch_service(self) -> bool:
        """True if the requests go to a batch service."""
        return self.engine.engine == BATCH_SERVICE_ENGINE

    @property
    def max_reply_tokens(self) -> int | None:
        """The most tokens that a reply may have, None if the cost is not limited."""
        return None if self.limits.max_cost is None else self.models[0].max_tokens or ASSUMED_REPLY_TOKENS


@dataclass(frozen=True, slots=True)
class _SavedModel:
    """The saved price and key of one model; the other options are the same for all models of a run."""

    price: str
    key_variable: str | None = None


@dataclass(frozen=True, slots=True)
class _SavedRunSpec:
    """The options of a command as the ledger saves them; `endpoints` holds the addresses by model."""

    folder: str
    endpoints: Mapping[str, str]
    settings: PlanSettings
    asking: ModelSpec
    bounded: RunLimits
    retry_failed: bool
    by_model: Mapping[str, _SavedModel] = field(default_factory=dict)
    uses_settings: bool = False

    def restore_models(self, asking: ModelSpec, *, with_addresses: bool = True) -> tuple[ModelSpec, ...]:
        """Return the models of the run; each has its saved price and key, and the other options of `asking`."""
        models = []
        for name, address in self.endpoints.items():
            base_url = _choose_base_url(name, address) if with_addresses else ()
            own = self.by_model.get(name) or _SavedModel(self.asking.price)
            models.append(
                replace(asking, model=name, base_url=base_url, price=own.price, key_variable=own.key_variable)
            )
        return tuple(models)


_SAVED_SPEC_ADAPTER: Final = TypeAdapter(_SavedRunSpec)


def dump_spec_for_ledger(spec: RunSpec, run_models: "Sequence[RunModel]") -> str:
    """Return the options as JSON without secrets; `run_models` are the models of `spec`."""
    templates = spec.settings.templates.resolve() if spec.settings.templates else None
    saved = _SavedRunSpec(
        str(spec.base_folder),
        {each.model: model.info.endpoint for each, model in zip(spec.models, run_models, strict=True)},
        replace(spec.settings, templates=templates),
        replace(spec.models[0], base_url=()),  # an address may hold a password
        spec.limits,
        spec.retry_failed,
        {each.model: _SavedModel(each.price, each.key_variable) for each in spec.models},
        spec.uses_settings_file,
    )
    return _SAVED_SPEC_ADAPTER.dump_json(saved, exclude={"asking": {"model", "key_variable"}}).decode()


def load_spec_from_ledger(run_path: Path, submission: BatchServiceOptions = BatchServiceOptions()) -> RunSpec:
    """Return the options of the last `batch` command, to continue the run through its batch service.

    Raises:
        RunError: if there is no run, or if the run cannot be continued.
    """
    run = RunFolder(run_path.resolve())
    if shards := list_unmerged_shards(run):
        names = ", ".join(str(shard.locate_folder(RunFolder(run_path)).path) for shard in shards)
        raise RunError(
            f"{run_path} has shards, each of which is a run: give the path of a shard ({names}), or first "
            f"`merge {run_path}`"
        )
    saved = _read_saved_spec(run)
    if saved is None:
        raise RunError(f"{run.path} does not record its `batch` command; give that command again with all its options")
    return RunSpec(
        run,
        saved.restore_models(saved.asking),
        saved.settings,
        saved.bounded,
        submission=submission,
        retry_failed=saved.retry_failed,
        base_folder=Path(saved.folder),
        uses_settings_file=saved.uses_settings,
    )


def inherit_run_settings(spec: RunSpec) -> RunSpec:
    """Return the options of a command; if the user did not give an option, fill it in from the run.

    If neither the run nor the command uses settings files, only `plain` (plans without details) is filled in. Otherwise
    the models, their addresses and the settings of the prompts are filled in too.

    Raises:
        RunError: if the run cannot be continued.
    """
    run = spec.shard.locate_folder(spec.run) if spec.shard else spec.run
    saved = _read_saved_spec(run) if run.has_begun else None
    if spec.settings.plain is None:
        spec = replace(spec, settings=replace(spec.settings, plain=_is_begun_plain(run, saved)))
    if saved is None or not (spec.uses_settings_file or saved.uses_settings):
        return spec
    kept = {name: getattr(saved.settings, name) for name in PROMPT_SETTINGS if name in spec.unset_fields}
    if "task" not in kept and saved.settings.task != spec.settings.task:
        kept.pop("k", None)  # the saved k was for the other task
    models = _inherit_models(spec, saved)
    continued = replace(spec, settings=replace(spec.settings, **kept), models=models, uses_settings_file=True)
    if (continued.settings, continued.models) != (spec.settings, spec.models):
        names = ", ".join(model.model or EXTRACTIVE for model in models)
        log.warning(
            "the run %s keeps its own settings (model %s, task %s, k %d), whatever the settings files say; "
            "to change them, use options or environment variables",
            *(run.path, names, continued.settings.task, continued.settings.k),
        )
    return continued


def _inherit_models(spec: RunSpec, saved: _SavedRunSpec) -> tuple[ModelSpec, ...]:
    """Return the models of a command; if the user gave no models or no addresses, take these from the run."""
    if "models" in spec.unset_fields:
        models = saved.restore_models(spec.models[0], with_addresses=not spec.prompt_folders)
        if "price" not in spec.unset_fields:
            models = tuple(replace(each, price=spec.models[0].price) for each in models)
        return tuple(replace(each, model=each.model or EXTRACTIVE) for each in models)
    return tuple(
        replace(each, base_url=(address,))
        if "base_url" in spec.unset_fields and each.base_url and (address := saved.endpoints.get(each.model))
        else each
        for each in spec.models
    )


def _is_begun_plain(run: RunFolder, saved: _SavedRunSpec | None) -> bool:
    """Return whether a run began with plain plans (without details); if it has no result yet, its options tell."""
    query = (  # NULL for a record that is damaged
        "SELECT iif(json_valid(facts), json_extract(facts, '$.min_chance') IS NULL, NULL)"
        " FROM plannings ORDER BY number LIMIT 1"
    )
    rows = query_ledger(run.ledger_path, query) if run.has_begun else []
    is_plain = rows[0][0] if rows else None
    return bool(saved and saved.settings.plain) if is_plain is None else bool(is_plain)


def _read_saved_spec(run: RunFolder) -> _SavedRunSpec | None:
    """Return the options in the ledger, None if there are none. Old runs do not name `plain`; it is true for them."""
    rows = query_ledger(run.ledger_path, "SELECT value FROM run WHERE name = ?", RUN_SPEC_KEY)
    if not rows:
        return None
    try:
        saved = _SAVED_SPEC_ADAPTER.validate_json(rows[0][0])
    except ValidationError as error:
        raise RunError("another version of this program began the run; repeat the `batch` command") from error
    return replace(saved, settings=replace(saved.settings, plain=saved.settings.plain is not False))


def _choose_base_url(model: str, address: str) -> tuple[str, ...]:
    """Return (`address`,), or () if no address is needed, as when the environment already gives this one.

    Raises:
        RunError: if there is no address, since the replies came from files.
    """
    if not address and model not in ("", EXTRACTIVE):
        raise RunError("this run reads its replies from files; repeat its `batch` command, with --replies-from")
    try:
        is_known = resolve_endpoint(model, None, os.environ).base_url == address
    except UsageError:
        is_known = False
    return () if is_known or not address else (address,)


@dataclass(frozen=True, slots=True)
class RunModel:
    """A model of a run: its open client, the settings of its prompts, and its entry in the ledger."""

    client: ModelClient
    settings: PlanSettings
    ledger_model: LedgerModel

    @property
    def info(self) -> ModelInfo:
        """The description of the model."""
        return self.client.info

    @property
    def is_builtin(self) -> bool:
        """True if the model is the built-in planner, which reads the whole paper."""
        return self.client.model is None

    def make_paper_model(self, paper: Paper | None) -> Model:
        """Return a model for one paper; it sends each request once, without retries."""
        settings = self.settings
        return self.client.make_paper_model(
            paper, settings.task, settings.k, settings.cut_at, with_details=not settings.plain
        )


def build_run_model(client: ModelClient, settings: PlanSettings) -> RunModel:
    """Return a model with the settings of a run; if the user set no context window, use that of the model.

    Raises:
        PromptError: if a prompt template is faulty.
    """
    settings = replace(settings, window=settings.window or client.window)
    return RunModel(client, settings, LedgerModel(client.info, _hash_settings(client.info, settings)))


@dataclass(frozen=True, slots=True)
class BatchJob:
    """The work of a command: its options, a corpus, and the models that plan it.

    `make_readers` takes the number of papers and returns paper readers.
    """

    spec: RunSpec
    corpus: Corpus
    models: tuple[RunModel, ...]
    make_readers: "ReaderFactory"

    @property
    def retry_policy(self) -> RetryPolicy:
        """The policy for repeating a failed request."""
        return RetryPolicy(max_failures=_MAX_ATTEMPTS, max_wait=self.spec.models[0].max_wait)

    @property
    def models_by_key(self) -> dict[str, RunModel]:
        """The models by their names in the ledger."""
        return {model.ledger_model.model_key: model for model in self.models}


def _hash_settings(info: ModelInfo, settings: PlanSettings) -> str:
    """Return a hash of a model and the settings; if the hash changes, papers are planned again."""
    templates = settings.render_empty_prompt().template_sha256
    how = [info.endpoint, info.asked, [list(pair) for pair in info.parameters]]
    what = [settings.task.value, settings.k, settings.reasks, settings.cut_at, templates]
    what += [] if settings.strategy == "single" else [settings.strategy]
    what += [] if settings.plain else [f"min-chance {settings.effective_min_chance}"]
    return hashlib.sha256(json.dumps([how, what]).encode()).hexdigest()[:16]
