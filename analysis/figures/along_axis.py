"""Figures along the axis of a study: bound and log p, three likelihoods, effective samples."""

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING

import pandas as pd

from analysis.figures.panel import Series, draw_panel, look_in_legend
from analysis.figures.style import PALETTE, add_legend, grid_of_panels, look, styled, words
from analysis.labels import BOUND, ESS, ESS_STAR, LOG_P, LOG_P_STAR, LOG_P_TILDE, METRICS
from analysis.tables.captions import bounds_of_methods
from gmm_study.study.plan import Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIKELIHOODS = {
    LOG_P: ("log p", {"color": PALETTE[0], "marker": "o"}),
    LOG_P_TILDE: ("log p̃", {"color": PALETTE[1], "marker": "s", "linestyle": "--"}),
    LOG_P_STAR: ("log p*", {"color": PALETTE[2], "marker": "^", "linestyle": ":"}),
}


@styled()
def draw(plan: Plan, cells: pd.DataFrame) -> "Figure":
    """A row per data set: the test bound and, beside it, test log p, in nats, ± one standard error.

    `cells` is the frame of `summarise`.
    """
    datasets = list(dict.fromkeys(cells["dataset"]))
    figure, panels = grid_of_panels(2 * len(datasets), 2.35, across=2, above=0.35)
    for panel, (dataset, metric) in zip(panels, product(datasets, (BOUND, LOG_P)), strict=True):
        own = cells[(cells["dataset"] == dataset) & (cells["metric"] == metric)]
        draw_panel(panel, plan, _of_methods(own))
        name = "bound" if metric == BOUND else "log p"
        panel.set_ylabel(words(f"test {name} on {dataset} (nats)"))
    settings = [trial.config.hyperparameters for trial in plan.trials]
    bounds = bounds_of_methods(settings, with_samples=plan.x != "samples")
    add_legend(
        figure,
        {
            f"{own.label} (bound: {bounds[own.label]})": look_in_legend(plan, own)
            for own in _of_methods(cells)
        },
    )
    return figure


def draw_of_methods(plan: Plan, cells: pd.DataFrame, metric: str) -> "Figure":
    """A panel per data set: cells of one metric, in nats, a line per method, ± standard error."""
    return _panel_per_dataset(plan, cells, _of_methods, f"{METRICS[metric]} (nats)")


def draw_likelihoods(plan: Plan, cells: pd.DataFrame) -> "Figure":
    """A panel per data set: log p, log p̃ and log p* of one method's cells, in nats."""
    return _panel_per_dataset(plan, cells, _of_likelihoods, "test log-likelihood (nats)")


def draw_ess(plan: Plan, cells: pd.DataFrame) -> "Figure":
    """A panel per data set: the effective sample size as a fraction of K, a line per method.

    It is that of q as a proposal for p and, dashed, for p* if the method has one.
    """
    return _panel_per_dataset(plan, cells, _of_proposals, "effective sample size (fraction of K)")


@styled()
def _panel_per_dataset(
    plan: Plan,
    cells: pd.DataFrame,
    series_of: Callable[[pd.DataFrame], list[Series]],
    vertical: str,
) -> "Figure":
    datasets = list(dict.fromkeys(cells["dataset"]))
    figure, panels = grid_of_panels(len(datasets), 2.1 if len(datasets) > 1 else 2.9)
    for dataset, panel in zip(datasets, panels, strict=True):
        draw_panel(panel, plan, series_of(cells[cells["dataset"] == dataset]))
        panel.set_title(words(dataset))
    figure.supylabel(vertical, fontsize=8)
    add_legend(figure, {own.label: look_in_legend(plan, own) for own in series_of(cells)})
    return figure


def _of_methods(cells: pd.DataFrame) -> list[Series]:
    methods = dict.fromkeys(cells["method"])
    return [Series(method, look(method), cells[cells["method"] == method]) for method in methods]


def _of_likelihoods(cells: pd.DataFrame) -> list[Series]:
    found = set(cells["metric"])
    return [
        Series(name, style, cells[cells["metric"] == metric])
        for metric, (name, style) in LIKELIHOODS.items()
        if metric in found
    ]


def _of_proposals(cells: pd.DataFrame) -> list[Series]:
    for_p = _of_methods(cells[cells["metric"] == ESS])
    for_p_star = _of_methods(cells[cells["metric"] == ESS_STAR])
    dashed = {"linestyle": "--", "markerfacecolor": "none"}
    return for_p + [
        Series(f"{own.label}, for p*", own.look | dashed, own.cells)
        for own in for_p_star
        if own.cells["mean"].notna().any()
    ]
