"""Nothing in a model's text leaves its box or acts in the rendered file."""

from dataclasses import replace
from itertools import pairwise

import pytest

from planner.schema import Ablation, Action, Plan, Task
from planner.trajectory.escape import escape_tags, neutralize_markup, unescape_tags
from planner.trajectory.format import Trajectory
from planner.trajectory.reader import parse_trajectory
from planner.trajectory.writer import normalize_trajectory, render_trajectory
from tests.trajectory.payloads import LINES, ONE_LINERS, REASONINGS
from tests.trajectory.rendering import render

ABLATION = Ablation(
    name="Without the gate",
    ablated_part="the gate",
    action=Action.REPLACE,
    replacement=("a fixed gate", "no gate"),
    metrics=("accuracy", "latency"),
)
PLAIN = Ablation(name="Without noise", ablated_part="noise", action=Action.REMOVE, metrics=("accuracy",))
TRAJECTORY = Trajectory(
    planner="lm-planner",
    model="some/model-1.5",
    paper_id="A_Paper",
    task=Task.REVIEWER,
    reasoning="The gate is never ablated.",
    plan=Plan(ablations=(ABLATION, PLAIN)),
)


def with_ablation(**fields: object) -> Trajectory:
    return replace(TRAJECTORY, plan=Plan(ablations=(ABLATION.model_copy(update=fields), PLAIN)))


def assert_inert_and_readable(trajectory: Trajectory) -> None:
    normalized = normalize_trajectory(trajectory)
    text = render_trajectory(trajectory)
    render(text, len(trajectory.plan.ablations))
    assert parse_trajectory(text.encode(), "file") == normalized
    assert render_trajectory(normalized) == text
    assert normalize_trajectory(normalized) == normalized
    assert not normalize_trajectory(replace(normalized, warnings=())).warnings


def test_there_are_enough_attacks() -> None:
    assert len(set(LINES)) >= 60


@pytest.mark.parametrize("payload", REASONINGS)
def test_a_hostile_reasoning_is_inert(payload: str) -> None:
    for around in ("{}", "before\n\n{}\n\nafter", "before {} after", "- item\n  {}\n- item", "{}\n{}"):
        assert_inert_and_readable(replace(TRAJECTORY, reasoning=around.replace("{}", payload)))


@pytest.mark.parametrize("payload", ONE_LINERS)
@pytest.mark.parametrize("around", ["{}", "before {} after", " {}", "`{}", "{}` "])
def test_a_hostile_field_is_inert(payload: str, around: str) -> None:
    text = around.replace("{}", payload)
    assert_inert_and_readable(with_ablation(name=text))
    assert_inert_and_readable(with_ablation(ablated_part=text))
    assert_inert_and_readable(with_ablation(replacement=(text, text, "no gate")))
    assert_inert_and_readable(with_ablation(metrics=(text, "accuracy", text)))


@pytest.mark.parametrize("payload", LINES)
def test_a_hostile_heading_is_inert(payload: str) -> None:
    for segment in ("planner", "model", "paper_id"):
        normalized = replace(TRAJECTORY, **{segment: payload})
        assert_inert_and_readable(normalized)


def test_every_field_at_once_is_inert() -> None:
    for first, second in pairwise(ONE_LINERS):
        hostile = with_ablation(name=first, ablated_part=second, replacement=(second, first), metrics=(first, second))
        assert_inert_and_readable(replace(hostile, reasoning=f"{first}\n{second}", model=first, paper_id=second))


