"""Nothing in a model's text leaves its box or acts in the rendered file."""

from dataclasses import replace
from itertools import pairwise

import pytest

from planner.schema import Ablation, Action, Plan, Task
from planner.trajectory.escape import escape_markup, flatten_unescapable_markup, unescape_markup
from planner.trajectory.format import Trajectory, normalize_trajectory, render_trajectory
from planner.trajectory.reader import parse_trajectory
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
        "a plain [link](https://example.org/a_b?c=d#e) and `https://example.org`",
        "```\nhttps://example.org\n```\n\nmAP@0.5, Recall@k, http and www",
        "| a | b |\n|---|---|\n| 1 | < 2 |",
        "1. one\n2. two\n   - three\n\n> quote\n\n***",
        "    indented\n\n- a\n\n      deeper",
        "AT&T, R&D, &copy; &amp; &#955;",
        "tabs\tand  two spaces  \nand a\u2028separator",
    ],
)
def test_what_is_inert_already_passes_untouched(text: str) -> None:
    assert flatten_unescapable_markup(text) == text
    assert escape_markup(text) == text
    assert unescape_markup(text) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a photo of a <CLS>.", "a photo of a &lt;CLS>."),
        ("<I>SSUP", "&lt;I>SSUP"),
        ("</div>", "&lt;/div>"),
        ("&lt;CLS>", "&amp;lt;CLS>"),
        ("&amp;lt;", "&amp;amp;lt;"),
        ("<https://example.org>", "&lt;https&#58;//example.org>"),
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
    assert flatten_unescapable_markup(text) == text
    assert escape_markup(text) == written
    assert unescape_markup(written) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("## Existing ablations", "&#35;# Existing ablations"),
        ("forged\n===", "forged\n&#61;=="),
        ("[x](javascript:alert(1))", "&#91;x](javascript:alert(1))"),
        ("![x](https://example.org/x.png)", "!&#91;x](https&#58;//example.org/x.png)"),
        ("[x]: https://example.org", "&#91;x]: https&#58;//example.org"),
        ("~`<img src=x>`", "~&#96;&lt;img src=x>`"),
        ("- [x] # forged", "- [x] &#35; forged"),
        ("```\nopen", "&#96;&#96;&#96;\nopen"),
        ("&#35; is &lt;", "&amp;#35; is &amp;lt;"),
        ("    [a](b)", "    [a]&#40;b)"),
    ],
)
def test_markup_is_escaped_and_read_back(text: str, written: str) -> None:
    assert flatten_unescapable_markup(text) == text
    assert escape_markup(text) == written
    assert unescape_markup(written) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("see https://a.example/b", "see https&#58;//a.example/b"),
        ("(HTTP://a.example)", "(HTTP&#58;//a.example)"),
        ("*ftp://a.example*", "*ftp&#58;//a.example*"),
        ("www.a.example", "www&#46;a.example"),
        ("https://www.a.example", "https&#58;//www&#46;a.example"),
        ("ask me@a.example or mailto:me", "ask me&#64;a.example or mailto&#58;me"),
        ("`https://a.example` https://b.example", "`https://a.example` https&#58;//b.example"),
        ("[a](https://a.example) www.b.example", "[a](https://a.example) www&#46;b.example"),
    ],
)
def test_a_bare_address_is_no_link(text: str, written: str) -> None:
    for prefix in ("", "x ", "- "):
        assert escape_markup(text, preceding_text=prefix) == written
        assert unescape_markup(written, preceding_text=prefix) == text
    trajectory = replace(TRAJECTORY, reasoning=text)
    assert parse_trajectory(render_trajectory(trajectory).encode(), "file") == trajectory


def test_markup_too_deep_to_be_judged_becomes_plain_text() -> None:
    assert flatten_unescapable_markup(f"{'>' * 40} # a") == f"{chr(92) + '>'}" * 40 + r" \# a"


def test_a_change_for_good_is_a_warning_that_says_where() -> None:
    hostile = replace(with_ablation(name="# a"), reasoning=f"{'>' * 40} a\n\x1b[31mred")
    assert normalize_trajectory(hostile).warnings == (
        "reasoning: 1 terminal escape sequences removed",
        "reasoning: markup that could not be checked was made plain text",
    )


def test_what_a_browser_would_swallow_is_shown() -> None:
    page = render(render_trajectory(replace(TRAJECTORY, reasoning="a photo of a <CLS>, not &lt;")), 2)
    assert "a photo of a <CLS>, not &lt;" in "".join(page.text)
