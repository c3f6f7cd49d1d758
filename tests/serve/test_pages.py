"""The page in a real browser: the whole way by mouse and by keyboard, on a phone, in two tabs, after a kill."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page, expect

from tests.scripted import GOOD_REPLY
from tests.serve.conftest import DEMO, Program, Start, Visitor
from tests.serve.test_plans import QUOTE, REPLY
from tests.server.replies import as_asked, stream
from tests.server.server import Server
from tests.site.test_browser import A_AND_AA, LOOKS, PHONE

TITLE = "Slack Water: Forecasting Tidal Currents by Gating a Harmonic Prior"


@pytest.fixture
def program(start: Start, server: Server) -> Program:
    """The program with a model at the suite's server."""
    server.answer = lambda request: as_asked(request, REPLY, reasoning="Let me think.")
    options = ("-m", "test-model", "--base-url", server.base_url, "--price", "1,4")
    return start(*options, env={"OPENAI_API_KEY": "sk-test-0123456789"})


def give_paper(page: Page) -> None:
    page.get_by_label("Drop papers here").set_input_files(DEMO)
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)


def make_plan(page: Page) -> None:
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_role("heading", name="Ablation plan")).to_be_visible()


def expect_names(page: Page, *names: str) -> None:
    expect(page.locator("#_edited > .cards > .card .name")).to_have_text(names)


def edit(page: Page, click: Callable[[], None]) -> None:
    """Wait for the page that an edit leads to."""
    version = page.locator("#_edited").get_attribute("data-version") or ""
    click()
    expect(page.locator("#_edited")).not_to_have_attribute("data-version", version)


def test_the_whole_way_by_mouse(program: Program, visitor: Visitor, server: Server) -> None:
    page = visitor.open(program.address, accept_downloads=True)
    give_paper(page)
    expect(page.get_by_text("1 request to 127.0.0.1")).to_be_visible()
    page.get_by_text("The author task would leave out").click()
    expect(page.get_by_text("4.2 Main Results: ")).to_be_visible()
    page.get_by_label("Task").select_option("author")
    expect(page.get_by_text("Left out in the author task")).to_be_visible()
    expect(page.get_by_label("Ablations, at most")).to_have_value("5")
    page.get_by_label("Ablations, at most").fill("2")
    assert not server.journal
    make_plan(page)
    expect_names(page, "No gate", "Mean gate")
    page.get_by_text("Not in the plan: 1").click()
    edit(page, page.get_by_role("button", name="Take into the plan").click)
    edit(page, page.get_by_role("group", name="Change No loss").get_by_role("button", name="Move up").click)
    edit(page, page.get_by_role("group", name="Change No gate").get_by_role("button", name="Strike out").click)
    expect_names(page, "No loss", "Mean gate")
    page.get_by_text("Edit the replacement").click()
    page.get_by_label("One per line").fill("a median\n\n  the last value  ")
    edit(page, page.get_by_role("button", name="Save").click)
    expect(page.locator(".instead li")).to_have_text(["a median", "the last value"])
    with page.expect_download() as download:
        page.get_by_role("link", name="jsonl").click()
    exported = json.loads(Path(download.value.path()).read_bytes())
    assert [each["name"] for each in exported["ablations"]] == ["No loss", "Mean gate"]
    page.get_by_role("button", name="review text").click()
    expect(page.locator("#_toast")).to_contain_text("Copied as review text")
    page.get_by_role("link", name="Papers and plans").click()
    page.get_by_role("region", name="Plans").get_by_role("link", name=TITLE).click()
    expect_names(page, "No loss", "Mean gate")
    page.get_by_role("link", name="the paper, and further plans").click()
    expect(page.get_by_role("heading", name="Make a plan")).to_be_visible()
    assert len(server.journal) == 1


def test_what_would_be_sent_follows_the_form(program: Program, visitor: Visitor) -> None:
    page = visitor.open(program.address)
    give_paper(page)
    model, price = page.get_by_role("combobox", name="Model", exact=True), page.get_by_role("status").first
    name = page.get_by_label("Name of another model")
    expect(name).to_be_hidden()
    for choice, said in (
        ("extractive", "Nothing is sent, and nothing is paid."),
        ("by-hand", "You copy a prompt of about"),
        ("other", "write the name of the model"),
    ):
        model.select_option(choice)
        expect(price).to_contain_text(said)
    name.fill("my-model")
    expect(price).to_contain_text("1 request to 127.0.0.1")
    page.get_by_label("Ablations, at most").fill("3")
    page.get_by_label("Task").select_option("author")
    expect(page.get_by_text("Left out in the author task")).to_be_visible()
    page.reload()
    expect(name).to_have_value("my-model")
    expect(page.get_by_label("Ablations, at most")).to_have_value("3")
    expect(page.get_by_label("Task")).to_have_value("author")


