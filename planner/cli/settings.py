"""The settings files: the user's own file and the project's file, or the one file that --config names.

The command line wins over the environment. The environment wins over the project's file, and the project's file wins
over the user's file.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Self

import click
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from planner.errors import UsageError
from planner.files import read_bounded_file
from planner.models.connect import EXTRACTIVE, ModelSpec
from planner.models.openai_chat.endpoint import OPENAI, PROVIDERS, find_address_fault, find_provider_by_prefix
from planner.models.pricing import parse_price
from planner.planning.strategies import STRATEGIES
from planner.schema import MAX_K, Task

_PROJECT_FILE_NAME: Final = "ablation-planner.toml"
_VARIABLE_PREFIX: Final = "ABLATION_PLANNER_"
_PROJECT_LIMIT: Final = (
    "a project's settings may not define endpoints, since your keys are sent to them; define the endpoint in your own "
    'file (see `config path`), and give its name here, as in endpoint = "lab"'
)
MAX_SETTINGS_BYTES: Final = 100_000
_FOLDER_SETTINGS: Final = frozenset(("output", "prompts"))
_KEY: Final = re.compile(
    r"\bsk-[\w-]{16,}|\b(?:gsk|hf|ghp|github_pat|glpat|xai|pk|rk)[-_][A-Za-z0-9_]{20,}"
    r"|\bAIza[\w-]{30,}|\bBearer [\w.-]{16,}"
)
_KEY_NAME: Final = re.compile(r"(?:^|[-_])(?:key|token|secret|password)s?$", re.IGNORECASE)
_ASSIGNMENT: Final = re.compile(r"\s*(?:\[\[?(?P<table>[^\]]+)\]|(?P<name>[^=#]+?)\s*=)")
_NAME: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)")


def _check_address(address: str) -> str:
    fault = "holds a user name or a password" if "@" in address else find_address_fault(address)
    if fault:
        raise ValueError(f"the address {fault}; it should look like http://localhost:8000/v1")
    return address


def _check_endpoint_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,50}", name) or name in (EXTRACTIVE, *(p.prefix for p in PROVIDERS)):
        raise ValueError("an endpoint's name has letters and digits, and is not the name of a provider such as openai")
    return name


def _check_price(price: str) -> str:
    try:
        parse_price(price)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return price


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds a character that cannot be printed")
    return text


def _check_choice(*choices: str) -> AfterValidator:
    def check(text: str) -> str:
        if text not in choices:
            raise ValueError(f"it should be one of {', '.join(choices)}")
        return text

    return AfterValidator(check)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NamedEndpoint(_Table):
    """An endpoint in a settings file. `key_env` is the environment variable with its key, "" for none."""

    base_url: Annotated[str, AfterValidator(_check_address)]
    key_env: str = Field("", pattern=r"^[A-Z_][A-Z0-9_]{0,63}$")


_Text = Annotated[str, Field(min_length=1), AfterValidator(_check_printable)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _SettingsTable(_Table):
    """The settings that a file may have. The defaults are never used; they only make each setting optional."""

    model: _Text = ""
    task: Annotated[str, _check_choice(*Task)] = ""
    k: int = Field(0, ge=1, le=MAX_K)
    strategy: Annotated[str, _check_choice(*STRATEGIES)] = ""
    output: _Text = ""
    prompts: _Text = ""
    context_window: int = Field(0, ge=1000)
    timeout: _Seconds = 0.0
    max_wait: _Seconds = 0.0
    concurrency: int = Field(0, ge=1, le=4096)
    endpoint: _Text = ""
    prices: dict[str, Annotated[str, AfterValidator(_check_price)]] = {}
    endpoints: dict[Annotated[str, AfterValidator(_check_endpoint_name)], NamedEndpoint] = {}


SETTING_NAMES: Final = tuple(_SettingsTable.model_fields)


@dataclass(frozen=True, slots=True)
class _SettingsFile:
    """A settings file. `values` maps the names of its settings to their values."""

    path: Path
    text: str
    values: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a settings file.

        Raises:
            UsageError: if the file cannot be read, is not TOML, holds an API key, or has a wrong setting.
        """
        try:
            text = read_bounded_file(path, MAX_SETTINGS_BYTES).decode("utf-8-sig")
        except OSError as error:
            raise UsageError(f"{path}: the settings cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UsageError(f"{path}: the settings are not text in UTF-8") from None
        _refuse_keys(path, text)
        table = _parse_settings(path, text)
        values = {name: getattr(table, name) for name in SETTING_NAMES if name in table.model_fields_set}
        for name in _FOLDER_SETTINGS & values.keys():
            values[name] = path.parent / os.path.expanduser(values[name])  # noqa: PTH111 - never raises
        file = cls(path, text, values)
        if "prompts" in values and not file.values["prompts"].is_dir():
            raise UsageError(f"{file.find_origin('prompts')}: there is no folder {file.values['prompts']}")
        return file

    def find_origin(self, *names: str) -> str:
        """Return the place of a setting as FILE:LINE. `names` is its path, such as "endpoints", "lab", "base_url"."""
        return f"{self.path}:{_find_line(self.text, names)}"


def _parse_settings(path: Path, text: str) -> _SettingsTable:
    import tomllib  # only where there is a file

    try:
        return _SettingsTable.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at line ")
        line = place.partition(",")[0] or str(text.count("\n") + 1)
        problem = f"the settings are not TOML: {reason[:1].lower()}{reason[1:]}"
    except RecursionError:
        line, problem = "1", "the settings are nested too deeply"
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        line, problem = str(_find_line(text, [str(name) for name in fault["loc"]])), _describe_fault(fault)
    except ValueError:  # raised by Python for a number with too many digits
        line, problem = "1", "the settings hold a number that is too long"
    raise UsageError(f"{path}:{line}: {problem}")


def _refuse_keys(path: Path, text: str) -> None:
    """Refuse settings with a line that seems to hold a key. The error does not repeat the key."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _KEY.search(line):
            raise UsageError(f"{path}:{number}: this line seems to hold a key; move the key to an environment variable")


def _describe_fault(fault: ErrorDetails) -> str:
    """Return a description of a wrong setting. It leaves out the setting's value, which may be a secret."""
    *tables, name = (str(name) for name in fault["loc"] if name != "[key]")
    where = ".".join((*tables, name))
    if fault["type"] == "string_pattern_mismatch":
        return f"{where} should be the name of an environment variable in capitals, such as LAB_KEY"
    if fault["type"] != "extra_forbidden":
        reason = str(fault["ctx"]["error"]) if fault["type"] == "value_error" else fault["msg"]
        return f"{where}: {reason[:1].lower()}{reason[1:]}"
    if _KEY_NAME.search(name):
        return f"{where}: keys do not belong in files; move the key to an environment variable named in key_env"
    import difflib

    known = tuple(NamedEndpoint.model_fields) if tables else SETTING_NAMES
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(known)}"
    return f"there is no setting {where!r}; {hint}"


