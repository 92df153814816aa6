"""A panel of series along a study's axis: points with error bars, lines, dashed levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.cells import NO_DATA
from analysis.figures.style import words
from analysis.labels import axis_label, is_number, short_label
from analysis.planned import is_continuous, x_values
from gmm_study.study.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG_SCALE_FROM = 20.0
"""Largest over smallest x above which the axis is logarithmic."""
MOST_TICKS = 12
"""Values of x beyond which the ticks are round numbers and not the values."""
LONGEST_NAME = 9
"""Letters of a series' name beyond which the legend alone names the points of a panel."""
SHIFT = 0.012
"""Part of a panel's width by which series stand apart, so that error bars do not overlap."""


@dataclass(frozen=True)
class Series:
    """Cells (`summarise`) of one data set that belong together, a value of x each."""

    label: str
    look: dict[str, Any]
    cells: pd.DataFrame


def draw_panel(panel: "Axes", plan: Plan, series: Sequence[Series]) -> None:
    """Means ± one standard error. An incomplete cell leaves a gap in its line.

    Without an axis there is a point a series; a method that does not read the axis is a dashed
    level with its error as a band; an axis drawn from a range of reals has points and no line.
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
        why = NO_DATA if set(cells["mark"]) == {NO_DATA} else "no complete cell"
        panel.text(0.5, 0.5, why, transform=panel.transAxes, ha="center")
        panel.set_yticks([])
    panel.grid(axis="y", linewidth=0.4, color="0.9")
    panel.set_axisbelow(True)


def level_look(look: dict[str, Any]) -> dict[str, Any]:
    """The line of a method that does not read the axis."""
    return look | {"marker": "", "linestyle": "--"}


def is_level(plan: Plan, cells: pd.DataFrame) -> bool:
    """Whether a series does not read the plan's axis."""
    return plan.x is not None and bool(cells["x"].isna().all())


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
        style = level_look(series.look)
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
        labels = [words(short_label(plan.x, value)) for value in values]
        fit = plan.x is not None or max(map(len, labels)) <= LONGEST_NAME
        panel.set_xticks(list(place.values()), labels if fit else [""] * len(labels))
        panel.xaxis.set_minor_locator(NullLocator())
    elif not logarithmic:
        panel.xaxis.set_major_locator(MaxNLocator(integer=all(isinstance(v, int) for v in values)))
    panel.set_xlabel(axis_label(plan.x) if plan.x else "")
    return place


def _shift(panel: "Axes", places: list[float], count: int) -> float:
    """How far apart series stand: a hair, and together a fifth of the smallest gap at most."""
    scale = panel.xaxis.get_transform().transform
    low, high = (float(edge) for edge in scale(panel.get_xlim()))
    inside = sorted(float(place) for place in scale(places))
    gaps = [(right - left) / (high - low) for left, right in pairwise(inside)]
    return min([SHIFT, *(0.2 * gap / max(count - 1, 1) for gap in gaps)])


def _aside(panel: "Axes", place: float, part: float) -> float:
    """A place on x moved by a part of the panel's width."""
    low, high = panel.get_xlim()
    if panel.get_xscale() == "log":
        return float(place * (high / low) ** part)
    return float(place + (high - low) * part)
