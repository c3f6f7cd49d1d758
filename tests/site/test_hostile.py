"""Hostile trajectories and sidecars, in the browser: nothing runs, nothing loads, nothing leaves its card."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from planner.details import (
    Details,
    Evidence,
    FindingResponse,
    RejectedAblation,
    RejectionReason,
    ReportedStudy,
    Revision,
)
from planner.errors import Outcome
from planner.files import write_file_atomically
from planner.schema import Action, Task
from planner.site.build import build_site
from tests.site.conftest import Open
from tests.site.made import LOSS, ROUTER, failed, plan_record, render_published, trajectory
from tests.trajectory import payloads

# Whatever manages to run says so: by this name, by a dialog, or by a request.
CANARY = "window.canary=1"
BREAKERS = (
    f"<script>{CANARY}</script>",
    f"</script><script>{CANARY}</script>",
    f"<!--<script>{CANARY}//",
    f"]]></script><script>{CANARY}</script>",
    f"</title><script>{CANARY}</script>",
    f"</style><script>{CANARY}</script>",
    f"</textarea></template></noscript><script>{CANARY}</script>",
    f'"><img src=x onerror="{CANARY}">',
    f"'><svg onload='{CANARY}'>",
    f'" onmouseover="{CANARY}" autofocus onfocus="{CANARY}" x="',
    f"' style='position:fixed;inset:0' onclick='{CANARY}",
    f"{{{{ ''.__class__ }}}}{{% raw %}}<script>{CANARY}</script>",
    f"javascript:{CANARY}",
    f"data:text/html,<script>{CANARY}</script>",
    "https://evil.example/",
    "//evil.example/x",
    "../../../../etc/passwd",
    "..\\..\\windows",
    "%2e%2e%2f%00%3Cscript%3E",
    "a#b?c=d&e;f",
    "\u202eevil\u2066\u2028\u2029",
    "x" * 5000,
    "constructor",
    "__proto__",
    "_main",
    "_data",
    "</div></section></main></body></html>",
    rf"$\text{{</math><img src=x onerror={CANARY}>}} a<b$",
    rf"$\href{{javascript:{CANARY}}}{{x}} \style{{position:fixed;inset:0}}{{y}}$",
    r"$\hspace{-9em}\raise{99em}{\rule{99em}{99em}} \class{card}{x}$",
    "$" + r"\newcommand{\a}{\b\b}\newcommand{\b}{\c\c}\newcommand{\c}{xx}\a" * 9 + "$",
    '{"__proto__": {"polluted": 1}}',
)
ONE_LINERS = (*BREAKERS, *payloads.ONE_LINERS)
LONG = (*payloads.PARAGRAPHS, *payloads.STEERING)


def hostile(number: int) -> tuple[str, str]:
    """A file whose every text is a payload, and the name of the model that it claims."""
    payload = ONE_LINERS[number % len(ONE_LINERS)]
    line = payload.replace("\n", " ").replace("\r", " ")
    ablation = ROUTER.model_copy(
        update={
            "name": line,
            "ablated_part": f"part {line}",
            "action": tuple(Action)[number % 3],
            "replacement": (line, f"- {line}"),
            "metrics": (line, "accuracy"),
        }
    )
    planned = trajectory(
        paper_id=f"{line.replace('/', '_')[:60] or 'x'} {number % 40}",
        model=line,
        ablations=(ablation, ablation.model_copy(update={"name": f"{line} again"})),
        task=tuple(Task)[number % 2],
        planner=("lm-planner", line.replace("/", "_") or "x")[number % 2],
        reasoning="\n\n".join((payload, LONG[number % len(LONG)], f"# {line}", f"[a]({line})", f"![b]({line})")),
    )
    return render_published(planned), line


def hostile_sidecar(number: int, line: str) -> str:
    """Facts whose every text is the payload, with numbers that no run has."""
    planned = trajectory(paper_id=f"{line[:60]} {number % 40}", model=line)
    record = plan_record(planned, title=line, reply=f"{line}\n{line}")
    details = Details(reason=line, evidence=Evidence(quote=line, section=line), hypothesis=line, control=line)
    record = record.model_copy(
        update={
            "details": (details, details),
            "order": (1, 0),
            "considered": (RejectedAblation(**dict(LOSS), details=details, why=RejectionReason.BEYOND_K),),
            "reported": (ReportedStudy(name=line, quote=line, section=line),),
            "revisions": (Revision(name=line, finding=line, response=FindingResponse.DEFENDED, why=line),),
        }
    )
    record = record.model_copy(
        update={"endpoint": line, "program_version": line, "warnings": (line,), "prompt_sha256": line}
    )
    if number % 3 == 0:
        record = failed(record, tuple(Outcome)[number % len(Outcome)], line)
    fields = record.model_dump()
    fields["parameters"] = {line: [line, None, 1e308]}
    text = json.dumps(fields, default=str)
    return text.replace('"cost": 0.0123', ('"cost": NaN', '"cost": -Infinity', '"cost": 1e308')[number % 3])


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of more than 100 hostile trajectories, most with a hostile sidecar."""
    folder = tmp_path_factory.mktemp("hostile")
    for number in range(len(ONE_LINERS)):
        text, line = hostile(number)
        place = folder / "run" / f"m{number}" / f"{number}.md"
        write_file_atomically(place, text.encode("utf-8", "surrogatepass"))
        if number % 4 != 3:
            write_file_atomically(
                place.with_suffix(".json"), hostile_sidecar(number, line).encode("utf-8", "surrogatepass")
            )
    for number, torn in enumerate(("{", "[" * 100_000, '{"cost": 1}', "null", "\x00")):
        write_file_atomically(folder / "run" / "torn" / f"{number}.json", torn)
    built = build_site([folder / "run"], folder / "out", with_docsify_site=True)
    assert built.entry_count + len(built.unread_files) == len(ONE_LINERS) + 5
    assert built.entry_count > 120
    return folder / "out"


