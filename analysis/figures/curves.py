"""The figure of learning curves: the validation criterion by epoch and by training time."""

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from analysis.curves import LearningCurve
from analysis.figures.style import (
    PALETTE,
    add_grid,
    add_legend,
    grid_of_panels,
    look,
    say_instead,
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
LOG_SCALE_FROM = 4.0
"""Training time is on a logarithmic axis if the longest over the shortest exceeds this."""
_LINES = ("-", "--", ":", "-.")
Against = Literal["epoch", "seconds"]


@styled()
def draw_curves(
    curves: Sequence[LearningCurve], axis: str | None, against: Sequence[Against] = ("epoch",)
) -> "Figure":
    """Mean over replicates in nats, ± one standard error as a band.

    A panel per data set, or two with both abscissae of `against` side by side; curves without
    training time are left out against it. A panel says up to which epoch a curve lies below it, and
    how far. Without an axis, each method has a colour; along an axis, each value has a colour and
    each method a line style.
    """
    datasets = list(dict.fromkeys(curve.dataset for curve in curves))
    looks, places = _looks(curves, axis), list(product(datasets, against))
    across = 2 if len(against) > 1 else 3
    figure, panels = grid_of_panels(len(places), 2.1 if len(places) > 1 else 3.2, across)
    for (dataset, name), panel in zip(places, panels, strict=True):
        own = [curve for curve in curves if curve.dataset == dataset]
        _panel(panel, own, axis, looks, name)
        panel.set_title(words(dataset))
        panel.set_xlabel(name if name == "epoch" else "training time (seconds)")
    figure.supylabel(f"{what_is_shown(curves)} (nats)", fontsize=8)
    add_legend(figure, looks, columns=1 if max(map(len, looks)) > LONG_NAME else 3)
    return figure


def _panel(
    panel: "Axes",
    curves: Sequence[LearningCurve],
    axis: str | None,
    looks: dict[str, dict[str, Any]],
    against: Against,
) -> None:
    floors, tops = [], []
    steep = int(START * max(len(curve.epochs) for curve in curves))
    for curve in curves:
        epochs, mean = curve.epochs[against], curve.epochs["mean"]
        if against == "seconds" and not curve.has_seconds:
            continue
        error = curve.epochs["standard_error"].fillna(0.0)
        name = _name(curve, axis)
        marker = "o" if len(epochs) == 1 else ""
        panel.plot(epochs, mean, label=words(name), marker=marker, **looks[name])
        colour = looks[name]["color"]
        panel.fill_between(epochs, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
        floors.append((mean - error).iloc[min(steep, len(mean) // 2) :].min())
        tops.append((mean + error).max())
    if not floors:
        say_instead(panel, "training time not recorded")
        panel.set_yticks([])
        return
    low, high = min(floors), max(tops)
    margin = 0.05 * (high - low) or 0.5
    panel.set_ylim(low - margin, high + margin)
    style: dict[str, Any] = {"transform": panel.transAxes, "ha": "right", "fontsize": 6.5}
    if against == "epoch":
        panel.text(0.98, 0.03, _below(curves, low - margin), **style)
    _scale(panel, curves, against)
    add_grid(panel, "both")


def _scale(panel: "Axes", curves: Sequence[LearningCurve], against: Against) -> None:
    """Whole epochs; training times that differ much on a logarithmic axis."""
    from matplotlib.ticker import MaxNLocator

    if against == "epoch":
        panel.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        return
    ends = [float(curve.epochs["seconds"].iloc[-1]) for curve in curves if curve.has_seconds]
    if min(ends) > 0 and max(ends) / min(ends) > LOG_SCALE_FROM:
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def what_is_shown(curves: Sequence[LearningCurve]) -> str:
    """`validation bound`, or `validation log p` if training stops by that."""
    names = {"bound": "bound", "log_p": "log p"}
    shown = dict.fromkeys(names.get(curve.criterion, "criterion") for curve in curves)
    return f"validation {' or '.join(shown)}"


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
