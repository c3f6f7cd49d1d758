"""Whole pages: a template, its style and its scripts in one file that loads nothing and runs nothing else."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from planner import __version__
from planner.controls import clean
from planner.site.collecting import Unread
from planner.site.index import Row, packed
from planner.site.views import PaperView, money

GENERATOR: Final = f"ablation-planner {__version__}"


@dataclass(frozen=True, slots=True)
class _Remote:
    """A file of a public package, pinned by its hash (Subresource Integrity)."""

    address: str
    integrity: str


_DOCSIFY: Final = _Remote(
    "https://cdn.jsdelivr.net/npm/docsify@5.0.0/dist/docsify.min.js",
    "sha384-w6yZXzkazsxmservgGooUY9zjEHzIFHubRNZMLJ3enj/JD+Z8BvAGBqdrjfnLNhu",
)
_DOCSIFY_STYLE: Final = _Remote(
    "https://cdn.jsdelivr.net/npm/docsify@5.0.0/dist/themes/core.min.css",
    "sha384-u1ltA0BWEetQbGokjUjglT9sN702RQwy8JESh3Ha4GNlyzMU57usk6duY0/BOTMj",
)


@dataclass(frozen=True, slots=True)
class _Dress:
    """A page's style and scripts, and the policy that allows them and nothing else."""

    style: Markup
    early: Markup
    script: Markup

    @property
    def policy(self) -> str:
        return (
            f"default-src 'none'; script-src {_source(self.early)} {_source(self.script)}; "
            f"style-src {_source(self.style)}; img-src data:; base-uri 'none'; form-action 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )


def index_page(rows: Sequence[Row], runs: Sequence[str], unread: Sequence[Unread] = ()) -> str:
    """Return the page that lists every paper and model; it lies beside the folder `papers`."""
    title = f"Ablation plans · {', '.join(runs)}" if runs else "Ablation plans"
    return _page("index.html.jinja", _dress("index"), title=title, runs=runs, data=packed(rows), unread=unread)


def paper_page(view: PaperView, index: str = "../index.html") -> str:
    """Return the page of one paper; `index` is the address of the page that lists it, "" if there is none."""
    return _page("paper.html.jinja", _dress("paper"), title=view.title, view=view, index=index)


def docsify_page() -> str:
    """Return the page that starts docsify, which renders the trajectories in the browser."""
    settings = Markup(_asset("docsify.js"))  # noqa: S704 - our own file
    policy = (
        f"default-src 'none'; script-src {_source(settings)} {_DOCSIFY.address}; connect-src 'self'; "
        f"style-src {_DOCSIFY_STYLE.address} 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
    )
    template = _environment().get_template("docsify.html.jinja")
    return template.render(policy=policy, generator=GENERATOR, style=_DOCSIFY_STYLE, script=_DOCSIFY, settings=settings)


def is_ours(html: str) -> bool:
    """Return whether this program wrote a page; the first 1,000 characters are enough."""
    return '<meta name="generator" content="ablation-planner ' in html[:1000]


def _page(template: str, dress: _Dress, **values: object) -> str:
    return _environment().get_template(template).render(dress=dress, generator=GENERATOR, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("planner.site", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    environment.filters["money"] = money
    environment.filters["quoted"] = quote
    return environment


def _finalized(value: object) -> object:
    """Return a value for a template; remove characters that act on the display from a text."""
    return clean(value).text if type(value) is str else value


@cache
def _dress(page: str) -> _Dress:
    return _Dress(
        style=Markup(_asset("look.css") + _asset(f"{page}.css")),  # noqa: S704 - our own file
        early=Markup(_asset("theme.js")),  # noqa: S704 - our own file
        script=Markup(_asset(f"{page}.js")),  # noqa: S704 - our own file
    )


def _asset(name: str) -> str:
    return (files("planner.site") / "assets" / name).read_text(encoding="utf-8")


def _source(content: str) -> str:
    """Return the source expression of Content Security Policy that names a text by its hash."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
