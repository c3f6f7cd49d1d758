"""Files as they come: sound, damaged by other programs, cut short, or no trajectories at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from planner.errors import TrajectoryError
from planner.schema import Ablation, Action, Plan, Task
from planner.trajectory import format
from planner.trajectory.format import Trajectory, render_trajectory
from planner.trajectory.reader import MAX_TRAJECTORY_BYTES, parse_trajectory, read_trajectory

GOLDEN = Path(__file__).parent / "golden" / "Gates_in_Small_Models_.md"
TRAJECTORY = Trajectory(
    planner="lm-planner",
    model="acme/gate-1.5",
    paper_id="Gates_in_Small_Models_",
    task=Task.AUTHOR,
    reasoning=(
        "The paper compares depths but never removes the **gate** g<sub>t</sub>:\n\n"
        "1. The gate reads the <EOS> token, written `<EOS>` in Listing 1.\n"
        "2. A literal &lt; stays one.\n\n"
        "\\# Not a heading"
    ),
    plan=Plan(
        ablations=(
            Ablation(
                name="Gate or no gate",
                ablated_part="the gate of Section 3.1",
                action=Action.REPLACE,
                replacement=("a constant gate", "{'gate': 'tanh', 'size': 8}"),
                metrics=("perplexity", "tokens/s"),
            ),
            Ablation(
                name="Without the warm-up",
                ablated_part="learning-rate warm-up",
                action=Action.REMOVE,
                metrics=("perplexity",),
            ),
        )
    ),
)
TEXT = GOLDEN.read_text(encoding="utf-8")


def test_the_whole_format() -> None:
    assert read_trajectory(GOLDEN) == TRAJECTORY
    assert read_trajectory(GOLDEN).warnings == ()
    assert render_trajectory(TRAJECTORY) == TEXT
    assert render_trajectory(replace(TRAJECTORY, reasoning=f"\n  {TRAJECTORY.reasoning} \n")) == TEXT


def test_an_escape_is_undone() -> None:
    heading = replace(TRAJECTORY, reasoning=TRAJECTORY.reasoning.replace("\\#", "#"))
    written = render_trajectory(heading)
    assert written == TEXT.replace("\\#", "&#35;")
    assert parse_trajectory(written.encode(), "file") == heading


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        (TEXT + "\n\n").encode(),
        TEXT.replace("\n\n</div>", "\n</div>").encode(),
        TEXT.replace("**Replacement**: \n", "**Replacement**:\n").encode(),
    ],
    ids=["BOM", "CRLF", "CR", "last line ends", "no blank line", "trailing blank taken"],
)
def test_what_editors_do_to_a_file_is_no_flaw(data: bytes) -> None:
    assert parse_trajectory(data, "file") == TRAJECTORY
    assert parse_trajectory(data, "file").warnings == ()


@pytest.mark.parametrize("code_page", ["cp1252", "mac_roman"])
def test_mojibake_is_repaired_and_said(code_page: str) -> None:
    garbled = "".join(bytes([byte]).decode(code_page, "ignore") or chr(byte) for byte in TEXT.encode()).encode()
    trajectory = parse_trajectory(garbled, "file")
    assert trajectory == TRAJECTORY
    assert trajectory.warnings == ("characters were repaired: the file had been decoded with the wrong code page",)


def test_odd_characters_of_a_sound_file_are_no_mojibake() -> None:
    odd = replace(TRAJECTORY, reasoning="â€œquotedâ€\u009d".replace("\u009d", "") + " cafÃ© ðŸ§")
    assert parse_trajectory(render_trajectory(odd).encode(), "file") == odd


def test_only_line_feeds_end_a_line() -> None:
    odd = replace(TRAJECTORY, reasoning="a\tb\u2028### c\u2029d\u00a0e")
    assert parse_trajectory(render_trajectory(odd).encode(), "file") == odd


def test_a_reasoning_may_quote_the_format() -> None:
    quoting = replace(TRAJECTORY, reasoning=f"As in\n\n```\n{TEXT}\n```\n\nand so on.")
    assert parse_trajectory(render_trajectory(quoting).encode(), "file") == quoting


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ("\n\n</div>$", "", "incomplete"),
        ("- **Metrics**: perplexity\n\n</div>$", "", "no line for Metrics"),
        ("- **Action**: REMOVE\n- **Metrics**: perplexity\n\n</div>$", "", "left out"),
        ("  - a constant gate\n  - {'gate': 'tanh', 'size': 8}\n", "", "needs at least one replacement"),
        ("**Replacement**: \n", "**Replacement**: inline\n", "on the line of its label"),
        ("REMOVE", "Remove", "the action was written 'Remove'"),
        ("REMOVE", "SHUFFLE", "'SHUFFLE' is not one of"),
        ("### Without the warm-up", "### Gate or no gate", "stands 2 times"),
        ("- **Metrics**: perplexity\n\n</div>$", "- **Metrics**: \n\n</div>", "metrics must not be empty"),
    ],
)
def test_a_flawed_file_is_read_with_a_warning(old: str, new: str, warning: str) -> None:
    damaged = TEXT.removesuffix(old.removesuffix("$")) + new if old.endswith("$") else TEXT.replace(old, new)
    assert damaged != TEXT
    trajectory = parse_trajectory(damaged.encode(), "file")
    assert any(warning in text for text in trajectory.warnings), trajectory.warnings
    assert trajectory.plan.ablations[0].name == "Gate or no gate"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "not a trajectory"),
        (b"\xff\xfe", "not UTF-8"),
        (b"# A paper\n\nText.", "not a trajectory"),
        (TEXT.replace("#e3f2fd", "#ffffff").encode(), format.REASONING_HEADING),
        (TEXT.replace("#f3e5f5", "#ffffff").encode(), "green (reviewer) or purple (author)"),
        (TEXT.replace("# lm-planner/acme/gate-1.5/Gates", "# Gates").encode(), "planner/model/paper"),
        (TEXT.replace("heading\n</div>", "heading\n").encode(), "between the reasoning and the plan"),
        (TEXT.replace("### Gate or no gate\n", "").encode(), "line 26: expected '### name'"),
        (TEXT.replace("- **Action**: REMOVE", "Action: REMOVE").encode(), "line 36: expected a field"),
        (TEXT.split("### Gate")[0].encode(), "found no ablation"),
        (b" " * (MAX_TRAJECTORY_BYTES + 1), "too large"),
    ],
)
def test_what_is_no_trajectory_is_refused_by_name(data: bytes, expected: str) -> None:
    with pytest.raises(TrajectoryError) as raised:
        parse_trajectory(data, "some.md")
    assert str(raised.value).startswith("some.md")
    assert expected in str(raised.value)


def test_a_missing_file_or_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "none.md", tmp_path):
        with pytest.raises(TrajectoryError, match="cannot be read"):
            read_trajectory(path)


def test_a_plan_that_breaks_the_contract_is_never_written() -> None:
    flawed = parse_trajectory(
        TEXT.replace("  - a constant gate\n  - {'gate': 'tanh', 'size': 8}\n", "").encode(), "file"
    )
    with pytest.raises(TrajectoryError, match="needs at least one replacement"):
        render_trajectory(flawed)
    assert "**Replacement**" not in render_trajectory(flawed, allow_violations=True)
    assert parse_trajectory(render_trajectory(flawed, allow_violations=True).encode(), "file").plan == flawed.plan


def test_what_vanishes_or_becomes_equal_is_told_apart() -> None:
    one, two = TRAJECTORY.plan.ablations
    plan = Plan(
        ablations=(
            one.model_copy(update={"name": "a\x00", "metrics": ("b, , c", " ")}),
            two.model_copy(update={"name": "a", "ablated_part": "\x1b[0m"}),
        )
    )
    again = parse_trajectory(render_trajectory(replace(TRAJECTORY, plan=plan)).encode(), "file").plan.ablations
    assert [ablation.name for ablation in again] == ["a", "a (2)"]
    assert again[0].metrics == ("b", "c")
    assert again[1].ablated_part == "\ufffd"
