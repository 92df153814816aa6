"""The figure of a study without an axis on several datasets: test log p, a panel a dataset."""

from typing import TYPE_CHECKING

import pandas as pd

from analysis.figures.style import STYLE, grid_of_panels, look, words
from analysis.labels import LOG_P
from analysis.published import published

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ACROSS = 4
"""Panels side by side."""


def draw_datasets(cells: pd.DataFrame) -> "Figure":
    """Test log p of every method in nats, ± one standard error; a cross is a published figure.

    `cells` is the frame of `summarise`. An incomplete cell is a gap.
    """
    from matplotlib import rc_context
    from matplotlib.lines import Line2D

    log_p = cells[cells["metric"] == LOG_P]
    datasets, methods = (list(dict.fromkeys(log_p[name])) for name in ("dataset", "method"))
    with rc_context(STYLE):
        figure, panels = grid_of_panels(len(datasets), 1.75, MOST_ACROSS)
        for dataset, panel in zip(datasets, panels, strict=True):
            _panel(panel, dataset, log_p[log_p["dataset"] == dataset], methods)
        figure.supylabel("test log p (nats)", fontsize=8)
        handles = [Line2D([], [], linestyle="", label=method, **look(method)) for method in methods]
        if any(published(dataset, method) for dataset in datasets for method in methods):
            handles.append(Line2D([], [], linestyle="", label="published", color="0.2", marker="x"))
        figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False)
    return figure


def _panel(panel: "Axes", dataset: str, cells: pd.DataFrame, methods: list[str]) -> None:
    known = 0
    for cell in cells.to_dict("records"):
        place = methods.index(cell["method"])
        figure = published(dataset, cell["method"])
        if figure and cells["n"].any():
            panel.plot(place + 0.2, -figure.nll, marker="x", color="0.2", linestyle="")
        if cell["n"]:
            known += 1
            panel.errorbar(
                place, cell["mean"], yerr=cell["standard_error"], capsize=2, **look(cell["method"])
            )
    panel.set_title(words(dataset))
    panel.set_xticks(range(len(methods)), methods)
    panel.set_xlim(-0.5, len(methods) - 0.5)
    panel.grid(axis="y", linewidth=0.4, color="0.9")
    panel.set_axisbelow(True)
    if not known:
        marks = set(cells["mark"])
        why = next(iter(marks)) if len(marks) == 1 else "no complete cell"
        panel.text(0.5, 0.5, why, transform=panel.transAxes, ha="center")
    if not panel.has_data():
        panel.set_yticks([])
