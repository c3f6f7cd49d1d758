"""Hostile papers and replies on the page: nothing runs, nothing loads, nothing leaves its card."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from planner.models.connect import ModelSpec
from tests.scripted import contract
from tests.serve.conftest import Client, Visitor, page_server
from tests.serve.test_plans import edit
from tests.server.http import Request, Response
from tests.server.replies import as_asked, stream
from tests.server.server import Server
from tests.site.test_hostile import BREAKERS, CANARY, ONE_LINERS, STRAY_FROM_BOXES
from tests.trajectory import payloads

LINES = [line.replace("\n", " ").replace("\r", " ") for line in ONE_LINERS]
LONG = (*payloads.PARAGRAPHS, *payloads.STEERING)
PROSE = "The gate decides for each step how far the forecast may depart. It is trained with the rest of the model. " * 8
ACTIONS = ("REMOVE", "REPLACE", "ADD")


def make_paper(number: int) -> bytes:
    """A paper whose title, headings, names and tables are a payload."""
    line = LINES[number]
    parts = (
        f"# {number} {line}",
        f"## Abstract\n\n{line} {PROSE}",
        f"## 1 Method\n\n{PROSE}\n\n### 1.1 {line}\n\n{PROSE}",
        f"## 2 Ablation study {line}\n\nWithout {line}, the error rises by 3 %. We remove the {line} gate. {PROSE}",
        f"| variant | {line} |\n|---|---|\n| w/o {line} | 1.0 |\n",
        f"## {line}\n\n{LONG[number % len(LONG)]}",
        f'<span style="display:none">{line} and hidden</span>',
    )
    return "\n\n".join(parts).encode("utf-8", "replace")


def make_reply(number: int) -> str:
    """A reply whose every text is a payload; each third one holds no plan."""
    line = LINES[number]
    if number % 3 == 2:
        return f"{line}\n\n{LONG[number % len(LONG)]}"
    ablation = {
        "name": f"{line} {number}",
        "ablated_part": f"part {line}",
        "action": ACTIONS[number % 3],
        "replacement": [line, f"- {line}"] if number % 3 else [],
        "metrics": [line, "accuracy"],
        "reason": line,
        "evidence": line,
        "hypothesis": line,
        "control": line,
        "chance": 90,
    }
    other = {**ablation, "name": f"{line} again", "chance": 5}
    return contract("\n\n".join((line, LONG[number % len(LONG)], f"# {line}", f"[a]({line})")), [ablation, other])


@dataclass
class HostileModel:
    """A model that replies to each paper with its payload, wherever a reply has text."""

    number: int = 0

    def answer(self, request: Request) -> Response:
        line = LINES[self.number]
        return as_asked(request, make_reply(self.number), reasoning=line, model=line)


@pytest.fixture
def model(server: Server) -> HostileModel:
    model = HostileModel()
    server.answer = model.answer
    return model


@pytest.fixture
def page(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    with page_server(tmp_path / "out", ModelSpec("test-model", (server.base_url,))) as client:
        yield client


def visit_hostile(page: Client, model: HostileModel, visitor: Visitor, numbers: Sequence[int]) -> None:
    """Give each paper, plan it, and look at every page of it; one whose payload hides the rest of it is refused."""
    window = visitor.open(page.address)
    taken = 0
    for number in numbers:
        model.number = number
        answer = page.offer(make_paper(number), quote(f"{LINES[number][:40]}.md", errors="replace"))
        if answer.status == 400:
            continue
        taken += 1
        key = answer.json["to"].removeprefix("papers/")
        job = page.post(f"papers/{key}/jobs", {"task": "reviewer", "model": "test-model"}).json["to"]
        page.follow(job)
        for path in (f"papers/{key}", job):
            look_at(window, page.address + path)
    look_at(window, page.address)
    assert len(window.locator("#_papers ~ .rows li").all()) == taken >= 0.9 * len(numbers)


def look_at(window: Page, address: str) -> None:
    """Open a page; whatever ran, or stands where it must not, is an error."""
    window.goto(address)
    expect(window.locator("#_theme")).to_be_visible()  # our own scripts have run
    assert window.evaluate("window.canary ?? Object.prototype.polluted ?? null") is None, address
    assert window.evaluate(STRAY) == [], address


# Elements that the page never has, links and forms that lead elsewhere, and model text outside of its place.
STRAY = (
    """() => {
  const stray = [];
  const base = document.body.dataset.base;
  const never = "img, svg image, iframe, object, embed, base, video, audio, style, meta[http-equiv], "
    + ".card .card, .box .box";
  for (const one of document.querySelectorAll(never)) stray.push(one.outerHTML);
  for (const one of document.querySelectorAll("script")) {
    const path = new URL(one.src || location.href).pathname;
    if (!path.startsWith(base) || (!one.src && one.type !== "application/json")) stray.push(one.outerHTML);
  }
  for (const one of document.querySelectorAll("form")) {
    if (new URL(one.action).origin !== location.origin) stray.push(one.outerHTML);
    if (one.closest(".card") && !one.dataset.change) stray.push(one.outerHTML);
  }
  for (const link of document.querySelectorAll("a, link")) {
    const url = new URL(link.href);
    const own = url.origin === location.origin && url.pathname.startsWith(base);
    if (!own && !/^https?:$/.test(url.protocol) && link.rel !== "icon") stray.push(link.href);
    if (!own && link.rel !== "noopener noreferrer nofollow" && link.rel !== "icon") stray.push(link.outerHTML);
  }
"""
    + STRAY_FROM_BOXES
    + "return stray; }"
)


def test_hostile_papers_and_replies_stay_text(page: Client, model: HostileModel, visitor: Visitor) -> None:
    visit_hostile(page, model, visitor, range(0, len(BREAKERS), 5))


@pytest.mark.slow
def test_a_hundred_hostile_papers_and_replies_stay_text(page: Client, model: HostileModel, visitor: Visitor) -> None:
    visit_hostile(page, model, visitor, [number * len(LINES) // 100 for number in range(100)])


def test_a_hostile_reply_is_text_while_it_arrives(page: Client, server: Server, visitor: Visitor) -> None:
    texts = "\n".join((*LINES, *LONG))
    whole = stream(f"{texts}\n" + "x " * 2000, reasoning=texts, pieces=50)
    server.script(whole.hanging(len(whole.body) - 1500))  # all but the last pieces
    key = page.give(make_paper(0))
    job = page.post(f"papers/{key}/jobs", {"task": "reviewer", "model": "test-model"}).json["to"]
    window = visitor.open(page.address + job)
    expect(window.locator("#_live pre")).to_contain_text("x x x")
    assert window.locator("#_live pre *").count() == 0
    assert f"<script>{CANARY}</script>" in window.locator("#_live pre").inner_text()
    assert window.evaluate(STRAY) == []
    assert window.evaluate("window.canary ?? null") is None
    server.release()


def test_what_a_person_writes_is_text_too(page: Client, model: HostileModel, visitor: Visitor) -> None:
    model.number = 1
    path = page.plan(page.give(make_paper(1)), model="test-model")
    window = visitor.open(page.address)
    for line in BREAKERS[:6]:
        assert edit(page, path, "replace", "plan-0", line) == 200
        look_at(window, page.address + path)