def _find_line(text: str, path: Sequence[str]) -> int:
    """Return the line number of the setting at `path`, or of its table if the setting is missing, or else 1."""
    table: list[str] = []
    found, depth = 1, 0
    for number, line in enumerate(text.splitlines(), start=1):
        match = _ASSIGNMENT.match(line)
        if match is None:
            continue
        names = ["".join(spellings) for spellings in _NAME.findall(match["table"] or match["name"])]
        table, names = (names, names) if match["table"] else (table, [*table, *names])
        if len(names) > depth and names == list(path[: len(names)]):
            found, depth = number, len(names)
    return found


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings from the files that apply to a command.

    `values` maps names of options to defaults. `default_endpoint` is the name of the endpoint for models without a
    prefix, or "". `prices` maps names of models to texts such as "0.5,2". `origins` maps the dotted name of each
    setting to its file and line. `project_notice` is a message about settings from a project's file, or "".
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    default_endpoint: str = ""
    prices: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, NamedEndpoint] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    project_notice: str = ""

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The environment variables with the keys of the endpoints."""
        return tuple(endpoint.key_env for endpoint in self.endpoints.values() if endpoint.key_env)

    def complete_model_spec(self, spec: ModelSpec) -> ModelSpec:
        """Return a model spec with the price, the address and the key variable from the settings.

        `lab/m` is the model m at the endpoint `lab`. An address in `spec` wins over a prefix. A prefix wins over
        OPENAI_BASE_URL, and OPENAI_BASE_URL wins over the setting `endpoint`.
        """
        prefix, _, name = spec.model.partition("/")
        spec = replace(spec, price=spec.price or self.prices.get(spec.model) or self.prices.get(name, ""))
        if name and (named := self.endpoints.get(prefix)):
            spec = replace(spec, model=name)
        elif self._is_for_default_endpoint(spec):
            named = self.endpoints[self.default_endpoint]
        else:
            return spec
        return replace(spec, base_url=spec.base_url or (named.base_url,), key_variable=named.key_env)

    def _is_for_default_endpoint(self, spec: ModelSpec) -> bool:
        if not self.default_endpoint or spec.base_url or spec.model == EXTRACTIVE:
            return False
        return not (find_provider_by_prefix(spec.model) or os.environ.get(OPENAI.address_variable, "").strip())


def get_settings(context: click.Context | None = None) -> Settings:
    """Return the settings of a command, by default of the running command, or empty settings if there are none."""
    context = context or click.get_current_context(silent=True)
    return context.obj if context is not None and isinstance(context.obj, Settings) else Settings()


def find_named_settings_file() -> Path | None:
    """Return the settings file that --config names, or None if --config is not given."""
    named: Path | None = click.get_current_context().find_root().params["config"]
    return named


def build_user_settings_path() -> Path:
    """Return the path of the user's settings file. The file need not exist."""
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - never raises
    return Path(folder) / "ablation-planner" / "config.toml"


