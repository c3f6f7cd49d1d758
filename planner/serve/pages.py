"""Render the pages: the list of papers and plans, a paper as it was understood, a job, and a plan to edit."""

import io
import re
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader

from planner.chat import TokenCounter, Usage
from planner.errors import Outcome, PlannerError, TrajectoryError, UsageError
from planner.exports.export import EXPORT_FORMATS
from planner.models.connect import ModelClient
from planner.names import RECORD_SUFFIX, TRAJECTORY_SUFFIX, sanitize_file_name
from planner.papers.paper import Omission, Paper
from planner.planning.first_prompt import PlanSettings, describe_paper, select_excerpt
from planner.planning.strategies import STRATEGIES, RequestEstimate
from planner.schema import Task
from planner.serve.edits import EditedPlan
from planner.serve.jobs import Job
from planner.site.entries import EntrySource, PlanEntry, choose_title, read_plan_entry
from planner.site.entry_index import index_entries
from planner.site.pages import create_environment
from planner.site.titles import format_title
from planner.site.views import build_paper_view

_HIDDEN: Final = re.compile(r"page does not show|hidden text")
_ASSET_TYPES: Final = {".css": "text/css", ".js": "text/javascript"}
_FILE_ENDINGS: Final = {"csv": ".csv", "jsonl": ".jsonl", "matrix": ".csv"}
_OWN_ASSETS: Final = ("serve.css", "serve.js")
_SITE_ASSETS: Final = ("look.css", "paper.css", "theme.js", "paper.js")


@dataclass(frozen=True, slots=True)
class KeptResult:
    """A plan, or the failure to make one, in the output folder; `path` is relative to it and has no ending."""

    path: str
    entry: PlanEntry
    source: EntrySource

    @property
    def title(self) -> str:
        """The title of the paper."""
        return choose_title((self.entry,))

    def is_made_by(self, job: Job) -> bool:
        """Return whether a job may be making this plan, so that it is only interrupted on record."""
        is_open = self.entry.outcome is Outcome.INTERRUPTED and self.entry.task is job.request.settings.task
        return is_open and self.paper_sha256 == job.paper_sha256

    @property
    def paper_sha256(self) -> str:
        """The hash of the paper's text, "" if it is not on record."""
        return self.entry.record.paper.sha256 if self.entry.record else ""


def list_plans(output: Path) -> list[KeptResult]:
    """Return what the output folder holds, the last one first; files that cannot be read are passed over."""
    plans = _find_plans(output) if output.is_dir() else ()
    return sorted(plans, key=lambda plan: _get_start(plan.entry), reverse=True)


def _find_plans(output: Path) -> Iterator[KeptResult]:
    for sources in index_entries([output]).papers.values():
        for source in sources:
            try:
                yield _read_plan(output.resolve(), source)
            except TrajectoryError:
                continue  # it has changed meanwhile


def _get_start(entry: PlanEntry) -> str:
    return entry.record.started.isoformat() if entry.record else ""


def find_plan(output: Path, path: str) -> KeptResult | None:
    """Return what the output folder holds at a path from an address, or None; nothing outside of the folder is read.

    Raises:
        TrajectoryError: if its files cannot be read.
    """
    root = output.resolve()
    if any(part.startswith(".") or not part.isprintable() for part in path.split("/")):
        return None
    trajectory, record = (root / f"{path}{suffix}" for suffix in (TRAJECTORY_SUFFIX, RECORD_SUFFIX))
    found = [file if file.is_file() and file.resolve().is_relative_to(root) else None for file in (trajectory, record)]
    return _read_plan(root, EntrySource("", *found)) if any(found) else None


