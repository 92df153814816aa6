"""A panel of series along the axis of a study: points with error bars, lines, dashed levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.cells import NO_DATA
from analysis.figures.style import add_grid, say_instead, words
from analysis.labels import axis_label, is_number, short_label
from analysis.planned import is_continuous, x_values
from gmm_study.study.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG_SCALE_FROM = 20.0
"""The axis is logarithmic if its largest value over its smallest above 0 exceeds this."""
MOST_TICKS = 12
"""With more values of x, the ticks are round numbers instead of the values."""
MOST_LETTERS = 26
"""With more letters in the labels of numeric ticks together, they are tilted."""
LONGEST_NAME = 9
"""Longer names of series, in letters, are given by the legend only."""
SHIFT = 0.012
"""Series are moved apart by this fraction of a panel's width, so error bars do not overlap."""
_LEVEL = {"marker": "", "linestyle": "--"}
"""The look of a method that does not read the axis."""


@dataclass(frozen=True)
class Series:
    """Cells (`summarise`) that belong together, one per value of x."""

    label: str
    look: dict[str, Any]
    cells: pd.DataFrame


def draw_panel(panel: "Axes", plan: Plan, series: Sequence[Series]) -> None:
    """Means ± one standard error; an incomplete cell leaves a gap in its line.

    Without an axis, each series is a point. A method that does not read the axis is a dashed level
    with its error as a band. An axis sampled from a continuous range has points but no line.
    """
    cells = pd.concat([own.cells for own in series], ignore_index=True)
    if plan.x is None:
        values: list[Any] = [own.label for own in series]
    else:
        values = [value for value in x_values(cells) if value is not None]
    place = _horizontal_axis(panel, plan, values)
    is_line = plan.x is not None and not is_continuous(plan) and all(map(is_number, values))
    shift = _shift(panel, list(place.values()), len(series)) if plan.x else 0.0
    for index, own in enumerate(series):
        aside = shift * (index - (len(series) - 1) / 2)
        _draw_series(panel, plan, own, place, aside, is_line)
    if not cells["complete"].any():
        say_instead(panel, NO_DATA if set(cells["mark"]) == {NO_DATA} else "no complete cell")
        panel.set_yticks([])
    add_grid(panel, "y")


def look_in_legend(plan: Plan, series: Series) -> dict[str, Any]:
    """The look of a series, a dashed line if it does not read the plan's axis."""
    is_level = plan.x is not None and series.cells["x"].isna().all()
    return series.look | _LEVEL if is_level else series.look


def _draw_series(
    panel: "Axes",
    plan: Plan,
    series: Series,
    place: dict[Any, float],
    aside: float,
    is_line: bool,
) -> None:
    at = series.cells["x"] if plan.x else pd.Series(series.label, index=series.cells.index)
    level, known = series.cells[at.isna()], series.cells[at.notna()]
    if len(level):
        style = series.look | _LEVEL
        mean, error = level["mean"].iloc[0], level["standard_error"].iloc[0]
        panel.axhline(mean, **style)
        panel.axhspan(mean - error, mean + error, color=style["color"], alpha=0.15, linewidth=0)
    if len(known):
        panel.errorbar(
            [_aside(panel, place[value], aside) for value in at[at.notna()]],
            known["mean"],
            yerr=known["standard_error"],
            capsize=2,
            elinewidth=0.9,
            **({"linestyle": "-"} | series.look | ({} if is_line else {"linestyle": "none"})),
        )


def _horizontal_axis(panel: "Axes", plan: Plan, values: list[Any]) -> dict[Any, float]:
    """Set scale, ticks and label of x; returns the position of every value."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    numeric = bool(values) and all(map(is_number, values))
    place = {value: float(value) if numeric else float(i) for i, value in enumerate(values)}
    low, high = min(place.values(), default=0.0), max(place.values(), default=0.0)
    above_0 = min((value for value in place.values() if value > 0), default=high)
    logarithmic = numeric and low >= 0 and high > LOG_SCALE_FROM * above_0
    if logarithmic and low > 0:
        panel.set_xscale("log")
    elif logarithmic:
        panel.set_xscale("symlog", linthresh=above_0, linscale=0.5)
    if numeric and high > low:
        panel.set_xlim(low, high)
        panel.set_xlim(_aside(panel, low, -0.06), _aside(panel, high, 0.06))
    else:
        panel.set_xlim(low - 0.5, high + 0.5)
    if not numeric or len(values) <= MOST_TICKS:
        labels = [words(short_label(plan.x, value)) for value in values]
        fit = plan.x is not None or max(map(len, labels)) <= LONGEST_NAME
        panel.set_xticks(list(place.values()), labels if fit else [""] * len(labels))
        if numeric and sum(map(len, labels)) > MOST_LETTERS:
            panel.tick_params("x", rotation=30)
        panel.xaxis.set_minor_locator(NullLocator())
    elif not logarithmic:
        whole = all(isinstance(value, int) for value in values)
        panel.xaxis.set_major_locator(MaxNLocator("auto", integer=whole))
    panel.set_xlabel(axis_label(plan.x) if plan.x else "")
    return place


def _shift(panel: "Axes", places: list[float], count: int) -> float:
    """How far series are moved apart: all together by at most a fifth of the smallest gap in x."""
    scale = panel.xaxis.get_transform().transform
    low, high = (float(edge) for edge in scale(panel.get_xlim()))
    inside = sorted(float(place) for place in scale(places))
    gaps = [(right - left) / (high - low) for left, right in pairwise(inside)]
    return min([SHIFT, *(0.2 * gap / max(count - 1, 1) for gap in gaps)])


def _aside(panel: "Axes", place: float, part: float) -> float:
    """A position on x moved by a fraction of the panel's width."""
    scale = panel.xaxis.get_transform()
    low, high = scale.transform(panel.get_xlim())
    return float(scale.inverted().transform(scale.transform(place) + (high - low) * part))
