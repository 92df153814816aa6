"""The figure of a study's variations: their costs, one row each, with a panel per data set."""

from math import ceil, isfinite, log10
from typing import TYPE_CHECKING

import pandas as pd

from analysis.figures.style import (
    add_grid,
    add_legend,
    grid_of_panels,
    look,
    say_instead,
    styled,
    words,
)
from gmm_study.study.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPREAD = 0.18
"""Methods are moved apart by this fraction of a row."""
LOG_SCALE_FROM = 30.0
"""Beyond a linear middle, the axis is logarithmic if the largest cost exceeds the median cost by
this factor."""


@styled()
def draw_costs(costs: pd.DataFrame) -> "Figure":
    """The frame of `costs_of_variations` in nats, with 95% intervals; right of 0 it costs.

    A hollow marker means that the variation is the reference's trial; a gap is an incomplete cell.
    """
    from matplotlib.ticker import NullLocator

    linear_up_to = _linear_up_to(costs["cost"].abs())
    datasets, labels, methods = (
        list(dict.fromkeys(costs[name])) for name in ("dataset", "variation", "method")
    )
    figure, panels = grid_of_panels(len(datasets), 0.7 + 0.27 * len(labels), sharey=True)
    for dataset, panel in zip(datasets, panels, strict=True):
        if linear_up_to:
            panel.set_xscale("symlog", linthresh=linear_up_to)
            panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            panel.xaxis.set_minor_locator(NullLocator())
        _panel(panel, costs[costs["dataset"] == dataset], labels, methods)
        panel.set_title(words(dataset))
    text = f"cost against {costs['reference'].iloc[0]} in test log p (nats"
    text += f"; logarithmic beyond {linear_up_to:g})" if linear_up_to else ")"
    figure.supxlabel(text, fontsize=8)
    add_legend(figure, {method: look(method) | {"linestyle": ""} for method in methods})
    return figure


def _panel(panel: "Axes", costs: pd.DataFrame, labels: list[str], methods: list[str]) -> None:
    panel.axvline(0.0, color="0.4", linewidth=0.8)
    for index, method in enumerate(methods):
        aside = SPREAD * (index - (len(methods) - 1) / 2)
        for cost in costs[costs["method"] == method].to_dict("records"):
            shared = cost["trial_id"] == cost["reference_trial_id"]
            half_width = (cost["high"] - cost["low"]) / 2
            panel.errorbar(
                cost["cost"],
                labels.index(cost["variation"]) + aside,
                xerr=half_width if isfinite(half_width) else None,
                linestyle="none",
                capsize=2,
                elinewidth=0.9,
                markerfacecolor="white" if shared else None,
                **look(method),
            )
    panel.set_yticks(range(len(labels)), [words(label) for label in labels])
    panel.set_ylim(len(labels) - 0.5, -0.5)
    add_grid(panel, "x")
    add_grid(panel, "y", color="0.95")
    if costs["cost"].isna().all():
        say_instead(panel, "no complete pair")
        panel.set_xticks([])


def _linear_up_to(sizes: pd.Series) -> float | None:
    """The power of ten above the median cost, if the largest cost calls for a logarithmic axis."""
    known = sizes[sizes > 0].sort_values()
    if known.empty or known.iloc[-1] <= LOG_SCALE_FROM * known.iloc[len(known) // 2]:
        return None
    return float(10.0 ** ceil(log10(known.iloc[len(known) // 2])))


def what_intervals_are(plan: Plan) -> str:
    """What the error bars of the figure are, or why there are none."""
    if plan.study.replicates == 1:
        return " One replicate (n = 1), so there are no intervals."
    return (
        f" Bars: simultaneous 95% intervals for the variations of a method on a data set (Dunnett, "
        f"n = {plan.study.replicates} replicates)."
    )


def can_draw_costs(costs: pd.DataFrame) -> bool:
    """Whether any cost is known, apart from variations that are the reference's own trial."""
    apart = costs["trial_id"] != costs["reference_trial_id"]
    return bool((apart & costs["cost"].notna()).any())
