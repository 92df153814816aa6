"""The figures of a search's budget: the expected best validation by trials or by core-seconds."""

from typing import TYPE_CHECKING, Literal

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
from analysis.labels import SELECTED_BY, axis_label, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Against = Literal["trials", "core_seconds"]
NAMES = {"trials": "number of trials", "core_seconds": "training (core-seconds)"}


@styled()
def draw_budget(budget: pd.DataFrame, axis: str | None, against: Against) -> "Figure":
    """The frame of `budgets`, a panel per data set and value of the axis, a line per method.

    A band is the middle half of the best of n trials. A panel reaches down to the lowest
    expectation. A dotted line is the best so far in the order of the proposals.
    """
    places = budget[["dataset", "x"]].astype(object).drop_duplicates().to_dict("records")
    figure, panels = grid_of_panels(len(places), 2.0 if len(places) > 1 else 2.9)
    for place, panel in zip(places, panels, strict=True):
        at_x = budget["x"].isna() if pd.isna(place["x"]) else budget["x"] == place["x"]
        _panel(panel, budget[(budget["dataset"] == place["dataset"]) & at_x], against)
        at = "" if axis is None or pd.isna(place["x"]) else _at(axis, place["x"])
        panel.set_title(words(f"{place['dataset']}{at}"))
    names = dict.fromkeys(SELECTED_BY[name] for name in budget["criterion"])
    figure.supxlabel(NAMES[against], fontsize=8)
    figure.supylabel(f"best {' or '.join(names)} (nats)", fontsize=8)
    methods = dict.fromkeys(budget["method"])
    add_legend(figure, {method: look(method) | {"marker": ""} for method in methods})
    return figure


def _at(axis: str, value: object) -> str:
    return f", {axis_label(axis)} {short_label(axis, value)}"


def _panel(panel: "Axes", budget: pd.DataFrame, against: Against) -> None:
    from matplotlib.ticker import MaxNLocator

    for method, own in budget.groupby("method", sort=False):
        if own[against].isna().any():
            continue
        style, x = look(str(method)), own[against].astype("float64")
        panel.plot(x, own["expected_best"], color=style["color"])
        panel.fill_between(
            x, own["low"], own["high"], color=style["color"], alpha=0.15, linewidth=0
        )
        panel.plot(
            x,
            own["best_so_far"],
            color=style["color"],
            linestyle=":",
            drawstyle="steps-post",
            linewidth=0.9,
        )
    if not panel.lines:
        say_instead(panel, "training time not recorded")
        panel.set_yticks([])
    else:
        low, high = budget["expected_best"].min(), budget["high"].max()
        margin = 0.06 * (high - low) or 0.5
        panel.set_ylim(low - margin, high + margin)
    if against == "trials":
        panel.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    else:
        panel.set_xlim(left=0)
    add_grid(panel, "both")
