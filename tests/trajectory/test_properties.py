"""Properties of any trajectory, any Unicode and any bytes."""

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from planner.errors import TrajectoryError
from planner.schema import Ablation, Action, Plan, Task
from planner.trajectory import format
from planner.trajectory.format import Trajectory, normalize_trajectory, render_trajectory
from planner.trajectory.reader import parse_trajectory
from tests.trajectory.payloads import LINES, PARAGRAPHS
from tests.trajectory.rendering import render

ANY = st.characters(exclude_categories=())
# Pieces that mean something to some renderer, so that random texts are not all plain.
PIECES = st.sampled_from(
    [
        *"<>/!?&;\\`*_~[]():#|-+=.\"' \t\x1b\u202e\u2028\u00a0a1é",
        *("``", "```", "~~~", "**", "](", "![", "]:", "<b>", "</b>", "<br>", "<sup>", "</sup>", "<i>", "</i>"),
        *(
            "<CLS>",
            "<script>",
            "</div>",
            "<div ",
            "<!--",
            "&lt;",
            "&amp;lt;",
            "&amp;",
            "&#60;",
            "<img src=x onerror=x>",
        ),
        *("javascript:x", "https://x.example", "[x](https://x.example)", "![x](y)", "    ", "- ", "1. ", "> ", "# "),
        *("[x]: y", "|-|-|", "a | b", "&#35;", "&#91;", "&amp;#58;", "www.", "me@x.example", "https://", "---", "==="),
    ]
)
LINE = st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(ANY, max_size=12), st.sampled_from(LINES))
FIELD = LINE.map(lambda text: text.replace("\n", " ").replace("\r", " ")).filter(str.strip)
REASONING = st.one_of(
    st.lists(st.one_of(st.lists(PIECES, max_size=6).map("".join), st.just("")), max_size=8).map("\n".join),
    st.text(ANY, max_size=60),
    st.lists(st.sampled_from([*LINES, *PARAGRAPHS]), max_size=3).map("\n".join),
)
SOME = st.lists(FIELD, min_size=1, max_size=3).map(tuple)


@st.composite
def ablations(draw: st.DrawFn, name: str) -> Ablation:
    action = draw(st.sampled_from(Action))
    return Ablation(
        name=name,
        ablated_part=draw(FIELD),
        action=action,
        replacement=() if action is Action.REMOVE else draw(SOME),
        metrics=draw(SOME),
    )


@st.composite
def trajectories(draw: st.DrawFn) -> Trajectory:
    names = draw(st.lists(FIELD, min_size=1, max_size=3, unique=True))
    return Trajectory(
        planner=draw(LINE),
        model=draw(LINE),
        paper_id=draw(LINE),
        task=draw(st.sampled_from(Task)),
        reasoning=draw(REASONING),
        plan=Plan(ablations=tuple(draw(ablations(name)) for name in names)),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(trajectories())
def test_writing_and_reading_settle_at_once(trajectory: Trajectory) -> None:
    text = render_trajectory(trajectory)
    normalized = normalize_trajectory(trajectory)
    again = parse_trajectory(text.encode(), "file")
    assert again == normalized
    assert again.warnings == ()
    assert render_trajectory(again) == text
    assert normalize_trajectory(normalized).warnings == normalized.warnings


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(trajectories())
def test_any_written_file_is_inert(trajectory: Trajectory) -> None:
    render(render_trajectory(trajectory), len(trajectory.plan.ablations))


WRITTEN = "\n\n".join(
    (
        format.STYLE_BLOCK,
        "# lm-planner/m/p",
        f"{format.REASONING_BOX}\n\nWhy.\n{format.BOX_END}",
        format.PLAN_BOXES[Task.AUTHOR],
        "### A\n- **Ablated Part**: b\n- **Action**: REPLACE\n- **Replacement**: \n  - c\n- **Metrics**: d",
        format.BOX_END,
    )
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sound file with a stretch of it replaced, or cut off, somewhere."""
    data = WRITTEN.encode()
    start = draw(st.integers(0, len(data)))
    end = draw(st.one_of(st.integers(start, min(len(data), start + 40)), st.just(len(data))))
    return (
        data[:start]
        + draw(st.one_of(st.binary(max_size=20), LINE.map(lambda t: t.encode("utf-8", "replace"))))
        + data[end:]
    )


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(), st.text().map(str.encode), damaged()))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(WRITTEN.encode("utf-16"))
@example(WRITTEN.encode("utf-8").decode("cp1252", "replace").encode())
def test_a_reader_fails_only_by_name(data: bytes) -> None:
    try:
        trajectory = parse_trajectory(data, "file")
    except TrajectoryError as error:
        assert str(error).startswith("file")
    else:
        assert trajectory.plan.ablations