def test_a_file_that_is_no_paper_is_refused_and_the_others_are_taken(program: Program, visitor: Visitor) -> None:
    page = visitor.open(program.address)
    picture: FilePayload = {"name": "a picture.png", "mimeType": "", "buffer": b"\x89PNG\r\n\x1a\n" * 100}
    paper: FilePayload = {"name": "a paper.md", "mimeType": "", "buffer": DEMO.read_bytes()}
    page.get_by_label("Drop papers here").set_input_files([picture, paper])
    expect(page.get_by_role("alert")).to_contain_text("a picture.png")
    expect(page.get_by_role("region", name="Papers").get_by_role("link")).to_have_text([TITLE])
    visitor.watch.problems = [each for each in visitor.watch.problems if "400" not in each]


def test_papers_are_dropped(program: Program, visitor: Visitor) -> None:
    page = visitor.open(program.address)
    drop(page, "dropped one.md", "dropped two.md")
    papers = page.get_by_role("region", name="Papers")
    expect(papers.get_by_role("link")).to_have_text([TITLE, TITLE])
    expect(papers.locator(".soft")).to_have_text(["dropped two.md", "dropped one.md"])
    drop(page, "dropped three.md")
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    expect(page.get_by_text("dropped three.md")).to_be_visible()


def drop(page: Page, *names: str) -> None:
    files = page.evaluate_handle(
        """([text, names]) => {
          const data = new DataTransfer();
          for (const name of names) data.items.add(new File([`${text} ${name}`], name));
          return data;
        }""",
        [DEMO.read_text(encoding="utf-8"), names],
    )
    page.dispatch_event("#_drop", "dragover", {"dataTransfer": files})
    page.dispatch_event("#_drop", "drop", {"dataTransfer": files})


def test_the_whole_way_by_keyboard(program: Program, visitor: Visitor) -> None:
    page = visitor.open(program.address)
    page.on("filechooser", lambda chooser: chooser.set_files(DEMO))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab_to(page, "_file")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    tab_to(page, "_start")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ablation plan")).to_be_visible()
    tab_to(page, "plan-0-down")
    edit(page, lambda: page.keyboard.press("Enter"))
    expect_names(page, "Mean gate", "No gate")
    # "Move down" of the last one cannot be pressed, so another button of its card has the focus.
    expect(page.locator("#plan-0-strike")).to_be_focused()
    edit(page, lambda: page.keyboard.press("Space"))
    expect_names(page, "Mean gate")
    expect(page.locator("#plan-0-restore")).to_be_focused()
    edit(page, lambda: page.keyboard.press("Enter"))
    expect_names(page, "Mean gate", "No gate")
    page.locator("#plan-1-strike").focus()
    tab_to(page, "summary: Edit the replacement")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("a median")
    page.keyboard.press("Tab")
    edit(page, lambda: page.keyboard.press("Enter"))
    expect(page.locator(".instead li")).to_have_text(["a median"])