def find_project_settings_file() -> Path | None:
    """Return the settings file in the working folder or the nearest folder above it, or None if there is none."""
    here = Path(_PROJECT_FILE_NAME)
    candidates = (here, *(folder / _PROJECT_FILE_NAME for folder in Path.cwd().parents))
    return next((path for path in candidates if os.access(path, os.F_OK)), None)


def apply_settings(context: click.Context, command_name: str, command: click.Command) -> None:
    """Set the defaults of a command's options to the values in the settings files.

    A setting sets the option whose environment variable has the same name: `model` belongs to ABLATION_PLANNER_MODEL.

    Raises:
        UsageError: if a file cannot be read, or a setting is wrong; the text names the file and the line.
    """
    options = {setting: option for option in command.params if (setting := find_setting_name(option))}
    if not options:
        return
    settings = load_settings()
    project = None if find_named_settings_file() else find_project_settings_file()
    used = [
        each for each in (*options, "endpoint") if settings.origins.get(each, "").rpartition(":")[0] == str(project)
    ]
    context.obj = replace(settings, project_notice=f"settings from {project}: {', '.join(used)}" if used else "")
    context.default_map = {
        command_name: {
            option.name: [settings.values[setting]] if option.multiple else settings.values[setting]
            for setting, option in options.items()
            if setting in settings.values
        }
    }


def find_setting_name(option: click.Parameter) -> str | None:
    """Return the name of the setting for an option, or None if there is no such setting."""
    names = {f"{_VARIABLE_PREFIX}{name.upper()}": name for name in SETTING_NAMES}
    return names.get(option.envvar) if isinstance(option.envvar, str) else None


def load_settings() -> Settings:
    """Read the settings in the file that --config names, or else in the user's and the project's file.

    Raises:
        UsageError: if a file cannot be read, or a setting is wrong; the text names the file and the line.
    """
    if named_file := find_named_settings_file():
        return _build_settings([_SettingsFile.read(named_file)])
    user_file, project_file = build_user_settings_path(), find_project_settings_file()
    files = [_SettingsFile.read(user_file)] if os.access(user_file, os.F_OK) else []
    if project_file is None:
        return _build_settings(files)
    project = _SettingsFile.read(project_file)
    for name in project.values.get("endpoints", {}):
        raise UsageError(f"{project.find_origin('endpoints', name)}: {_PROJECT_LIMIT}")
    for name in sorted(_FOLDER_SETTINGS & project.values.keys()):
        folder, parent = os.path.realpath(project.values[name]), os.path.realpath(project_file.parent)
        if not Path(folder).is_relative_to(parent):
            raise UsageError(
                f"{project.find_origin(name)}: {name}: a project's settings may name no folder outside the project"
            )
    return _build_settings([*files, project])


def _build_settings(files: list[_SettingsFile]) -> Settings:
    """Combine settings files. If two files have the same setting, the later file wins."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for file in files:
        for name, value in file.values.items():
            values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
            inner = [(name, key) for key in value] if isinstance(value, dict) else [(name,)]
            origins |= {".".join(path): file.find_origin(*path) for path in inner}
    endpoints, endpoint = values.pop("endpoints", {}), values.pop("endpoint", "")
    if endpoint and endpoint not in endpoints:
        known = ", ".join(endpoints) or "none"
        raise UsageError(f"{origins['endpoint']}: there is no table [endpoints.{endpoint}]; known endpoints: {known}")
    return Settings(values, endpoint, values.pop("prices", {}), endpoints, origins)