def pages(site: Path) -> Iterator[Path]:
    yield site / "index.html"
    yield from sorted((site / "papers").iterdir())


def test_nothing_runs_loads_or_breaks_out(hostile_site: Path, open_page: Open) -> None:
    page = open_page((hostile_site / "index.html").as_uri())
    for path in pages(hostile_site):
        page.goto(path.as_uri())
        assert page.evaluate("window.canary ?? Object.prototype.polluted ?? null") is None, path.name
        assert page.evaluate(STRAY) == [], path.name


# What holds for every page: no handler or style on an element, and no text that leaves its box or closes the page's.
STRAY_FROM_BOXES = """
  for (const one of document.querySelectorAll("*")) {
    for (const { name } of one.attributes) if (/^on|^style$/.test(name)) stray.push(`${one.tagName} ${name}`);
  }
  for (const box of document.querySelectorAll(".card, .text, .box, #_live")) {
    const frame = box.getBoundingClientRect();
    for (const one of box.querySelectorAll("*")) {
      const { left, right, width } = one.getBoundingClientRect();
      if (width && (left < frame.left - 1 || right > frame.right + 1)) stray.push(one.outerHTML.slice(0, 200));
    }
  }
  if (document.querySelectorAll("body > main").length !== 1) stray.push("main");
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  if (new Set(ids).size !== ids.length) stray.push("an id twice");
"""

# Elements that a page of ours never has, links that lead elsewhere than allowed, and model text outside of its place.
STRAY = (
    """() => {
  const stray = [];
  const never = "script[src], img, svg image, iframe, object, embed, base, video, audio, link:not([rel=icon]), "
    + "form:not(#_filters), style ~ style, .panel .panel, .card .card, .box .panel";
  for (const one of document.querySelectorAll(never)) stray.push(one.outerHTML);
  for (const link of document.querySelectorAll("a")) {
    const own = link.protocol === "file:";
    if (!own && !/^https?:$/.test(link.protocol)) stray.push(link.href);
    if (!own && link.rel !== "noopener noreferrer nofollow") stray.push(link.outerHTML);
  }
"""
    + STRAY_FROM_BOXES
    + "return stray; }"
)


def test_the_list_still_works(hostile_site: Path, open_page: Open) -> None:
    page = open_page((hostile_site / "index.html").as_uri())
    assert page.locator("table.list td.model").count() == 100
    page.get_by_label("Search").fill("<script>window")
    found = page.locator("table.list td.model a")
    assert found.count() > 0
    found.first.click()
    page.get_by_role("heading", level=1).wait_for()


def test_page_names_stay_in_the_folder_and_titles_in_their_place(hostile_site: Path) -> None:
    outside = [
        path for path in hostile_site.parent.rglob("*") if path.is_file() and not path.is_relative_to(hostile_site)
    ]
    assert all(path.is_relative_to(hostile_site.parent / "run") for path in outside)
    for path in pages(hostile_site):
        text = path.read_text(encoding="utf-8")
        assert not [c for c in text if unicodedata.category(c) == "Cc" and c != "\n" and c != "\t"], path.name
        assert not set(text) & {"\u202e", "\u2066"}, path.name


def test_what_was_planted_is_shown_as_text(hostile_site: Path, open_page: Open, tmp_path: Path) -> None:
    planted = f"<script>{CANARY}</script>"
    planted_plan = replace(trajectory(), paper_id="planted", reasoning=f"It says {planted} here.")
    write_file_atomically(tmp_path / "run" / "planted.md", render_published(planted_plan))
    build_site([tmp_path / "run"], tmp_path / "out")
    page = open_page((tmp_path / "out" / "papers" / "planted.html").as_uri())
    assert page.locator(".text").inner_text() == f"It says {planted} here."
