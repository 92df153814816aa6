"""The figure of test log p against training time: a point per cell, a panel per data set."""

from typing import TYPE_CHECKING

import pandas as pd

from analysis.figures.style import add_grid, add_legend, grid_of_panels, look, styled, words
from analysis.labels import short_label
from analysis.planned import is_continuous
from gmm_study.study.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_SCALE_FROM = 4.0
"""The axis of time is logarithmic if the longest over the shortest exceeds this."""


@styled()
def draw_quality(plan: Plan, points: pd.DataFrame) -> "Figure":
    """The frame of `quality_points`: test log p in nats, ± one standard error over replicates.

    Along an axis, the points of a method are joined in its order, and the first and last are named.
    """
    datasets, methods = (list(dict.fromkeys(points[name])) for name in ("dataset", "method"))
    figure, panels = grid_of_panels(len(datasets), 2.1 if len(datasets) > 1 else 2.9)
    for dataset, panel in zip(datasets, panels, strict=True):
        own = points[points["dataset"] == dataset]
        for method in methods:
            _draw_method(panel, plan, method, own[own["method"] == method])
        if own["seconds"].max() > LOG_SCALE_FROM * own["seconds"].min() > 0:
            panel.set_xscale("log")
            panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            panel.xaxis.set_minor_formatter(lambda value, _: "")
        panel.margins(x=0.12)
        panel.set_title(words(dataset))
        add_grid(panel, "both")
    figure.supxlabel("training time of a replicate (seconds)", fontsize=8)
    figure.supylabel("test log p (nats)", fontsize=8)
    line = {} if _is_joined(plan) else {"linestyle": ""}
    add_legend(figure, {method: look(method) | line for method in methods})
    return figure


def _draw_method(panel: "Axes", plan: Plan, method: str, points: pd.DataFrame) -> None:
    panel.errorbar(
        points["seconds"],
        points["mean"],
        yerr=points["standard_error"],
        capsize=2,
        elinewidth=0.9,
        **(look(method) | {"linestyle": "-" if _is_joined(plan) else "none"}),
    )
    ends = points[points["x"].notna()]
    for end in ends.iloc[[0, -1]].to_dict("records") if len(ends) > 1 else ():
        panel.annotate(
            words(short_label(plan.x, end["x"])),
            (end["seconds"], end["mean"]),
            (4, 4),
            textcoords="offset points",
            fontsize=6.5,
            color=look(method)["color"],
        )


def _is_joined(plan: Plan) -> bool:
    return plan.x is not None and not is_continuous(plan)
