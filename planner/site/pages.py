"""Render whole pages. Each page except docsify's is one HTML file with its style and scripts, and loads nothing.

The index page holds its rows as compact JSON, and a script unpacks them.
"""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import count
from typing import Final
from urllib.parse import quote

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import JsonValue

from planner import __version__
from planner.matching import SURENESS
from planner.models.pricing import format_usd
from planner.sanitize import remove_unsafe_characters
from planner.schema import Ablation, Action
from planner.site.copies import choose_descriptive_name_or_part
from planner.site.entries import PlanEntry, UnreadFile
from planner.site.html_text import render_formulas_as_text
from planner.site.views import PaperView, build_paper_view

_ACTIONS: Final = tuple(Action)
_MAX_REASON_CHARS: Final = 300
_GENERATOR: Final = f"ablation-planner {__version__}"


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A row of the index page: one paper planned by one model.

    `page_name` is the name of the paper's page without ending. `anchor` is the id of the model's panel on that page.
    `agreement_group_indices` has the indices of the groups in `PaperView.groups` that contain an ablation of this row.
    `cost` is in USD, or None if it is unknown. `reason` says why there is no plan.
    """

    page_name: str
    title: str
    anchor: str
    model: str
    task: str
    outcome: str
    ablations: tuple[Ablation, ...]
    agreement_group_indices: tuple[int, ...]
    cost: float | None
    reason: str = ""


def build_index_rows_of_paper(paper_page_name: str, view: PaperView) -> Iterator[IndexRow]:
    """Yield the index rows of a paper. `paper_page_name` is the name of the paper's page."""
    anchors = [{link.anchor.rpartition("/")[0] for link in group} for group in view.groups]
    for panel in view.panels:
        yield IndexRow(
            page_name=paper_page_name,
            title=view.title,
            anchor=panel.anchor,
            model=panel.entry.model_name,
            task=panel.entry.task,
            outcome=panel.entry.outcome,
            ablations=panel.entry.ablations,
            agreement_group_indices=tuple(number for number, group in enumerate(anchors) if panel.anchor in group),
            cost=panel.entry.cost,
            reason="" if panel.entry.trajectory else panel.entry.reason,
        )


def _pack_rows(rows: Iterable[IndexRow]) -> dict[str, JsonValue]:
    """Return the rows as compact JSON, with numbers for repeated names. `assets/index.js` unpacks them."""
    # Each new name gets the next number, from 0.
    models, tasks, outcomes = (defaultdict[str, int](count().__next__) for _ in range(3))
    papers = defaultdict[tuple[str, str], int](count().__next__)
    cells: list[JsonValue] = [
        [
            papers[row.page_name, remove_unsafe_characters(row.title)],
            models[remove_unsafe_characters(row.model)],
            tasks[row.task],
            outcomes[row.outcome],
            list(row.agreement_group_indices),
            None if row.cost is None else float(f"{row.cost:.6g}"),
            row.anchor,
            [_pack_ablation(ablation) for ablation in row.ablations],
            *([remove_unsafe_characters(row.reason[:_MAX_REASON_CHARS])] if row.reason else []),
        ]
        for row in rows
    ]
    return {
        "actions": list(_ACTIONS),
        "papers": [list(texts) for texts in papers],
        "models": list(models),
        "tasks": list(tasks),
        "outcomes": list(outcomes),
        "rows": cells,
    }


def _pack_ablation(ablation: Ablation) -> JsonValue:
    """Return [index of the action in `_ACTIONS`, text to show, text that is not shown but searched]."""
    shown = choose_descriptive_name_or_part(ablation)
    other = ablation.ablated_part if shown == ablation.name else ablation.name
    texts = (
        remove_unsafe_characters(render_formulas_as_text(text)) for text in (shown, "" if other == shown else other)
    )
    return [_ACTIONS.index(ablation.action), *texts]


@dataclass(frozen=True, slots=True)
class _PinnedFile:
    """A file of a public package, with the hash that browsers check (Subresource Integrity)."""

    address: str
    integrity: str


_DOCSIFY: Final = _PinnedFile(
    "https://cdn.jsdelivr.net/npm/docsify@5.0.0/dist/docsify.min.js",
    "sha384-w6yZXzkazsxmservgGooUY9zjEHzIFHubRNZMLJ3enj/JD+Z8BvAGBqdrjfnLNhu",
)
_DOCSIFY_STYLE: Final = _PinnedFile(
    "https://cdn.jsdelivr.net/npm/docsify@5.0.0/dist/themes/core.min.css",
    "sha384-u1ltA0BWEetQbGokjUjglT9sN702RQwy8JESh3Ha4GNlyzMU57usk6duY0/BOTMj",
)


def render_index_page(
    rows: Sequence[IndexRow], run_names: Sequence[str], unread_files: Sequence[UnreadFile] = ()
) -> str:
    """Return the index page, which lists every paper and model."""
    title = f"Ablation plans · {', '.join(run_names)}" if run_names else "Ablation plans"
    return _render_page("index", title=title, runs=run_names, data=_pack_rows(rows), unread=unread_files)


def render_paper_page(view: PaperView, index_address: str = "../index.html") -> str:
    """Return the page of one paper. `index_address` is the address of the index page, or "" if there is none."""
    return _render_page("paper", title=view.title, view=view, index=index_address, sureness=SURENESS)


def render_entry_page(entry: PlanEntry) -> str:
    """Return one plan as a self-contained HTML page."""
    return render_paper_page(build_paper_view((entry,)), index_address="")


def render_docsify_page() -> str:
    """Return the page that starts docsify. Docsify renders the trajectories in the browser."""
    settings = _read_asset("docsify.js")
    policy = (
        f"default-src 'none'; script-src {_hash_source(settings)} {_DOCSIFY.address}; connect-src 'self'; "
        f"style-src {_DOCSIFY_STYLE.address} 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
    )
    template = _get_environment().get_template("docsify.html.jinja")
    values = {"style": _DOCSIFY_STYLE, "script": _DOCSIFY, "settings": settings}
    return template.render(policy=policy, generator=_GENERATOR, **values)


def _render_page(page: str, **values: object) -> str:
    template = _get_environment().get_template(f"{page}.html.jinja")
    return template.render(assets=_load_assets(page), generator=_GENERATOR, **values)


@cache
def _get_environment() -> Environment:
    return create_template_environment(PackageLoader("planner.site", "templates"))


def create_template_environment(loader: BaseLoader) -> Environment:
    """Return a template environment that escapes every value and removes its unsafe characters."""
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean_value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    environment.filters["money"] = format_usd
    environment.filters["quoted"] = quote
    return environment


def _clean_value(value: object) -> object:
    """Return a value for a template. If it is a text, its unsafe characters are removed."""
    return remove_unsafe_characters(value) if type(value) is str else value


@cache
def _load_assets(page: str) -> Mapping[str, str]:
    """Return the style and scripts of a page, and a Content Security Policy that allows only these."""
    style = _read_asset("look.css") + _read_asset(f"{page}.css")
    first_script, script = _read_asset("theme.js"), _read_asset(f"{page}.js")
    policy = (
        f"default-src 'none'; script-src {_hash_source(first_script)} {_hash_source(script)}; "
        f"style-src {_hash_source(style)}; img-src data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return {"style": style, "first_script": first_script, "script": script, "policy": policy}


def _read_asset(name: str) -> Markup:
    text = (files("planner.site") / "assets" / name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - our own file


def _hash_source(content: str) -> str:
    """Return the hash of a text as a Content Security Policy states it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
