"""The figures of a search: parallel coordinates of its trials, and which setting mattered."""

from collections.abc import Callable, Sequence
from functools import partial
from math import log10
from typing import TYPE_CHECKING, Any

from analysis.figures.style import STYLE, grid_of_panels, look, new_figure, words
from analysis.labels import axis_label, is_number, short_label
from analysis.planned import x_values
from analysis.searched import SearchedCell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_SCALE_FROM = 20.0
"""Largest over smallest value above which a coordinate is logarithmic."""
MOST_LINES = 150
"""Trials beyond which a panel has every second, third, … of them, by rank, and the best."""
NOT_READ = -0.15
"""The height of what a trial does not read."""
APART = 0.09
"""Part of a coordinate's height that two labelled values are apart at least."""


def draw_trials(cells: Sequence[SearchedCell]) -> "Figure":
    """A panel a method: a line a trial over its settings to its validation bound, best on top.

    The darker, the better; the best trial is drawn in the method's colour.
    """
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure = new_figure(0.3 + 2.0 * len(cells))
        panels = figure.subplots(len(cells), 1, squeeze=False)[:, 0]
        for cell, panel in zip(cells, panels, strict=True):
            _draw_trials(panel, cell)
            panel.set_title(words(f"{cell.method} on {cell.dataset}"), loc="left")
    return figure


def draw_importance(cells: Sequence[SearchedCell]) -> "Figure":
    """A panel a data set: the share of each setting in the bound's variance, a bar a method."""
    from matplotlib import rc_context

    datasets = list(dict.fromkeys(cell.dataset for cell in cells))
    names = list(dict.fromkeys(name for cell in cells for name in cell.shares))
    with rc_context(STYLE):
        figure, panels = grid_of_panels(len(datasets), 0.5 + 0.4 * len(names))
        for dataset, panel in zip(datasets, panels, strict=True):
            _draw_shares(panel, names, [cell for cell in cells if cell.dataset == dataset])
            panel.set_title(words(dataset))
        figure.supxlabel("share of the variance of the validation bound", fontsize=8)
        handles = {cell.method: _patch(cell.method) for cell in cells}
        figure.legend(handles=handles.values(), loc="outside upper center", ncols=4, frameon=False)
    return figure


def shown(cell: SearchedCell) -> range:
    """The ranks of the trials that a panel has lines of, best first."""
    return range(0, len(cell.bounds), -(-len(cell.bounds) // MOST_LINES))


def _draw_trials(panel: "Axes", cell: SearchedCell) -> None:
    from matplotlib.collections import LineCollection

    trials = cell.trials.iloc[list(shown(cell))]
    bounds = [cell.bounds[rank] for rank in shown(cell)]
    heights = [
        _coordinate(panel, trials[name].tolist(), x_values(trials, name), at, partial(_label, name))
        for at, name in enumerate(cell.settings)
    ]
    last = len(heights)
    heights.append(_coordinate(panel, bounds, sorted(set(bounds)), last, "{:.4g}".format))
    ranks = range(len(trials))
    lines = [[(at, own[rank]) for at, own in enumerate(heights)] for rank in reversed(ranks)]
    greys = [str(0.45 + 0.42 * rank / max(len(trials) - 1, 1)) for rank in reversed(ranks)]
    panel.add_collection(LineCollection(lines, colors=greys, linewidths=0.7))
    panel.plot(*zip(*lines[-1], strict=True), **look(cell.method))
    panel.set_xlim(-0.15, last + 0.15)
    panel.set_ylim(NOT_READ - 0.05 if cell.trials.isna().any(axis=None) else -0.05, 1.05)
    labels = [axis_label(name) for name in cell.settings]
    panel.set_xticks(range(last + 1), [*labels, "validation bound (nats)"])
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
    """The heights in [0, 1] of all trials on one coordinate, which is drawn and labelled.

    What a trial does not read is below them.
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
    """The ends of a coordinate, and of the values between them those that have room."""
    first, *between, last = heights if len(heights) > 1 else (*heights, *heights)
    chosen = [first, last]
    for value in between:
        if all(abs(heights[value] - heights[other]) >= APART for other in chosen):
            chosen.append(value)
    return list(dict.fromkeys(chosen))


def _label(name: str, value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else short_label(name, value)


def _heights(values: Sequence[Any]) -> dict[Any, float]:
    """Numbers by their size, or its logarithm where they span much; others evenly, in order."""
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
    panel.grid(axis="x", linewidth=0.4, color="0.9")
    panel.set_axisbelow(True)


def _patch(method: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=look(method)["color"], label=method)