def tab_to(page: Page, target: str) -> None:
    """Press Tab until an element with this id, or this name and text, has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        here = "[document.activeElement.id, `${document.activeElement.localName}: ${document.activeElement.innerText}`]"
        if target in page.evaluate(here):
            return
    raise AssertionError(f"Tab never reaches {target!r}")


def test_a_reply_is_watched_in_two_tabs_and_after_a_reload(program: Program, visitor: Visitor, server: Server) -> None:
    server.script(stream(REPLY, reasoning=f"{QUOTE}. " * 20, pieces=20).hanging(2500))
    page = visitor.open(program.address)
    give_paper(page)
    page.get_by_role("button", name="Make the plan").click()
    live = page.locator("#_live pre")
    expect(live).to_contain_text(QUOTE)
    expect(page.get_by_role("heading", name="The plan is being made")).to_be_visible()
    other = page.context.new_page()
    other.goto(page.url)
    page.reload()
    for each in (page, other):
        expect(each.locator("#_live pre")).to_contain_text(QUOTE)
        expect(each.locator("#_live p").first).to_have_text("reading paper.md")
    server.release()  # the connection breaks, and the request is sent again
    for each in (page, other):
        expect(each.get_by_role("heading", name="Ablation plan")).to_be_visible(timeout=15_000)
    assert len(server.journal) == 2
    page.go_back()
    expect(page.get_by_role("heading", name="Make a plan")).to_be_visible()


def test_two_tabs_do_not_edit_over_each_other(program: Program, visitor: Visitor) -> None:
    page = visitor.open(program.address)
    give_paper(page)
    make_plan(page)
    other = page.context.new_page()
    other.goto(page.url)
    edit(page, page.get_by_role("button", name="Strike out").first.click)
    other.get_by_role("button", name="Strike out").last.click()
    expect(other.get_by_role("alert")).to_have_text("the plan was edited in another window; reload the page")
    other.reload()
    for each in (page, other):
        expect_names(each, "Mean gate")
    visitor.watch.problems = [each for each in visitor.watch.problems if "409" not in each]


def test_a_reply_is_fetched_by_hand(start: Start, visitor: Visitor) -> None:
    page = visitor.open(start().address, permissions=["clipboard-read", "clipboard-write"])
    give_paper(page)
    page.get_by_role("combobox", name="Model", exact=True).select_option("by-hand")
    page.get_by_label("Name of another model").fill("a chat")
    page.get_by_label("Strategy").select_option("revise")
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_role("heading", name="Send this prompt")).to_be_visible()
    page.get_by_role("button", name="Copy it").click()
    expect(page.locator("#_toast")).to_have_text("Copied")
    assert "harmonic residual gate" in page.evaluate("navigator.clipboard.readText()")
    page.reload()
    page.get_by_role("textbox", name="Paste the reply").fill(
        GOOD_REPLY.replace("harmonic residual gate", "quantum prior")
    )
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_role("heading", name="Send this message in the same conversation")).to_be_visible()
    expect(page.get_by_role("textbox", name="Copy")).to_contain_text("quantum prior")
    page.get_by_role("textbox", name="Paste the reply").fill(GOOD_REPLY)
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_role("heading", name="Ablation plan")).to_be_visible()
    expect_names(page, "No gate")


def test_many_tabs_in_the_background_hold_up_no_other(start: Start, visitor: Visitor) -> None:
    program = start()
    page = visitor.open(program.address)
    give_paper(page)
    page.get_by_role("combobox", name="Model", exact=True).select_option("by-hand")
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_role("textbox", name="Paste the reply")).to_be_visible()
    tabs = [page]
    for _ in range(7):
        set_visibility(tabs[-1], is_hidden=True)
        tabs.append(page.context.new_page())
        tabs[-1].goto(page.url, timeout=10_000)
        expect(tabs[-1].locator("#_live p")).to_contain_text("reading")
    set_visibility(page, is_hidden=False)
    tabs[-1].get_by_role("textbox", name="Paste the reply").fill(GOOD_REPLY)
    tabs[-1].get_by_role("button", name="Check it").click()
    expect(page.get_by_role("heading", name="Ablation plan")).to_be_visible()


def set_visibility(page: Page, *, is_hidden: bool) -> None:
    """Tell a page that its tab is in the background or not; those of a browser without a window never are."""
    page.evaluate(
        """(isHidden) => {
          Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


def test_after_a_kill_everything_is_there_and_goes_on(
    program: Program, start: Start, visitor: Visitor, server: Server
) -> None:
    page = visitor.open(program.address)
    give_paper(page)
    make_plan(page)
    edit(page, page.get_by_role("button", name="Strike out").first.click)
    page.get_by_role("link", name="the paper, and further plans").click()
    server.script(stream(REPLY, reasoning=f"{QUOTE}. " * 20).hanging(2500))
    page.get_by_label("Task").select_option("author")
    page.get_by_role("button", name="Make the plan").click()
    expect(page.locator("#_live pre")).to_contain_text(QUOTE)
    program.kill()
    visitor.is_program_stopped = True
    expect(page.get_by_role("alert")).to_contain_text("The program does not answer")
    options = ("-m", "test-model", "--base-url", server.base_url)
    page.goto(start(*options, env={"OPENAI_API_KEY": "sk-test-0123456789"}).address)
    plans = page.get_by_role("region", name="Plans")
    expect(plans.get_by_text("test-model, author task: interrupted")).to_be_visible()
    plans.locator("li", has_text="reviewer task").get_by_role("link").click()
    expect_names(page, "Mean gate")
    page.get_by_role("link", name="the paper, and further plans").click()
    page.get_by_label("Task").select_option("author")
    make_plan(page)
    assert len(server.journal) == 3


def test_every_page_fits_a_phone_and_its_reader(program: Program, visitor: Visitor, server: Server) -> None:
    """Each page, dark and on a phone, which is light: nothing is wider than the screen, and axe finds no violation."""
    page = visitor.open(program.address)
    give_paper(page)
    paper = page.url
    make_plan(page)
    page.get_by_text("Not in the plan").click()
    edit(page, page.get_by_role("button", name="Strike out").first.click)
    plan = page.url
    server.script(stream(REPLY, reasoning=f"{QUOTE}. " * 20).hanging(2500))
    jobs = [start_job(page, paper, author) for author in (True, False)]
    addresses = (program.address, paper, *jobs, plan)
    for look in ("dark", "phone"):
        page = visitor.open(program.address, **LOOKS[look])  # type: ignore[arg-type]
        for address in addresses:
            page.goto(address)
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            found = Axe().run(page, options=A_AND_AA)
            assert found.violations_count == 0, f"{address}: {found.generate_report()}"
            assert page.evaluate("document.scrollingElement.scrollWidth") <= page.evaluate("innerWidth"), address


def start_job(page: Page, paper: str, is_sent: bool) -> str:
    page.goto(paper)
    page.get_by_label("Task").select_option("author")
    if not is_sent:
        page.get_by_role("combobox", name="Model", exact=True).select_option("by-hand")
    page.get_by_role("button", name="Make the plan").click()
    page.wait_for_url("**/jobs/*")
    expect(
        page.locator("#_live pre") if is_sent else page.get_by_role("textbox", name="Paste the reply")
    ).to_be_visible()
    return page.url


@pytest.mark.slow
def test_the_whole_way_on_a_phone(program: Program, visitor: Visitor) -> None:
    page = visitor.open(program.address, **PHONE)
    give_paper(page)
    make_plan(page)
    edit(page, page.get_by_role("button", name="Move down").first.tap)
    expect_names(page, "Mean gate", "No gate")
