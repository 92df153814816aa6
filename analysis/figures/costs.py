"""The figure of a study's variations: what each costs, a row a variation, a panel a dataset."""

from math import ceil, isfinite, log10
from typing import TYPE_CHECKING

import pandas as pd

from analysis.figures.style import STYLE, grid_of_panels, look, words
from gmm_study.study.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPREAD = 0.18
"""Part of a row by which methods stand apart."""
LOG_SCALE_FROM = 30.0
"""Largest cost over the middling one from which the axis is logarithmic beyond a linear middle."""


def draw_costs(costs: pd.DataFrame) -> "Figure":
    """The frame of `costs_of_variations` in nats, with 95% intervals; right of 0 it costs.

    A hollow marker shares the reference's trial; a gap is an incomplete cell.
    """
    from matplotlib import rc_context
    from matplotlib.lines import Line2D
    from matplotlib.ticker import NullLocator

    linear_up_to = _linear_up_to(costs["cost"].abs())
    datasets, labels = (list(dict.fromkeys(costs[name])) for name in ("dataset", "variation"))
    methods = list(dict.fromkeys(costs["method"]))
    with rc_context(STYLE):
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
        handles = [Line2D([], [], linestyle="", label=method, **look(method)) for method in methods]
        figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    return figure


def _panel(panel: "Axes", costs: pd.DataFrame, labels: list[str], methods: list[str]) -> None:
    panel.axvline(0.0, color="0.4", linewidth=0.8)
    for index, method in enumerate(methods):
        aside = SPREAD * (index - (len(methods) - 1) / 2)
        for cost in costs[costs["method"] == method].to_dict("records"):
            shared = cost["trial_id"] == cost["reference_trial_id"]
            panel.errorbar(
                cost["cost"],
                labels.index(cost["variation"]) + aside,
                xerr=cost["half_width"] if isfinite(cost["half_width"]) else None,
                linestyle="none",
                capsize=2,
                elinewidth=0.9,
                markerfacecolor="white" if shared else None,
                **look(method),
            )
    panel.set_yticks(range(len(labels)), [words(label) for label in labels])
    panel.set_ylim(len(labels) - 0.5, -0.5)
    panel.grid(axis="x", linewidth=0.4, color="0.9")
    panel.grid(axis="y", linewidth=0.4, color="0.95")
    panel.set_axisbelow(True)
    if costs["cost"].isna().all():
        panel.text(0.5, 0.5, "no complete pair", transform=panel.transAxes, ha="center")
        panel.set_xticks([])


def _linear_up_to(sizes: pd.Series) -> float | None:
    """The power of ten about the middling cost, where the largest would press the others flat."""
    known = sizes[sizes > 0].sort_values()
    if known.empty or known.iloc[-1] <= LOG_SCALE_FROM * known.iloc[len(known) // 2]:
        return None
    return float(10.0 ** ceil(log10(known.iloc[len(known) // 2])))


def what_intervals_are(plan: Plan) -> str:
    """What the bars of the figure of costs are, where there are any."""
    if plan.study.replicates == 1:
        return " One replicate (n = 1), so no interval is known."
    return (
        f" Bars: 95% intervals by Student's t with n = {plan.study.replicates} replicates, each by "
        "itself, not adjusted for their number."
    )


def can_draw_costs(costs: pd.DataFrame) -> bool:
    """Whether any cost is known but those that are zero because both ends are one trial."""
    apart = costs["trial_id"] != costs["reference_trial_id"]
    return bool((apart & costs["cost"].notna()).any())