@pytest.mark.parametrize(
    "text",
    [
        "x<sup>2</sup> and H<sub>2</sub>O",
        "<b>a <i>b</i></b> <em>c</em> <strong>d</strong> <code>e</code>",
        "one<br>two<br/>three<br />four",
        "<br>\nalone on its line",
        "a\n\n<br>\n\nb",
        "*a <b>b</b>* and **<i>c</i>**",
        "if x < 3 and y <= 4, or a<5%, <- and <3",
        "`<CLS>` and `a</div>`",
        "```html\n<div onclick=x>\n</div>\n```",
        "~~~\n&lt; stays\n~~~",
        "`&lt;` too",
        "a plain [link](https://example.org/a_b?c=d#e) and https://example.org",
        "| a | b |\n|---|---|\n| 1 | < 2 |",
        "1. one\n2. two\n   - three\n\n> quote\n\n***",
        "    indented\n\n- a\n\n      deeper",
        "AT&T, R&D, &copy; &amp; &#955;",
        "tabs\tand  two spaces  \nand a\u2028separator",
    ],
)
def test_what_is_inert_already_passes_untouched(text: str) -> None:
    assert neutralize_markup(text).text == text
    assert neutralize_markup(text).changes == ()
    assert escape_tags(text) == text
    assert unescape_tags(text) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a photo of a <CLS>.", "a photo of a &lt;CLS>."),
        ("<I>SSUP", "&lt;I>SSUP"),
        ("</div>", "&lt;/div>"),
        ("&lt;CLS>", "&amp;lt;CLS>"),
        ("&amp;lt;", "&amp;amp;lt;"),
        ("<https://example.org>", "&lt;https://example.org>"),
        ("<b>one", "&lt;b>one"),
        ("*<b>*</b>", "*&lt;b>*&lt;/b>"),
        ("<b>one\n\ntwo</b>", "&lt;b>one\n\ntwo&lt;/b>"),
        ("- <b>one\n- two</b>", "- &lt;b>one\n- two&lt;/b>"),
        ("<b>\nx\n</b> `<u>`", "&lt;b>\nx\n&lt;/b> `<u>`"),
        ("`a` <x> `<y>`", "`a` &lt;x> `<y>`"),
        ("<a title='`'> x ` y", "&lt;a title='`'> x ` y"),
        ("    <b>", "    &lt;b>"),
        ("\\<CLS> \\\\<CLS>", "\\<CLS> \\\\&lt;CLS>"),
    ],
)
def test_an_opening_angle_is_escaped_and_read_back(text: str, written: str) -> None:
    assert neutralize_markup(text) == neutralize_markup(neutralize_markup(text).text)
    assert neutralize_markup(text).changes == ()
    assert escape_tags(text) == written
    assert unescape_tags(written) == text


@pytest.mark.parametrize(
    ("text", "normalized", "kind"),
    [
        ("## Existing ablations", "\\## Existing ablations", "a heading"),
        ("forged\n===", "forged\n\\===", "a heading"),
        ("[x](javascript:alert(1))", "\\[x](javascript:alert(1))", "a link"),
        ("![x](https://example.org/x.png)", "!\\[x](https://example.org/x.png)", "an image"),
        ("[x]: https://example.org", "\\[x]: https://example.org", "a link"),
        ("~`<img src=x>`", "~\\`<img src=x>`", "a code span"),
        ("- [x] # forged", "- [x] \\# forged", "a heading"),
        ("```\nopen", "\\`\\`\\`\nopen", "a code fence"),
    ],
)
def test_what_cannot_be_undone_is_changed_visibly(text: str, normalized: str, kind: str) -> None:
    assert neutralize_markup(text).text == normalized
    assert neutralize_markup(text).changes == (kind,)


def test_a_change_for_good_is_a_warning_that_says_where() -> None:
    hostile = replace(with_ablation(name="![x](y)"), reasoning="# forged\n\x1b[31mred")
    assert normalize_trajectory(hostile).warnings == (
        "reasoning: 1 terminal escape sequences removed",
        "reasoning: a heading was made plain text",
        "ablation 1, name: an image was made plain text",
    )


def test_what_a_browser_would_swallow_is_shown() -> None:
    page = render(render_trajectory(replace(TRAJECTORY, reasoning="a photo of a <CLS>, not &lt;")), 2)
    assert "a photo of a <CLS>, not &lt;" in "".join(page.text)
