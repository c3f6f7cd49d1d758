"""Settings files: the user's own, a project's, or the one that --config names; and the values that they set.

The command line comes before the environment, that before the project's file, and that before the user's.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import click

from planner.cli.settings_file import FOLDER_SETTINGS, SETTING_NAMES, NamedEndpoint, SettingsFile
from planner.errors import UsageError
from planner.models.connect import EXTRACTIVE, ModelSpec
from planner.models.openai_chat.endpoint import OPENAI, find_provider_by_prefix

PROJECT_FILE_NAME: Final = "ablation-planner.toml"
_VARIABLE_PREFIX: Final = "ABLATION_PLANNER_"
_PROJECT_LIMIT: Final = (
    "endpoints are set in your own file (`config path`), since keys go to their addresses; here, name one of them"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The values that settings files give, and the file and line of each by its dotted name.

    `values` are defaults of options by name, `prices` IN,OUT by model. `endpoint` names the one of the `endpoints` for
    models without a prefix, "" for none. `notice` says which values a command has from a project's file, "" for none.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    endpoint: str = ""
    prices: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, NamedEndpoint] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The environment variables of the keys of the named endpoints."""
        return tuple(endpoint.key_env for endpoint in self.endpoints.values() if endpoint.key_env)

    def complete_model_spec(self, spec: ModelSpec) -> ModelSpec:
        """Return a model spec with what the files say of its model: price, address and variable of the key.

        `lab/m` is the model m at the endpoint `lab`. A given address comes before a prefix, and a prefix before
        OPENAI_BASE_URL, and that before the setting `endpoint`.
        """
        prefix, _, name = spec.model.partition("/")
        spec = replace(spec, price=spec.price or self.prices.get(spec.model) or self.prices.get(name, ""))
        if name and (named := self.endpoints.get(prefix)):
            spec = replace(spec, model=name)
        elif self._is_for_default_endpoint(spec):
            named = self.endpoints[self.endpoint]
        else:
            return spec
        return replace(spec, base_url=spec.base_url or (named.base_url,), key_variable=named.key_env)

    def _is_for_default_endpoint(self, spec: ModelSpec) -> bool:
        if not self.endpoint or spec.base_url or spec.model == EXTRACTIVE:
            return False
        return not (find_provider_by_prefix(spec.model) or os.environ.get(OPENAI.address_variable, "").strip())


def get_settings() -> Settings:
    """Return the settings of the running command; none outside of one, and for one that has no use for them."""
    context = click.get_current_context(silent=True)
    return context.obj if context is not None and isinstance(context.obj, Settings) else Settings()


def find_named_file() -> Path | None:
    """Return the settings file that --config names for the running command, None without one."""
    named: Path | None = click.get_current_context().find_root().params["config"]
    return named


def find_user_file() -> Path:
    """Return the path of the user's settings file, whether there is one or not."""
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - never raises
    return Path(folder) / "ablation-planner" / "config.toml"


def find_project_file() -> Path | None:
    """Return the settings file in the working folder, or else in the nearest folder above it; None without one."""
    here = Path(PROJECT_FILE_NAME)
    candidates = (here, *(folder / PROJECT_FILE_NAME for folder in Path.cwd().parents))
    return next((path for path in candidates if os.access(path, os.F_OK)), None)


def apply_settings(context: click.Context, name: str, command: click.Command, file: Path | None) -> None:
    """Make what settings files say the defaults of a command's options, below the environment.

    An option takes the setting with the name of its environment variable. `file` is read instead of the others.

    Raises:
        UsageError: if a file cannot be read, or a setting is wrong; the text names the file and the line.
    """
    options = {setting: option for option in command.params if (setting := find_setting_name(option))}
    if not options:
        return
    settings = load_settings(file)
    project = None if file else find_project_file()
    used = [
        each for each in (*options, "endpoint") if settings.origins.get(each, "").rpartition(":")[0] == str(project)
    ]
    context.obj = replace(settings, notice=f"settings from {project}: {', '.join(used)}" if used else "")
    context.default_map = {
        name: {
            option.name: [settings.values[setting]] if option.multiple else settings.values[setting]
            for setting, option in options.items()
            if setting in settings.values
        }
    }


def find_setting_name(option: click.Parameter) -> str:
    """Return the name of the setting that is a default of an option, "" if there is none."""
    variable = option.envvar if isinstance(option.envvar, str) else ""
    name = variable.removeprefix(_VARIABLE_PREFIX).lower()
    return name if variable.startswith(_VARIABLE_PREFIX) and name in SETTING_NAMES else ""


def load_settings(file: Path | None = None) -> Settings:
    """Read a settings file, or else the user's and above it the project's.

    Raises:
        UsageError: if a file cannot be read, or a setting is wrong; the text names the file and the line.
    """
    user_file, project_file = find_user_file(), find_project_file()
    if file:
        return _build_settings([SettingsFile.read(file)])
    files = [SettingsFile.read(user_file)] if os.access(user_file, os.F_OK) else []
    if project_file is None:
        return _build_settings(files)
    project = SettingsFile.read(project_file)
    for name in project.values.get("endpoints", {}):
        raise UsageError(f"{project.find_origin('endpoints', name)}: {_PROJECT_LIMIT}")
    for name in FOLDER_SETTINGS:
        if name in project.values and not _is_inside(project.values[name], project_file.parent):
            raise UsageError(f"{project.find_origin(name)}: {name}: a project names folders of its own only")
    return _build_settings([*files, project])


def _is_inside(folder: Path, parent: Path) -> bool:
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(parent))


def _build_settings(files: "list[SettingsFile]") -> Settings:
    """Join settings files; what a later one says comes first."""
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
        raise UsageError(f"{origins['endpoint']}: there is no table [endpoints.{endpoint}]; there is {known}")
    return Settings(values, endpoint, values.pop("prices", {}), endpoints, origins)
