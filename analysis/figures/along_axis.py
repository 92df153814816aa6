"""The figure of a study along its axis: the bound and log p, a line a method."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.cells import NO_DATA
from analysis.figures.style import STYLE, look, new_figure
from analysis.labels import BOUND, LOG_P, axis_label, is_number, short_label
from analysis.planned import is_continuous, x_values
from analysis.tables.captions import bounds_of_methods
from gmm_study.study.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_SCALE_FROM = 20.0
"""Largest over smallest x above which the axis is logarithmic."""
MOST_TICKS = 12
"""Values of x beyond which the ticks are round numbers and not the values."""
SHIFT = 0.012
"""Part of a panel's width by which methods stand apart, so that error bars do not overlap."""


def draw(plan: Plan, cells: pd.DataFrame) -> "Figure":
    """A row a dataset: the test bound and, beside it, test log p, in nats, ± one standard error.

    `cells` is the frame of `summarise`. An incomplete cell leaves a gap in its line. Without an
    axis there is a point a method; a method that does not read the axis is a dashed level; an axis
    that a search draws from a range of reals has points and no line.
    """
    from matplotlib import rc_context

    datasets = list(dict.fromkeys(cells["dataset"]))
    with rc_context(STYLE):
        figure = new_figure(0.35 + 2.35 * len(datasets))
        panels = figure.subplots(len(datasets), 2, squeeze=False)
        for dataset, row in zip(datasets, panels, strict=True):
            for metric, panel in zip((BOUND, LOG_P), row, strict=True):
                chosen = (cells["dataset"] == dataset) & (cells["metric"] == metric)
                _panel(panel, plan, cells[chosen])
                name = "bound" if metric == BOUND else "log p"
                panel.set_ylabel(f"test {name} on {dataset} (nats)")
        _legend(figure, plan, cells)
    return figure


def _panel(panel: "Axes", plan: Plan, cells: pd.DataFrame) -> None:
    column = "x" if plan.x else "method"
    place = _horizontal_axis(panel, plan, [v for v in x_values(cells, column) if v is not None])
    methods = list(dict.fromkeys(cells["method"]))
    is_line = plan.x is not None and not is_continuous(plan)
    for index, method in enumerate(methods):
        own = cells[cells["method"] == method]
        level, known = own[own[column].isna()], own[own[column].notna()]
        if len(level):
            style = _level_style(method)
            mean, error = level["mean"].iloc[0], level["standard_error"].iloc[0]
            panel.axhline(mean, **style)
            panel.axhspan(mean - error, mean + error, color=style["color"], alpha=0.15, linewidth=0)
        if len(known):
            aside = SHIFT * (index - (len(methods) - 1) / 2) if plan.x else 0.0
            panel.errorbar(
                [_aside(panel, place[value], aside) for value in known[column]],
                known["mean"],
                yerr=known["standard_error"],
                linestyle="-" if is_line and known[column].map(is_number).all() else "none",
                capsize=2,
                elinewidth=0.9,
                **look(method),
            )
    if not cells["complete"].any():
        words = NO_DATA if set(cells["mark"]) == {NO_DATA} else "no complete cell"
        panel.text(0.5, 0.5, words, transform=panel.transAxes, ha="center")
        panel.set_yticks([])
    panel.grid(axis="y", linewidth=0.4, color="0.9")
    panel.set_axisbelow(True)


def _horizontal_axis(panel: "Axes", plan: Plan, values: list[Any]) -> dict[Any, float]:
    """Scale, ticks and label of x; gives the place of every value."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    numeric = bool(values) and all(map(is_number, values))
    place = {value: float(value) if numeric else float(i) for i, value in enumerate(values)}
    low, high = min(place.values(), default=0.0), max(place.values(), default=0.0)
    logarithmic = numeric and low > 0 and high / low > LOG_SCALE_FROM
    if logarithmic:
        panel.set_xscale("log")
        margin = (high / low) ** 0.06
        panel.set_xlim(low / margin, high * margin)
    else:
        margin = 0.06 * (high - low) if numeric and high > low else 0.5
        panel.set_xlim(low - margin, high + margin)
    if not numeric or len(values) <= MOST_TICKS:
        panel.set_xticks(list(place.values()), [short_label(plan.x, value) for value in values])
        panel.xaxis.set_minor_locator(NullLocator())
    elif not logarithmic:
        panel.xaxis.set_major_locator(MaxNLocator(integer=all(isinstance(v, int) for v in values)))
    panel.set_xlabel(axis_label(plan.x) if plan.x else "")
    return place


def _aside(panel: "Axes", place: float, part: float) -> float:
    """A place on x moved by a part of the panel's width."""
    low, high = panel.get_xlim()
    if panel.get_xscale() == "log":
        return float(place * (high / low) ** part)
    return float(place + (high - low) * part)


def _legend(figure: "Figure", plan: Plan, cells: pd.DataFrame) -> None:
    """The methods in the plan's order, each with what its bound is."""
    from matplotlib.lines import Line2D

    settings = [trial.config.hyperparameters for trial in plan.trials]
    bounds = bounds_of_methods(settings, with_samples=plan.x != "samples")
    handles = []
    for method in dict.fromkeys(cells["method"]):
        is_level = plan.x and cells.loc[cells["method"] == method, "x"].isna().all()
        style = _level_style(method) if is_level else look(method)
        handles.append(Line2D([], [], label=f"{method} (bound: {bounds[method]})", **style))
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)


def _level_style(method: str) -> dict[str, Any]:
    """The line of a method that does not read the axis."""
    return look(method) | {"marker": "", "linestyle": "--"}
