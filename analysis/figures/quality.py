"""The figure of test log p against training time: a point per cell, a panel per data set."""

from typing import TYPE_CHECKING

import pandas as pd

from analysis.figures.style import add_grid, add_legend, grid_of_panels, look, styled, words
from analysis.labels import is_number, short_label
from analysis.places import listed
from analysis.planned import is_continuous
from gmm_study.study.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_SCALE_FROM = 4.0
"""The axis of time is logarithmic if the longest over the shortest exceeds this."""
FENCE = 3.0
"""Points so many interquartile ranges below the lower quartile of a panel (Tukey's outer fence) are
left below it, so that a collapsed model does not hide the differences of the others."""
MOST_NAMED = 12
"""Of more points of a method, only the first and the last are named."""


@styled()
def draw_quality(plan: Plan, points: pd.DataFrame) -> "Figure":
    """The frame of `quality_points`: test log p in nats, ± one standard error over replicates.

    Along an axis, the points of a method are named, and joined if the axis has an order. A panel
    says which points lie far below it.
    """
    datasets, methods = (list(dict.fromkeys(points[name])) for name in ("dataset", "method"))
    figure, panels = grid_of_panels(len(datasets), 2.1 if len(datasets) > 1 else 2.9)
    for dataset, panel in zip(datasets, panels, strict=True):
        own = points[points["dataset"] == dataset]
        for method in methods:
            _draw_method(panel, plan, method, own[own["method"] == method])
        _limit(panel, plan, own)
        if own["seconds"].max() > LOG_SCALE_FROM * own["seconds"].min() > 0:
            _logarithmic(panel)
        panel.margins(x=0.12)
        panel.set_title(words(dataset))
        add_grid(panel, "both")
    figure.supxlabel("training time of a replicate (seconds)", fontsize=8)
    figure.supylabel("test log p (nats)", fontsize=8)
    line = {} if _is_joined(plan, points) else {"linestyle": ""}
    add_legend(figure, {method: look(method) | line for method in methods})
    return figure


def _draw_method(panel: "Axes", plan: Plan, method: str, points: pd.DataFrame) -> None:
    panel.errorbar(
        points["seconds"],
        points["mean"],
        yerr=points["standard_error"],
        capsize=2,
        elinewidth=0.9,
        **(look(method) | {"linestyle": "-" if _is_joined(plan, points) else "none"}),
    )
    named = points[points["x"].notna()]
    if len(named) > MOST_NAMED:
        named = named.iloc[[0, -1]]
    for _, equal in named.groupby(["seconds", "mean"], sort=False):  # equal ones are one trial
        panel.annotate(
            words(", ".join(short_label(plan.x, value) for value in equal["x"])),
            (equal["seconds"].iloc[0], equal["mean"].iloc[0]),
            (4, 4),
            textcoords="offset points",
            fontsize=6.5,
            color=look(method)["color"],
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "linewidth": 0, "alpha": 0.7},
        )


def _limit(panel: "Axes", plan: Plan, points: pd.DataFrame) -> None:
    """Leave points that are far below the others outside, and say which."""
    lower, upper = points["mean"].quantile([0.25, 0.75])
    below = points["mean"] < lower - FENCE * (upper - lower)
    if not below.any():
        return
    shown, error = points[~below], points["standard_error"].fillna(0.0)
    low, high = (shown["mean"] - error).min(), (shown["mean"] + error).max()
    margin = 0.05 * (high - low) or 0.5
    panel.set_ylim(low - margin, high + margin)
    texts = []
    for point in points[below].to_dict("records"):
        value = [short_label(plan.x, point["x"])] if plan.x else []
        texts.append(" ".join([point["method"], *value, f"({point['mean']:.4g})"]))
    text = words(f"below: {listed(texts)}")
    panel.text(0.98, 0.03, text, transform=panel.transAxes, ha="right", fontsize=6.5)


def _logarithmic(panel: "Axes") -> None:
    """A logarithmic axis of time with a tick at 1, 2 and 5 of every decade."""
    from matplotlib.ticker import LogLocator

    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.xaxis.set_minor_formatter(lambda value, _: "")


def _is_joined(plan: Plan, points: pd.DataFrame) -> bool:
    """Whether the points are along an axis that has an order: of numbers, or of layers."""
    ordered = plan.x == "layers" or all(map(is_number, points["x"].dropna()))
    return plan.x is not None and ordered and not is_continuous(plan)
