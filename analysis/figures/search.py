"""The figures of a search: its trials in parallel coordinates, and which settings mattered."""

from collections.abc import Callable, Sequence
from functools import partial
from math import log10
from typing import TYPE_CHECKING, Any

from analysis.figures.style import add_grid, grid_of_panels, look, styled, words
from analysis.labels import axis_label, is_number, short_label
from analysis.planned import x_values
from analysis.searched import SearchedCell, selected_by

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_SCALE_FROM = 20.0
"""A coordinate is logarithmic if its largest value over its smallest exceeds this."""
MOST_LINES = 150
"""With more trials, a panel shows every second, third, … one by rank, starting with the best."""
NOT_READ = -0.15
"""The height at which a trial passes a setting that it does not read."""
APART = 0.09
"""Smallest distance of two labels, as a fraction of a coordinate's height."""


@styled()
def draw_trials(cells: Sequence[SearchedCell]) -> "Figure":
    """A panel per method: each trial is a line over its settings to its validation figure.

    Better trials are darker; the best one has the method's colour.
    """
    figure, panels = grid_of_panels(len(cells), 2.0, across=1, above=0.3)
    for cell, panel in zip(cells, panels, strict=True):
        _draw_trials(panel, cell)
        panel.set_title(words(f"{cell.method} on {cell.dataset}"), loc="left")
    return figure


@styled()
def draw_importance(cells: Sequence[SearchedCell]) -> "Figure":
    """A panel per data set: each setting's share of the variance, a bar per method."""
    from matplotlib.patches import Patch

    datasets = list(dict.fromkeys(cell.dataset for cell in cells))
    names = list(dict.fromkeys(name for cell in cells for name in cell.shares))
    figure, panels = grid_of_panels(len(datasets), 0.5 + 0.4 * len(names))
    for dataset, panel in zip(datasets, panels, strict=True):
        _draw_shares(panel, names, [cell for cell in cells if cell.dataset == dataset])
        panel.set_title(words(dataset))
    figure.supxlabel(f"share of the variance of the {selected_by(cells)}", fontsize=8)
    methods = dict.fromkeys(cell.method for cell in cells)
    handles = [Patch(color=look(method)["color"], label=method) for method in methods]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    return figure


def shown(cell: SearchedCell) -> range:
    """The ranks of the trials that a panel shows, best first."""
    return range(0, len(cell.values), -(-len(cell.values) // MOST_LINES))


def _draw_trials(panel: "Axes", cell: SearchedCell) -> None:
    from matplotlib.collections import LineCollection

    trials = cell.trials.iloc[list(shown(cell))]
    values = [cell.values[rank] for rank in shown(cell)]
    heights = [
        _coordinate(panel, trials[name].tolist(), x_values(trials, name), at, partial(_label, name))
        for at, name in enumerate(cell.settings)
    ]
    last = len(heights)
    heights.append(_coordinate(panel, values, sorted(set(values)), last, "{:.4g}".format))
    ranks = range(len(trials))
    lines = [[(at, own[rank]) for at, own in enumerate(heights)] for rank in reversed(ranks)]
    greys = [str(0.45 + 0.42 * rank / max(len(trials) - 1, 1)) for rank in reversed(ranks)]
    panel.add_collection(LineCollection(lines, colors=greys, linewidths=0.7))
    panel.plot(*zip(*lines[-1], strict=True), **look(cell.method))
    panel.set_xlim(-0.15, last + 0.15)
    panel.set_ylim(NOT_READ - 0.05 if cell.trials.isna().any(axis=None) else -0.05, 1.05)
    labels = [axis_label(name) for name in cell.settings]
    panel.set_xticks(range(last + 1), [*labels, f"{selected_by([cell])} (nats)"])
    panel.set_yticks([])
    for side in ("left", "bottom"):
        panel.spines[side].set_visible(False)
    panel.tick_params(axis="x", length=0)


def _coordinate(
    panel: "Axes",
    values: Sequence[Any],
    distinct: Sequence[Any],
    at: int,
    label: Callable[[Any], str],
) -> list[float]:
    """Draw and label one coordinate; returns the heights of all trials on it, in [0, 1].

    A trial that does not read the setting is below them.
    """
    heights = _heights([value for value in distinct if value is not None])
    if None in distinct:
        heights[None] = NOT_READ
    panel.axvline(at, color="0.5", linewidth=0.6, zorder=0)
    for value in _labelled(heights):
        style: dict[str, Any] = {"ha": "left", "va": "center", "fontsize": 7, "color": "0.25"}
        panel.text(at + 0.02, heights[value], words(label(value)), **style)
    return [heights[value] for value in values]


def _labelled(heights: dict[Any, float]) -> list[Any]:
    """The ends of a coordinate, and the values between them that have space for a label."""
    first, *between, last = heights if len(heights) > 1 else (*heights, *heights)
    chosen = [first, last]
    for value in between:
        if all(abs(heights[value] - heights[other]) >= APART for other in chosen):
            chosen.append(value)
    return list(dict.fromkeys(chosen))


def _label(name: str, value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else short_label(name, value)


def _heights(values: Sequence[Any]) -> dict[Any, float]:
    """Numbers by size, or by logarithm over a wide span; other values evenly, in order."""
    numeric = all(map(is_number, values))
    if numeric and len(values) > 1:
        logarithmic = values[0] > 0 and values[-1] / values[0] > LOG_SCALE_FROM
        scaled = [log10(value) if logarithmic else float(value) for value in values]
    else:
        scaled = [float(index) for index in range(len(values))]
    low, span = scaled[0], (scaled[-1] - scaled[0]) or 1.0
    return {value: (own - low) / span for value, own in zip(values, scaled, strict=True)}


def _draw_shares(panel: "Axes", names: list[str], cells: Sequence[SearchedCell]) -> None:
    width = 0.8 / max(len(cells), 1)
    for index, cell in enumerate(cells):
        aside = width * (index - (len(cells) - 1) / 2)
        places = [at + aside for at in range(len(names))]
        shares = [cell.shares.get(name, 0.0) for name in names]
        panel.barh(places, shares, height=0.9 * width, color=look(cell.method)["color"])
    panel.set_yticks(range(len(names)), [axis_label(name) for name in names])
    panel.invert_yaxis()
    panel.set_xlim(0, 1)
    add_grid(panel, "x")
