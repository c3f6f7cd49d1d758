"""The site in a real browser, as a reader has it: from disk and from a server, by mouse, by keyboard, on a phone."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from planner.files import write_file_atomically
from planner.site.copies import format_plan_copies
from planner.site.entries import create_planned_entry
from planner.site.pages import render_entry_page, render_index_page
from tests.site.conftest import Open, find_browser
from tests.site.made import LOSS, ROUTER, many_rows, trajectory

PAPER = "papers/Routing_Before_Reasoning__Sparse_Experts_for_Long_Video.html"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LOOKS = {"light": {"color_scheme": "light"}, "dark": {"color_scheme": "dark"}, "phone": PHONE}
A_AND_AA = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture(params=["from disk", "from a server"])
def address(request: pytest.FixtureRequest, site: Path) -> str:
    if request.param == "from disk":
        return site.as_uri()
    return str(request.getfixturevalue("served"))


def rows(page: Page) -> int:
    return page.locator("table.list td.model").count()


def titles(page: Page) -> list[str]:
    return page.locator("table.list tbody th a").all_inner_texts()


def test_a_browser_is_found() -> None:
    if find_browser() is None:
        pytest.skip("no browser was found, so no page was opened: apt-get install chromium")


def test_the_index_leads_to_a_paper_and_back(open_page: Open, address: str) -> None:
    page = open_page(f"{address}/index.html")
    assert rows(page) == 13
    expect(page.locator("#_totals")).to_contain_text(re.compile(r"5\s*papers|papers\s*5"))
    expect(page.locator("#_totals")).to_contain_text("studies by several models8")
    page.get_by_role("link", name="Routing Before Reasoning").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Routing Before Reasoning: Sparse Experts for Long Video")
    expect(page.locator(".agreement li")).to_have_count(2)
    page.get_by_role("link", name="All plans").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ablation plans")


def test_search_filters_and_sort_narrow_and_order_the_list(open_page: Open, address: str) -> None:
    page = open_page(f"{address}/index.html")
    page.get_by_label("Search").fill("CODEBOOK plainer")
    expect(page.locator("#_status")).to_have_text("5 of 13")
    assert set(page.locator("table.list mark").all_inner_texts()) == {"codebook", "plainer"}
    page.get_by_label("Search").fill("(*[")
    expect(page.locator("#_status")).to_have_text("0 of 13")
    page.get_by_label("Search").fill("三维重建")
    assert titles(page) == ["少样本三维重建中的一致性学习：一个统一的框架"]
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#_status")).to_have_text("13 in all")
    page.get_by_label("Outcome").select_option("refused")
    expect(page.locator("table.list")).to_be_hidden()
    expect(page.locator("#_reasons tr")).to_have_count(1)
    expect(page.locator("#_reasons")).to_contain_text("I cannot help with this paper.")
    page.get_by_label("Outcome").select_option("")
    page.get_by_label("Model").select_option("gpt-4o")
    page.get_by_label("Task").select_option("author")
    assert titles(page) == ["shared-codebook"]
    page.get_by_label("Task").select_option("")
    page.get_by_role("button", name="Cost").click()
    costs = page.locator("table.list td.cost").all_inner_texts()
    assert costs == sorted(costs, reverse=True)
    expect(page.get_by_role("columnheader", name="Cost ↓")).to_have_attribute("aria-sort", "descending")


def test_a_view_of_the_list_can_be_shared(open_page: Open, site: Path) -> None:
    page = open_page(f"{site.as_uri()}/index.html")
    page.get_by_label("Search").fill("codebook")
    page.get_by_label("Action").select_option("ADD")
    page.get_by_role("button", name="Number").click()
    shown = titles(page)
    again = open_page(page.url)
    assert titles(again) == shown
    expect(again.get_by_label("Search")).to_have_value("codebook")


def test_a_long_list_is_paged(open_page: Open, tmp_path: Path) -> None:
    write_file_atomically(tmp_path / "index.html", render_index_page(list(many_rows(130, 2)), ["many"]))
    page = open_page(f"{tmp_path.as_uri()}/index.html")
    assert rows(page) == 100
    first = titles(page)
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#_page")).to_have_text("Page 2 of 3")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#_page")).to_have_text("Page 3 of 3")
    page.get_by_role("button", name="Next").press("Enter")
    expect(page.get_by_role("button", name="Next")).to_be_focused()
    page.get_by_role("button", name="Previous").click()
    expect(page.locator("#_page")).to_have_text("Page 2 of 3")
    assert not set(titles(page)) & set(first)
    again = open_page(page.url)
    expect(again.locator("#_page")).to_have_text("Page 2 of 3")
    again.get_by_label("Search").fill("sparse")
    expect(again.locator("#_page")).to_contain_text("Page 1 of")


@pytest.mark.slow
def test_twenty_thousand_papers_open_in_two_seconds(open_page: Open, tmp_path: Path) -> None:
    write_file_atomically(tmp_path / "index.html", render_index_page(list(many_rows(20_000, 1)), ["many"]))
    page = open_page(f"{tmp_path.as_uri()}/index.html")
    expect(page.locator("#_status")).to_have_text("20,000 in all")
    usable = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert usable < 2000


def test_skipping_to_the_content_keeps_the_filters(open_page: Open, site: Path) -> None:
    page = open_page(f"{site.as_uri()}/index.html")
    page.get_by_label("Search").fill("codebook")
    page.get_by_role("link", name="Skip to the content").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**#_main")
    expect(page.locator("main")).to_be_focused()
    expect(page.get_by_label("Search")).to_have_value("codebook")
    assert rows(page) < 13


def test_nothing_found_says_so(open_page: Open, site: Path) -> None:
    page = open_page(f"{site.as_uri()}/index.html")
    page.get_by_label("Search").fill("no such thing anywhere")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page.get_by_role("button", name="Clear the search and filters").click()
    expect(page.locator("#_status")).to_have_text("13 in all")


def test_a_link_to_one_ablation_opens_its_model_and_shows_it(open_page: Open, address: str) -> None:
    page = open_page(f"{address}/{PAPER}#o3-mini/1")
    expect(page.get_by_role("tab", name="o3-mini")).to_have_attribute("aria-selected", "true")
    card = page.locator("[id='o3-mini/1']")
    expect(card).to_be_in_viewport()
    expect(card).to_contain_text("No consistency loss")
    card.get_by_role("link", name="gpt-4o").click()
    expect(page.get_by_role("tab", name="gpt-4o")).to_have_attribute("aria-selected", "true")
    expect(page.locator("[id='gpt-4o/2']")).to_be_in_viewport()
    assert page.url.endswith("#gpt-4o/2")


def test_a_failed_paper_says_why(open_page: Open, site: Path) -> None:
    page = open_page(f"{site.as_uri()}/papers/Quantised_Memories.html#gpt-4o")
    panel = page.get_by_role("tabpanel", name="gpt-4o")
    expect(panel).to_contain_text("Not planned: refused")
    expect(panel).to_contain_text("I cannot help with this paper.")
    panel.get_by_text("Run facts").click()
    panel.get_by_text("Attempt 1: refused").click()
    expect(panel.get_by_text("<plan>…</plan>")).to_be_visible()


@pytest.mark.parametrize("form", ["review text", "Markdown", "JSONL", "CSV"])
def test_a_plan_is_copied(open_page: Open, site: Path, form: str) -> None:
    page = open_page(f"{site.as_uri()}/{PAPER}#gpt-4o", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("tabpanel", name="gpt-4o").get_by_role("button", name=form).click()
    expect(page.locator("#_toast")).to_have_text(f"Copied as {form}")
    name = form.removesuffix(" text").lower()
    planned = trajectory(ablations=(ROUTER, LOSS))
    expected = getattr(format_plan_copies(create_planned_entry(planned)), name)
    assert page.evaluate("navigator.clipboard.readText()") == expected


def test_a_plan_is_copied_where_the_browser_has_no_clipboard_for_pages(open_page: Open, served: str) -> None:
    page = open_page(f"{served}/{PAPER}", permissions=["clipboard-read"])
    page.evaluate("Object.defineProperty(navigator.clipboard, 'writeText', { value: () => Promise.reject() })")
    page.get_by_role("tabpanel").get_by_role("button", name="JSONL").click()
    expect(page.locator("#_toast")).to_have_text("Copied as JSONL")
    assert str(page.evaluate("navigator.clipboard.readText()")).startswith('{"name":"Ablation 1"')


def test_models_side_by_side(open_page: Open, site: Path) -> None:
    page = open_page(f"{site.as_uri()}/{PAPER}")
    expect(page.locator(".panel:visible")).to_have_count(1)
    page.get_by_role("button", name="Side by side").click()
    expect(page.locator(".panel:visible")).to_have_count(3)
    tops = {box["y"] for panel in page.locator(".panel").all() if (box := panel.bounding_box())}
    assert len(tops) == 1


def test_everything_can_be_done_by_keyboard(open_page: Open, site: Path) -> None:
    page = open_page(f"{site.as_uri()}/index.html")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("routing before")
    expect(page.locator("#_status")).to_have_text("3 of 13")
    link = page.get_by_role("link", name="Routing Before Reasoning")
    _tab_to(page, link_text="Routing Before Reasoning: Sparse Experts for Long Video")
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/papers/*")
    _tab_to(page, link_text="claude-3.5-sonnet 2")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="gpt-4o")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="gpt-4o")).to_be_visible()
    page.keyboard.press("End")
    expect(page.get_by_role("tabpanel", name="o3-mini")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel", name="claude-3.5-sonnet")).to_be_visible()
    _tab_to(page, link_text="JSONL")
    page.keyboard.press("Enter")
    expect(page.locator("#_toast")).to_have_text("Copied as JSONL")


def _tab_to(page: Page, link_text: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText.replace(/\\s+/g, ' ')") == link_text:
            return
    raise AssertionError(f"Tab never reaches {link_text!r}")


@pytest.mark.parametrize("where", ["index.html", PAPER, "papers/Quantised_Memories.html"])
def test_nothing_is_wider_than_a_phone(open_page: Open, site: Path, where: str) -> None:
    page = open_page(f"{site.as_uri()}/{where}", **PHONE)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("where", ["index.html", PAPER, "papers/Quantised_Memories.html#gpt-4o"])
def test_axe_finds_no_violation(open_page: Open, site: Path, where: str, look: dict[str, object]) -> None:
    page = open_page(f"{site.as_uri()}/{where}", **look)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(page, options=A_AND_AA)
    assert found.violations_count == 0, found.generate_report()


def test_the_theme_is_chosen_and_kept(open_page: Open, address: str) -> None:
    page = open_page(f"{address}/index.html", color_scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.goto(f"{address}/{PAPER}")
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()


def test_a_theme_chosen_in_one_tab_is_shown_in_the_other(open_page: Open, address: str) -> None:
    one = open_page(f"{address}/index.html")
    other = one.context.new_page()
    other.goto(f"{address}/{PAPER}")
    one.get_by_role("button", name="Theme: auto").click()
    expect(other.get_by_role("button", name="Theme: light")).to_be_visible()


def test_without_scripts_and_in_print_every_plan_is_there(open_page: Open, site: Path) -> None:
    bare = open_page(f"{site.as_uri()}/{PAPER}", java_script_enabled=False)
    expect(bare.locator(".panel:visible")).to_have_count(3)
    printed = open_page(f"{site.as_uri()}/{PAPER}")
    printed.emulate_media(media="print")
    expect(printed.locator(".panel:visible")).to_have_count(3)
    expect(printed.get_by_role("button", name="Side by side")).to_be_hidden()


def test_one_trajectory_is_one_page(open_page: Open, tmp_path: Path) -> None:
    file = tmp_path / "plan.html"
    file.write_text(render_entry_page(create_planned_entry(trajectory("A_Paper"))), encoding="utf-8")
    page = open_page(file.as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text("A Paper")
    expect(page.locator(".card")).to_have_count(2)
    expect(page.get_by_role("link", name="All plans")).to_have_count(0)
    page.get_by_role("link", name="Permanent link to ablation 2").click()
    assert page.url.endswith("#gpt-4o/2")
    assert Axe().run(page, options=A_AND_AA).violations_count == 0
