"""The figure of several data sets together: interquartile means, and performance profiles."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.figures.style import add_grid, add_legend, grid_of_panels, look, styled, words
from analysis.labels import axis_label, short_label
from analysis.over_datasets import THRESHOLDS, OverDatasets, Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES = ("-", "--", ":", "-.")


@styled()
def draw_over_datasets(found: OverDatasets, axis: str | None) -> "Figure":
    """Left, the interquartile mean of each method's scores; right, its performance profile.

    Bars are 95% intervals over seeds. Values of the axis differ in the style of the line.
    """
    values = list(dict.fromkeys(profile.x for profile in found.profiles))
    looks = {
        _name(profile, axis): {
            "color": look(profile.method)["color"],
            "linestyle": _LINES[values.index(profile.x) % len(_LINES)],
        }
        for profile in found.profiles
    }
    height = max(2.3, 0.8 + 0.2 * len(looks))
    figure, (means, profiles) = grid_of_panels(2, height, across=2)
    _draw_means(means, found, list(looks))
    for profile in found.profiles:
        style = looks[_name(profile, axis)]
        profiles.plot(THRESHOLDS, profile.fraction, drawstyle="steps-pre", **style)
    _scale(profiles, found)
    add_legend(figure, looks, columns=3 if axis else 4)
    return figure


def _draw_means(panel: "Axes", found: OverDatasets, names: list[str]) -> None:
    for place, row in enumerate(found.frame.to_dict("records")):
        error = row["high"] - row["interquartile_mean"]
        panel.errorbar(
            row["interquartile_mean"],
            place,
            xerr=error if np.isfinite(error) else None,
            capsize=2,
            **(look(row["method"]) | {"linestyle": "none"}),
        )
    panel.set_yticks(range(len(names)), [words(name) for name in names])
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_xlabel("interquartile mean of the scores")
    add_grid(panel, "x")


def _scale(panel: "Axes", found: OverDatasets) -> None:
    """From the score that every run reaches to the one that none reaches."""
    fractions = np.array([profile.fraction for profile in found.profiles])
    reached = THRESHOLDS[(fractions == 1.0).all(0)]
    missed = THRESHOLDS[(fractions == 0.0).all(0)]
    low = float(reached[-1]) if len(reached) else 0.0
    high = float(missed[0]) if len(missed) else float(THRESHOLDS[-1])
    margin = 0.05 * (high - low)
    panel.set_xlim(low - margin, high + margin)
    panel.set_ylim(-0.03, 1.03)
    panel.set_xlabel("at least this score")
    panel.set_ylabel("fraction of runs")
    add_grid(panel, "both")


def _name(profile: Profile, axis: str | None) -> str:
    if axis is None or profile.x is None:
        return profile.method
    return f"{profile.method}, {axis_label(axis)} {short_label(axis, profile.x)}"
