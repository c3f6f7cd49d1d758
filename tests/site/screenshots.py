"""Pictures of a site and of the local page: `python -m tests.site.screenshots FOLDER`, run by `make screenshots`."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import click
from playwright.sync_api import Browser

from planner.models.connect import ModelSpec
from planner.site.build import build_site
from tests.serve.conftest import DEMO, page_server
from tests.serve.test_plans import REPLY, edit
from tests.server.replies import stream
from tests.server.server import Server
from tests.site.conftest import chromium, find_browser
from tests.site.made import REASONING, small_run

PAPER = "papers/Routing_Before_Reasoning__Sparse_Experts_for_Long_Video.html"
FAILED = "papers/Quantised_Memories.html#gpt-4o"
DESK, PHONE = (1280, 900), (390, 844)
# Name, page, size of the window, colours, and a button to press first.
SHOTS = (
    ("index", "index.html", DESK, "light", ""),
    ("index-dark", "index.html", DESK, "dark", ""),
    ("index-phone", "index.html", PHONE, "light", ""),
    ("paper", PAPER, DESK, "light", ""),
    ("paper-dark", PAPER, DESK, "dark", ""),
    ("paper-phone", PAPER, PHONE, "light", ""),
    ("paper-side-by-side", PAPER, DESK, "light", "Side by side"),
    ("paper-failed", FAILED, DESK, "light", ""),
    ("paper-author", "papers/shared-codebook.html", DESK, "light", ""),
)
# Ending of the name, size of the window and colours, of each page of `serve`.
LOOKS = (("", DESK, "light"), ("-dark", DESK, "dark"), ("-phone", PHONE, "light"))


def main(folder: Path) -> None:
    """Build a small invented run and photograph it; the pictures' paths are printed."""
    if find_browser() is None:
        raise SystemExit("no browser was found: apt-get install chromium")
    with tempfile.TemporaryDirectory() as work, chromium() as browser:
        build_site([small_run(Path(work) / "a small run")], Path(work) / "site")
        for name, page, size, colours, button in SHOTS:
            address = (Path(work) / "site").as_uri() + f"/{page}"
            click.echo(shoot(browser, address, folder / f"{name}.png", size, colours, button))
        with serve_examples(Path(work) / "served") as pages:
            for (name, address), (look, size, colours) in product(pages.items(), LOOKS):
                click.echo(shoot(browser, address, folder / f"serve-{name}{look}.png", size, colours, ""))


@contextmanager
def serve_examples(output: Path) -> Iterator[dict[str, str]]:
    """The local page with a paper, a plan of it that was edited, a prompt by hand and a reply that arrives."""
    with Server(lambda _: stream(REPLY, reasoning=REASONING, pieces=9).hanging(3000)) as server:
        spec = ModelSpec("ollama/llama3.1", (server.base_url,), price="1,4")
        with page_server(output, spec) as client:
            key = client.give(DEMO.read_bytes(), "slack-water.md")
            plan = client.plan(key, task="author", k=4)
            edit(client, plan, "strike", "plan-1")
            forms = [{"task": "reviewer", "model": model} for model in ("by-hand", spec.model)]
            by_hand, arriving = [client.post(f"papers/{key}/jobs", form).json["to"] for form in forms]
            pages = {"home": "", "paper": f"papers/{key}", "plan": plan, "by-hand": by_hand, "reply": arriving}
            yield {name: client.address + path for name, path in pages.items()}
            server.release()


def shoot(browser: Browser, address: str, target: Path, size: tuple[int, int], colours: str, button: str) -> Path:
    """One picture of a whole page."""
    scheme = "dark" if colours == "dark" else "light"
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    page.locator("#_live pre, #_reply, .head:not(:has(#_state))").first.wait_for()
    if button:
        page.get_by_role("button", name=button).click()
    page.screenshot(path=target, full_page=True)
    context.close()
    return target


if __name__ == "__main__":
    main(Path(sys.argv[1]))
