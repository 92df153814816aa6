"""Figures of the quality of gradients: signal to noise by K, and along the axis of the study."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.figures.style import add_grid, add_legend, grid_of_panels, look, styled, words
from analysis.gradients import name_of
from analysis.labels import axis_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES = ("-", "--", ":", "-.")
ARROW = 0.3
"""The length of the arrow at an upper limit, as a part of it."""


@styled()
def draw_signal(frame: pd.DataFrame, along: str, axis: str = "") -> "Figure":
    """Signal to noise of the gradient of q, ± one standard error, a panel per trained model.

    An arrow goes down from an upper limit. `along` is the column on the x-axis, `samples` or `x`,
    in the latter case that of `axis`.
    """
    own = frame[frame["part"] == "q"]
    models = list(dict.fromkeys(zip(own["dataset"], own["trained_by"], strict=True)))
    figure, panels = grid_of_panels(len(models), 2.1, across=2)
    looks = _looks([name_of(row) for row in own.to_dict("records")])
    for (dataset, trained_by), panel in zip(models, panels, strict=True):
        rows = own[(own["dataset"] == dataset) & (own["trained_by"] == trained_by)]
        _draw_lines(panel, rows.to_dict("records"), along, looks)
        panel.set_title(words(f"{dataset}, trained by {trained_by}"))
        panel.set_xlabel("K" if along == "samples" else axis_label(axis))
        panel.set_ylabel("signal to noise of q")
        add_grid(panel, "both")
    add_legend(figure, looks)
    return figure


def _draw_lines(
    panel: "Axes", rows: Sequence[dict[Any, Any]], along: str, looks: dict[str, dict[str, Any]]
) -> None:
    from matplotlib.ticker import LogLocator

    for name, style in looks.items():
        own = [row for row in rows if name_of(row) == name]
        own = [row for row in own if isfinite(row["signal_to_noise_upper"])]
        if own:
            own.sort(key=lambda row: row[along])
            limits = [not isfinite(row["signal_to_noise_se"]) for row in own]
            shown = [_shown(row) for row in own]
            panel.errorbar(
                [row[along] for row in own],
                [value for value, _ in shown],
                yerr=[error for _, error in shown],
                uplims=limits,
                capsize=2,
                elinewidth=0.9,
                **style,
            )
    panel.axhline(1.0, color="0.6", linewidth=0.8)
    panel.set_xscale("log")
    panel.set_yscale("log")
    ticks = sorted({row[along] for row in rows})
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    panel.set_xticks([], minor=True)
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.yaxis.set_minor_formatter(lambda value, _: "")


def _shown(row: dict[Any, Any]) -> tuple[float, float]:
    """The signal to noise and its error; where none is shown, the upper limit and its arrow."""
    value, error = row["signal_to_noise"], row["signal_to_noise_se"]
    limit = row["signal_to_noise_upper"]
    return (value, error) if isfinite(error) else (limit, ARROW * limit)


def _looks(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The look of each method; baselines of a method differ in the style of the line."""
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(names):
        method = name.partition(",")[0]
        same = sum(other.partition(",")[0] == method for other in found)
        found[name] = look(method) | {"linestyle": _LINES[same % len(_LINES)]}
    return found
