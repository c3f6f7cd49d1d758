"""Draw pictures with matplotlib; each axis has its unit, and each estimate its interval and n.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart; the markers differ as well.
"""

import functools
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any, Final, ParamSpec

from eval.calibration import Calibration
from eval.report.document import Picture
from eval.statistics import Mean
from planner.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_P = ParamSpec("_P")

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
# There is one marker fewer than colours, so that the ninth system differs from the first.
MARKERS: Final = ("o", "s", "D", "^", "v", "P", "X")
ACTION_COLOURS: Final = {"REPLACE": "#56B4E9", "REMOVE": "#D55E00", "ADD": "#009E73"}

_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "ablation-planner",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "text.parse_math": False,
}
_DPI: Final = 144
_MAX_LABEL_LENGTH: Final = 44


@dataclass(frozen=True, slots=True)
class MeanPoint:
    """A labelled mean with its interval."""

    label: str
    mean: Mean


@dataclass(frozen=True, slots=True)
class CostPoint:
    """A labelled mean with its cost in USD per paper."""

    label: str
    cost: float
    mean: Mean


@dataclass(frozen=True, slots=True)
class MeanCurve:
    """A labelled series of means at k = 1, 2, …."""

    label: str
    means: tuple[Mean, ...]


@dataclass(frozen=True, slots=True)
class ChanceCurve:
    """A labelled calibration: stated chances against the shares of ablations that came true."""

    label: str
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class ShareBar:
    """The labelled counts of the parts of a whole."""

    label: str
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a picture with its title, and the items that it shows."""

    title: str
    items: tuple[Any, ...]


def _apply_style(draw: Callable[_P, Picture]) -> Callable[_P, Picture]:
    """Wrap a drawing function so that it uses our style, in which "$" is a dollar sign and not a formula.

    Raises:
        UsageError: if matplotlib is not installed.
    """

    @functools.wraps(draw)
    def styled(*args: _P.args, **kwargs: _P.kwargs) -> Picture:
        try:
            from matplotlib import rc_context
        except ImportError as error:
            raise UsageError("pictures need matplotlib: pip install '.[eval]', or add --no-plots") from error
        with rc_context(_STYLE), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # a glyph that the font lacks becomes a box
            return draw(*args, **kwargs)

    return styled


@_apply_style
def draw_means(name: str, caption: str, axis_label: str, panels: Sequence[Panel]) -> Picture:
    """Draw means with intervals, one in each row, the highest on top."""
    heights = [len(panel.items) for panel in panels]
    figure, axes = _new_figure(8.0, sum(0.34 * rows + 0.9 for rows in heights), len(panels), heights)
    for panel, ax in zip(panels, axes, strict=True):
        items = sorted(panel.items, key=lambda point: point.mean.mean)
        for row, item in enumerate(items):
            low, high = item.mean.mean - item.mean.low, item.mean.high - item.mean.mean
            ax.errorbar(item.mean.mean, row, xerr=[[low], [high]], fmt="o", color=COLOURS[0], capsize=4, markersize=6)
            ax.annotate(f"{item.mean.mean:.2f}", (item.mean.high, row), (8, 0), textcoords="offset points", va="center")
        _label_rows(ax, [f"{_shorten_label(item.label)}  (n = {item.mean.n})" for item in items])
        ax.set_title(panel.title, loc="left")
        ax.set(xlabel=axis_label, xlim=(0, 1.08))
        ax.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
        ax.grid(axis="x", alpha=0.3)
    return _save_picture(name, caption, figure)


@_apply_style
def draw_costs(name: str, caption: str, axis_label: str, panels: Sequence[Panel]) -> Picture:
    """Draw means against costs; the names are in the legend, so that they do not overlap."""
    figure, axes = _new_figure(8.0, 3.6 * len(panels), len(panels))
    for panel, ax in zip(panels, axes, strict=True):
        for number, point in enumerate(panel.items):
            spread = [[point.mean.mean - point.mean.low], [point.mean.high - point.mean.mean]]
            label = f"{_shorten_label(point.label)} (n = {point.mean.n})"
            ax.errorbar(
                point.cost, point.mean.mean, yerr=spread, capsize=4, markersize=7, label=label, **_marker_style(number)
            )
        _format_cost_axis(ax, [point.cost for point in panel.items])
        ax.set_title(panel.title, loc="left")
        ax.set(xlabel="cost of planning, USD per paper", ylabel=axis_label, ylim=(0, 1.03))
        ax.grid(alpha=0.3)
        _add_legend(ax)
    return _save_picture(name, caption, figure)


@_apply_style
def draw_curves(name: str, caption: str, axis_label: str, panels: Sequence[Panel]) -> Picture:
    """Draw curves over k; points at the same k are shifted a little, so that their intervals do not overlap."""
    figure, axes = _new_figure(8.0, 3.6 * len(panels), len(panels))
    for panel, ax in zip(panels, axes, strict=True):
        longest = max(len(curve.means) for curve in panel.items)
        for number, curve in enumerate(panel.items):
            shift = 0.012 * longest * (number - (len(panel.items) - 1) / 2)
            positions = [k + shift for k in range(1, len(curve.means) + 1)]
            means = [mean.mean for mean in curve.means]
            spread = [[m.mean - m.low for m in curve.means], [m.high - m.mean for m in curve.means]]
            label = f"{_shorten_label(curve.label)} (n = {curve.means[0].n})"
            ax.errorbar(
                positions, means, yerr=spread, capsize=3, linewidth=1.6, label=label, **_marker_style(number, "-")
            )
        ax.set_title(panel.title, loc="left")
        ax.set(xlabel="k: ablations of each plan that count, the first k", ylabel=axis_label, ylim=(0, 1.03))
        ax.set_xticks(range(1, longest + 1))
        ax.grid(axis="y", alpha=0.3)
        _add_legend(ax)
    return _save_picture(name, caption, figure)


@_apply_style
def draw_chances(name: str, caption: str, panels: Sequence[Panel]) -> Picture:
    """Draw the shares that came true over the mean stated chances, with a line on which both are equal."""
    figure, axes = _new_figure(8.0, 3.6 * len(panels), len(panels))
    for panel, ax in zip(panels, axes, strict=True):
        ax.plot((0, 100), (0, 100), color="0.7", linewidth=1, zorder=0)
        for number, curve in enumerate(panel.items):
            rows = curve.calibration.rows
            spread = [
                [max(0.0, 100 * (row.share - row.interval[0])) for row in rows],
                [max(0.0, 100 * (row.interval[1] - row.share)) for row in rows],
            ]
            label = f"{_shorten_label(curve.label)} (n = {curve.calibration.count})"
            chances, shares = [row.mean_chance for row in rows], [100 * row.share for row in rows]
            ax.errorbar(chances, shares, yerr=spread, capsize=3, label=label, **_marker_style(number, "-"))
        ax.set_title(panel.title, loc="left")
        ax.set(xlabel="stated chance (%)", ylabel="came true (%), 95 % interval", xlim=(0, 100), ylim=(0, 103))
        ax.grid(alpha=0.3)
        _add_legend(ax)
    return _save_picture(name, caption, figure)


@_apply_style
def draw_shares(
    name: str, caption: str, axis_label: str, colours: Sequence[tuple[str, str]], panels: Sequence[Panel]
) -> Picture:
    """Draw parts of a whole as stacked bars, in percent, with the total count in each label."""
    heights = [len(panel.items) for panel in panels]
    figure, axes = _new_figure(8.0, sum(0.4 * rows + 1.0 for rows in heights) + 0.3, len(panels), heights)
    for panel, ax in zip(panels, axes, strict=True):
        totals = [sum(count for _, count in item.counts) for item in panel.items]
        left = [0.0] * len(panel.items)
        for part, colour in colours:
            widths = [
                100 * dict(item.counts).get(part, 0) / total if total else 0.0
                for item, total in zip(panel.items, totals, strict=True)
            ]
            bars = ax.barh(range(len(widths)), widths, left=left, color=colour, edgecolor="white", label=part)
            texts = [f"{width:.0f} %" if width >= 6 else "" for width in widths]
            ax.bar_label(bars, texts, label_type="center", fontsize=9, color=_text_colour(colour))
            left = [start + width for start, width in zip(left, widths, strict=True)]
        _label_rows(
            ax,
            [f"{_shorten_label(item.label)}  (n = {total})" for item, total in zip(panel.items, totals, strict=True)],
        )
        ax.invert_yaxis()
        ax.set_title(panel.title, loc="left")
        ax.set(xlabel=axis_label, xlim=(0, 100))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), frameon=False)
    return _save_picture(name, caption, figure)


@_apply_style
def draw_matrix(
    name: str, caption: str, axis_label: str, title: str, labels: Sequence[str], matrix: Sequence[Sequence[float]]
) -> Picture:
    """Draw a square matrix as a heat map with its numbers; NaN cells, such as the diagonal, are empty."""
    side = 0.85 * len(labels) + 2.2
    figure, (ax,) = _new_figure(max(6.0, side + 1.2), side, 1)
    top = max([*(value for row in matrix for value in row if not isnan(value)), 0.01])
    image = ax.imshow(matrix, cmap="viridis", vmin=0, vmax=top)
    for row, values in enumerate(matrix):
        for column, value in enumerate(values):
            if not isnan(value):
                colour = "white" if value < 0.6 * top else "black"
                ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
    names = [_shorten_label(label, 24) for label in labels]
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title(title, loc="left")
    figure.colorbar(image, ax=ax, label=axis_label, shrink=0.8)
    return _save_picture(name, caption, figure)


def _new_figure(width: float, height: float, panels: int, ratios: Sequence[int] = ()) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, max(height, 1.6)), layout="constrained")
    grid = figure.subplots(panels, 1, squeeze=False, height_ratios=[r + 1.5 for r in ratios] or None)
    return figure, list(grid[:, 0])


def _save_picture(name: str, caption: str, figure: "Figure") -> Picture:
    svg, png = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(png, format="png", dpi=_DPI, metadata={"Software": None})
    return Picture(name, caption, svg.getvalue(), png.getvalue())


def _format_cost_axis(ax: "Axes", costs: Sequence[float]) -> None:
    """Use a logarithmic axis for costs, since they span orders of magnitude, unless one of them is 0."""
    from matplotlib.ticker import LogLocator, NullLocator

    if min(costs) > 0:
        ax.set_xscale("log")
        ax.set_xlim(min(costs) / 2, max(costs) * 2)
        is_narrow = max(costs) < 50 * min(costs)
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if is_narrow else (1.0,)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _text_colour(colour: str) -> str:
    """Return the text colour, black or white, that is readable on a colour (ITU-R BT.601 luma)."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else "white"


def _label_rows(ax: "Axes", labels: Sequence[str]) -> None:
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(axis="y", length=0)
    ax.margins(y=0.5 / max(1, len(labels)) + 0.02)


def _add_legend(ax: "Axes") -> None:
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)


def _marker_style(number: int, line: str = "") -> dict[str, Any]:
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": line or "none",
    }


def _shorten_label(label: str, max_length: int = _MAX_LABEL_LENGTH) -> str:
    half = max_length // 2
    return label if len(label) <= max_length else f"{label[:half]}…{label[-(half - 1) :]}"
