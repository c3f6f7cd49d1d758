"""Measure the time to build a site and to open its index in a browser: `python -m bench.site`."""

import argparse
import os
import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from playwright.sync_api import Browser

from planner.site.build import build_site
from planner.site.pages import render_index_page
from tests.site.conftest import chromium, find_browser
from tests.site.made import many_rows

# From the start of the navigation, in milliseconds.
USABLE_SCRIPT = "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
# From a keystroke until the new list is painted, in milliseconds.
SEARCH_SCRIPT = """async (text) => {
  const search = document.querySelector("[name=q]");
  const begin = performance.now();
  search.value = text;
  search.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  return performance.now() - begin;
}"""


@dataclass(frozen=True)
class IndexTimes:
    """The milliseconds until an index can be used, and from a keystroke to the new list (first and later search)."""

    usable: float
    first_search: float
    search: float


def main() -> None:
    """Measure all sites and print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = os.environ.get("PLANNER_SHARED", "../shared")
    parser.add_argument("--trajectories", type=Path, default=Path(shared) / "trajectories")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if find_browser() is None:
        raise SystemExit("no browser was found: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        if options.trajectories.is_dir():
            measure_build(options.trajectories, Path(folder), browser, options.rounds)
        for papers, models in ((561, 5), (20_000, 1), (20_000, 5)):
            index = Path(folder) / f"{papers}-{models}.html"
            index.write_text(render_index_page(list(many_rows(papers, models)), ["synthetic"]), encoding="utf-8")
            measure_index(f"{papers:,} papers x {models} models", index, browser, options.rounds)


def measure_build(trajectories: Path, folder: Path, browser: Browser, rounds: int) -> None:
    """Build a site, open its index, and print the times."""
    begin = time.perf_counter()
    built = build_site([trajectories], folder / "site")
    seconds = time.perf_counter() - begin
    size = sum(path.stat().st_size for path in (folder / "site").rglob("*") if path.is_file())
    times = f"built in {seconds:.1f} s (limit 20), {size / 1e6:.1f} MB (limit 40)"
    print(f"site of {built.entry_count:,} trajectories: {times}")
    label = f"{built.paper_count:,} papers, {built.entry_count:,} trajectories"
    measure_index(label, built.index_path, browser, rounds)


def measure_index(name: str, index: Path, browser: Browser, rounds: int) -> None:
    """Open an index several times, and print the slowest times."""
    openings = [measure_opening(index, browser) for _ in range(rounds)]
    slowest = IndexTimes(*map(max, zip(*map(astuple, openings), strict=True)))
    print(
        f"index of {name} ({index.stat().st_size / 1e6:.1f} MB): usable after {slowest.usable:.0f} ms, "
        f"first search {slowest.first_search:.0f} ms, search {slowest.search:.0f} ms (slowest of {rounds})"
    )


def measure_opening(index: Path, browser: Browser) -> IndexTimes:
    """Open an index in a new browser context, search in it, and return the times."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(index.as_uri())
    page.locator("table.list td.model").first.wait_for()
    measured = IndexTimes(
        page.evaluate(USABLE_SCRIPT),
        page.evaluate(SEARCH_SCRIPT, "sparse rou"),
        page.evaluate(SEARCH_SCRIPT, "sparse routing"),
    )
    context.close()
    return measured


if __name__ == "__main__":
    main()
