"""The figure of a study of several data sets without an axis: test log p, a panel for each."""

from typing import TYPE_CHECKING, Any

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
from analysis.labels import LOG_P
from analysis.published import published

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ACROSS = 4
"""Largest number of panels side by side."""
_PUBLISHED: dict[str, Any] = {"color": "0.2", "marker": "x", "linestyle": ""}


@styled()
def draw_datasets(cells: pd.DataFrame) -> "Figure":
    """Test log p of every method in nats, ± one standard error; a cross is a published figure.

    `cells` is the frame of `summarise`. An incomplete cell is a gap.
    """
    log_p = cells[cells["metric"] == LOG_P]
    datasets, methods = (list(dict.fromkeys(log_p[name])) for name in ("dataset", "method"))
    figure, panels = grid_of_panels(len(datasets), 1.75, MOST_ACROSS)
    for dataset, panel in zip(datasets, panels, strict=True):
        _panel(panel, dataset, log_p[log_p["dataset"] == dataset], methods)
    figure.supylabel("test log p (nats)", fontsize=8)
    looks = {method: look(method) | {"linestyle": ""} for method in methods}
    if any(published(dataset, method) for dataset in datasets for method in methods):
        looks["published"] = _PUBLISHED
    add_legend(figure, looks, columns=5)
    return figure


def _panel(panel: "Axes", dataset: str, cells: pd.DataFrame, methods: list[str]) -> None:
    known = 0
    for cell in cells.to_dict("records"):
        place = methods.index(cell["method"])
        figure = published(dataset, cell["method"])
        if figure and cells["n"].any():
            panel.plot(place + 0.2, -figure.nll, **_PUBLISHED)
        if cell["n"]:
            known += 1
            panel.errorbar(
                place, cell["mean"], yerr=cell["standard_error"], capsize=2, **look(cell["method"])
            )
    panel.set_title(words(dataset))
    panel.set_xticks(range(len(methods)), methods)
    panel.set_xlim(-0.5, len(methods) - 0.5)
    add_grid(panel, "y")
    if not known:
        marks = set(cells["mark"])
        why = next(iter(marks)) if len(marks) == 1 else "no complete cell"
        say_instead(panel, why)
    if not panel.has_data():
        panel.set_yticks([])