def _read_plan(root: Path, source: EntrySource) -> KeptResult:
    file = source.trajectory_path or source.record_path
    assert file is not None, "a source has a file"
    path = file.relative_to(root).as_posix().rpartition(".")[0]
    return KeptResult(path, read_plan_entry(source), source)


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """A paper as it was understood: its description, and what the author task would leave out of it."""

    description: dict[str, Any]
    author_cut: tuple[Omission, ...]

    @property
    def title(self) -> str:
        """The title, in small letters if the paper has it in capitals, as on the pages of plans."""
        return format_title(self.description["title"], (self.description["abstract"],))

    @property
    def hidden_texts(self) -> tuple[str, ...]:
        """The warnings about text that the pages of the paper do not show."""
        return tuple(warning for warning in self.description["warnings"] if _HIDDEN.search(warning))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The other warnings."""
        return tuple(warning for warning in self.description["warnings"] if not _HIDDEN.search(warning))

    @classmethod
    def collect(cls, paper: Paper, settings: PlanSettings) -> "PaperFacts":
        """Return the facts of a paper for a task."""
        try:
            author_cut = select_excerpt(paper, replace(settings, task=Task.AUTHOR), TokenCounter()).omissions
        except PlannerError:
            author_cut = ()  # the paper has no method to be found; the description of that task says so
        return cls(describe_paper(paper, settings), author_cut)


@dataclass(frozen=True, slots=True)
class RequestPrice:
    """The requests that a plan takes, and their cost in USD, None if it is not known."""

    estimate: RequestEstimate
    cost: float | None


def compute_request_price(client: ModelClient, strategy: str, facts: PaperFacts) -> RequestPrice | None:
    """Return what a plan would take; None if nothing can be sent."""
    tokens = facts.description["prompt_tokens"]
    if tokens is None:
        return None
    estimate = STRATEGIES[strategy].estimate(tokens)
    return RequestPrice(estimate, client.compute_price(Usage(estimate.prompt_tokens, estimate.reply_tokens)))


def export_entry(entry: PlanEntry, form: str) -> tuple[str, bytes]:
    """Return the name and the content of an export: a file, or a zip archive of several.

    Raises:
        UsageError: if there is no such format.
    """
    if (exporter := EXPORT_FORMATS.get(form)) is None:
        raise UsageError(f"there is no format {form[:40]!r}")
    stem = sanitize_file_name(f"{entry.paper_id[:80]}-{form}")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / (stem if exporter.writes_folder else f"{stem}{_FILE_ENDINGS[form]}")
        exporter.write([entry], target)
        written = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        if len(written) == 1:
            return f"{stem}{written[0].suffix}", written[0].read_bytes()
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in written:
                packed.write(path, path.relative_to(folder))
        return f"{stem}.zip", archive.getvalue()


def render_page(template: str, base: str, **values: object) -> str:
    """Render a page; `base` is the beginning of every address."""
    return _get_environment().get_template(f"{template}.html.jinja").render(base=base, **values)


def render_plan_page(base: str, plan: KeptResult, edited: EditedPlan | None, **values: object) -> str:
    """Render the page of a plan, or of the failure to make one (without edits)."""
    entries = (edited.kept_entry, edited.left_out_entry) if edited else (plan.entry,)
    view = build_paper_view(entries)
    return render_page(
        "plan", base, plan=plan, edited=edited, view=view, panel=view.panels[0], formats=tuple(EXPORT_FORMATS), **values
    )


def read_asset(name: str) -> tuple[str, str] | None:
    """Return the text and the media type of a style or a script, or None."""
    if name not in (*_OWN_ASSETS, *_SITE_ASSETS):
        return None
    package = "planner.serve" if name in _OWN_ASSETS else "planner.site"
    text = (files(package) / "assets" / name).read_text(encoding="utf-8")
    return text, _ASSET_TYPES[Path(name).suffix]


@cache
def _get_environment() -> Environment:
    environment = create_environment(
        ChoiceLoader([PackageLoader("planner.serve", "templates"), PackageLoader("planner.site", "templates")])
    )
    environment.globals["tasks"] = tuple(Task)
    environment.globals["strategies"] = tuple(STRATEGIES)
    environment.filters["path"] = quote
    return environment
