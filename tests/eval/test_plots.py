"""Pictures for many systems with long names: no two labels lie over each other, and none is cut off."""

from itertools import combinations
from math import nan
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from eval.calibration import Calibration, CalibrationRow
from eval.report import plots
from eval.report.document import Picture
from eval.report.plots import ChanceCurve, CostPoint, MeanCurve, MeanPoint, Panel, ShareBar
from eval.statistics import Mean

NAMES = [f"lm-planner/some-rather-long-model-name-of-a-provider-{n}" for n in range(9)]
MEANS = [Mean(20, 0.1 * n + 0.05, 0.2, 0.1 * n, 0.1 * n + 0.1) for n in range(9)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that a picture is made of."""
    figures: list[Figure] = []
    real = plots._save_picture

    def keep(name: str, caption: str, figure: Figure) -> Picture:
        figures.append(figure)
        return real(name, caption, figure)

    monkeypatch.setattr(plots, "_save_picture", keep)
    return figures


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """The texts of a picture and their places; labels of ticks beyond an axis are never drawn."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    unseen = {
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    found = figure.findobj(
        lambda artist: isinstance(artist, Text) and artist.get_visible() and id(artist) not in unseen
    )
    renderer = canvas.get_renderer()
    return [
        (t.get_text(), t.get_window_extent(renderer))
        for t in found
        if isinstance(t, Text) and t.get_visible() and t.get_text()
    ]


def check(figure: Figure, *, turned: bool = False) -> None:
    frame = figure.bbox
    found = [(text, box) for text, box in texts(figure) if box.width > 0]
    for text, box in found:
        assert frame.x0 - 1 <= box.x0 and box.x1 <= frame.x1 + 1, f"{text!r} is cut off at a side"
        assert frame.y0 - 1 <= box.y0 and box.y1 <= frame.y1 + 1, f"{text!r} is cut off above or below"
    for (one, a), (two, b) in combinations(found, 2):
        if not turned:
            assert not _overlap(a, b), f"{one!r} lies over {two!r}"


def _overlap(a: Bbox, b: Bbox) -> bool:
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1


def panels(*items: Any) -> list[Panel]:
    return [Panel("Reviewer task", items), Panel("Author task", items[:3])]


def test_estimates(drawn: list[Figure]) -> None:
    made = [MeanPoint(name, mean) for name, mean in zip(NAMES, MEANS, strict=True)]
    plots.draw_means("f1", "F1", "F1 (0 to 1)", panels(*made))
    check(drawn[0])


@pytest.mark.parametrize(
    "costs", [[0.001 * n for n in range(1, 10)], [10.0**-n for n in range(9)], [0.0] * 9, [0.02] * 9]
)
def test_costs(drawn: list[Figure], costs: list[float]) -> None:
    made = [CostPoint(name, cost, mean) for name, cost, mean in zip(NAMES, costs, MEANS, strict=True)]
    plots.draw_costs("cost", "Cost", "F1 (0 to 1)", panels(*made))
    check(drawn[0])


@pytest.mark.parametrize("longest", [1, 2, 5, 10])
def test_curves(drawn: list[Figure], longest: int) -> None:
    made = [MeanCurve(name, tuple(MEANS[n % 9] for n in range(longest))) for name in NAMES]
    plots.draw_curves("recall", "Recall", "recall (0 to 1)", panels(*made))
    check(drawn[0])


def test_chances(drawn: list[Figure]) -> None:
    made = [
        ChanceCurve(
            name, Calibration((CalibrationRow(0, 9, n, 0, n), CalibrationRow(90, 100, n, n, 99 - n)), 0.2, n, 0)
        )
        for n, name in enumerate(NAMES, start=1)
    ]
    plots.draw_chances("calibration", "Chances", panels(*made))
    check(drawn[0])


def test_shares(drawn: list[Figure]) -> None:
    made = [ShareBar(name, (("REPLACE", 90), ("REMOVE", n), ("ADD", 0))) for n, name in enumerate(NAMES)]
    palette = tuple(plots.ACTION_COLOURS.items())
    plots.draw_shares("actions", "Actions", "share (%)", palette, panels(*made, ShareBar("nothing planned", ())))
    check(drawn[0])


@pytest.mark.parametrize("count", [2, 5, 9])
def test_a_matrix(drawn: list[Figure], count: int) -> None:
    matrix = [[nan if a == b else 0.1 * abs(a - b) for b in range(count)] for a in range(count)]
    plots.draw_matrix("m", "M", "agreement (0 to 1)", "Author task: agreement", NAMES[:count], matrix)
    check(drawn[0], turned=True)
    numbers = [text for text, _ in texts(drawn[0]) if text == "0.10"]
    assert len(numbers) >= 2 * (count - 1)


def test_a_matrix_of_nothing_in_common(drawn: list[Figure]) -> None:
    plots.draw_matrix("m", "M", "agreement", "none", ["a", "b"], [[nan, 0.0], [0.0, nan]])
    assert drawn
