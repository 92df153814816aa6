"""The figure of learning curves: the validation bound by epoch, a panel per data set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.curves import LearningCurve
from analysis.figures.style import (
    PALETTE,
    add_grid,
    add_legend,
    grid_of_panels,
    look,
    styled,
    words,
)
from analysis.labels import axis_label, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

START = 0.1
"""Fraction of the epochs, at the steep start, that may lie below the panel."""
LONG_NAME = 30
"""With longer names, in letters, the legend has one name per line."""
_LINES = ("-", "--", ":", "-.")


@styled()
def draw_curves(curves: Sequence[LearningCurve], axis: str | None) -> "Figure":
    """Mean over replicates in nats, ± one standard error as a band.

    A panel says up to which epoch a curve lies below it, and how far. Without an axis, each method
    has a colour; along an axis, each value has a colour and each method a line style.
    """
    datasets = list(dict.fromkeys(curve.dataset for curve in curves))
    looks = _looks(curves, axis)
    figure, panels = grid_of_panels(len(datasets), 2.1 if len(datasets) > 1 else 3.2)
    for dataset, panel in zip(datasets, panels, strict=True):
        _panel(panel, [curve for curve in curves if curve.dataset == dataset], axis, looks)
        panel.set_title(words(dataset))
    figure.supxlabel("epoch", fontsize=8)
    figure.supylabel("validation bound (nats)", fontsize=8)
    add_legend(figure, looks, columns=1 if max(map(len, looks)) > LONG_NAME else 3)
    return figure


def _panel(
    panel: "Axes",
    curves: Sequence[LearningCurve],
    axis: str | None,
    looks: dict[str, dict[str, Any]],
) -> None:
    from matplotlib.ticker import MaxNLocator

    floors, tops = [], []
    steep = int(START * max(len(curve.epochs) for curve in curves))
    for curve in curves:
        epochs, mean = curve.epochs["epoch"].astype(int), curve.epochs["mean"]
        error = curve.epochs["standard_error"].fillna(0.0)
        name = _name(curve, axis)
        marker = "o" if len(epochs) == 1 else ""
        panel.plot(epochs, mean, label=words(name), marker=marker, **looks[name])
        colour = looks[name]["color"]
        panel.fill_between(epochs, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
        floors.append((mean - error).iloc[min(steep, len(mean) // 2) :].min())
        tops.append((mean + error).max())
    low, high = min(floors), max(tops)
    margin = 0.05 * (high - low) or 0.5
    panel.set_ylim(low - margin, high + margin)
    style: dict[str, Any] = {"transform": panel.transAxes, "ha": "right", "fontsize": 6.5}
    panel.text(0.98, 0.03, _below(curves, low - margin), **style)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_grid(panel, "both")


def _below(curves: Sequence[LearningCurve], floor: float) -> str:
    """Which epochs lie below the panel; empty if none do."""
    shown = pd.concat([curve.epochs for curve in curves])
    below = shown[shown["mean"] < floor]
    if below.empty:
        return ""
    last, lowest = below["epoch"].max(), below["mean"].min()
    return f"below: up to epoch {last}, from {lowest:.4g}"


def _name(curve: LearningCurve, axis: str | None) -> str:
    if axis is None:
        return curve.method
    return f"{curve.method}, {axis_label(axis)} {short_label(axis, curve.x)}"


def _looks(curves: Sequence[LearningCurve], axis: str | None) -> dict[str, dict[str, Any]]:
    values = list(dict.fromkeys(curve.x for curve in curves))
    methods = list(dict.fromkeys(curve.method for curve in curves))
    looks = {}
    for curve in curves:
        if axis is None:
            looks[_name(curve, axis)] = {"color": look(curve.method)["color"]}
        else:
            colour = PALETTE[values.index(curve.x) % len(PALETTE)]
            line = _LINES[methods.index(curve.method) % len(_LINES)]
            looks[_name(curve, axis)] = {"color": colour, "linestyle": line}
    return looks
