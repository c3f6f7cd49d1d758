"""Pictures of a site to look at: `python -m tests.site.screenshots FOLDER`, run by `make screenshots`."""

import sys
import tempfile
from pathlib import Path

import click
from playwright.sync_api import Browser

from planner.site.build import build_site
from tests.site.conftest import chromium, find_browser
from tests.site.made import small_run

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


def main(folder: Path) -> None:
    """Build a small invented run and photograph it; the pictures' paths are printed."""
    if find_browser() is None:
        raise SystemExit("no browser was found: apt-get install chromium")
    with tempfile.TemporaryDirectory() as work, chromium() as browser:
        build_site([small_run(Path(work) / "a small run")], Path(work) / "site")
        for name, page, size, colours, button in SHOTS:
            address = (Path(work) / "site").as_uri() + f"/{page}"
            click.echo(shoot(browser, address, folder / f"{name}.png", size, colours, button))


def shoot(browser: Browser, address: str, target: Path, size: tuple[int, int], colours: str, button: str) -> Path:
    """One picture of a whole page."""
    scheme = "dark" if colours == "dark" else "light"
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    if button:
        page.get_by_role("button", name=button).click()
    page.screenshot(path=target, full_page=True)
    context.close()
    return target


if __name__ == "__main__":
    main(Path(sys.argv[1]))
