"""The figure of a study: the bound and log p against its axis, a line a method."""

from dataclasses import fields
from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.frames import x_values
from analysis.labels import BOUND, LOG_P, axis_label, is_number, value_label
from analysis.tables import bounds_of_methods
from gmm_study.study.plan import Plan
from gmm_study.training.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_SCALE_FROM = 20.0
"""Largest over smallest x above which the axis is logarithmic."""
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, told apart by colour-blind readers; yellow is too faint for a line."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_METHODS = next(f.metadata["choices"] for f in fields(Hyperparameters) if f.name == "method")
_STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "svg.fonttype": "none",
    "svg.hashsalt": "gmm-study",
}


def draw(plan: Plan, cells: pd.DataFrame) -> "Figure":
    """A row a dataset: the test bound and, beside it, test log p, in nats, ± one standard error.

    `cells` is the frame of `summarise`. An incomplete cell leaves a gap in its line. Without an
    axis there is a point a method; a method that does not read the axis is a dashed level.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    datasets = list(dict.fromkeys(cells["dataset"]))
    with rc_context(_STYLE):
        figure = Figure(figsize=(6.75, 0.35 + 2.35 * len(datasets)), layout="constrained")
        panels = figure.subplots(len(datasets), 2, squeeze=False)
        for dataset, row in zip(datasets, panels, strict=True):
            for metric, panel in zip((BOUND, LOG_P), row, strict=True):
                chosen = (cells["dataset"] == dataset) & (cells["metric"] == metric)
                _panel(panel, plan, cells[chosen])
                name = "bound" if metric == BOUND else "log p"
                panel.set_ylabel(f"test {name} on {dataset} (nats)")
        handles = {h.get_label(): h for panel in panels.flat for h in _handles(panel)}
        if handles:
            figure.legend(handles=handles.values(), loc="outside upper center", ncols=3, frameon=False)
    return figure


def render(figure: "Figure", kind: str) -> bytes:
    """The figure as `png` or `svg`, the same bytes whenever it is drawn from the same numbers."""
    from matplotlib import rc_context

    stamp = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}[kind]
    content = BytesIO()
    with rc_context(_STYLE):
        figure.savefig(content, format=kind, dpi=200, metadata=stamp)
    return content.getvalue()


def _panel(panel: "Axes", plan: Plan, cells: pd.DataFrame) -> None:
    methods = list(dict.fromkeys(cells["method"]))
    bounds = bounds_of_methods(trial.config.hyperparameters for trial in plan.trials)
    places = _places(panel, plan, cells)
    for method in methods:
        style = _method_style(method) | {"label": f"{method} (bound: {bounds[method]})"}
        own = cells[cells["method"] == method]
        level = own[own["x"].isna()]
        if plan.x and len(level):
            panel.axhline(level["mean"].iloc[0], linestyle="--", **_line_only(style))
        known = own if not plan.x else own[own["x"].notna()]
        xs = [places[_key(plan, cell)] for cell in known.to_dict("records")]
        line = "-" if plan.x and all(map(is_number, known["x"])) else "none"
        if xs:
            panel.errorbar(
                xs,
                known["mean"],
                yerr=known["standard_error"],
                linestyle=line,
                capsize=2,
                elinewidth=0.9,
                **style,
            )
    if not cells["complete"].any():
        panel.text(0.5, 0.5, "no complete cell", transform=panel.transAxes, ha="center")
    panel.grid(axis="y", linewidth=0.4, color="0.9")
    panel.set_axisbelow(True)
