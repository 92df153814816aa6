"""The figures of a study along its axis: bound and log p, gmm's three likelihoods, the ess."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from analysis.figures.panel import Series, draw_panel, is_level, level_look
from analysis.figures.style import PALETTE, STYLE, grid_of_panels, look, new_figure, words
from analysis.labels import BOUND, ESS, ESS_STAR, LOG_P, LOG_P_STAR, LOG_P_TILDE
from analysis.tables.captions import bounds_of_methods
from gmm_study.study.plan import Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIKELIHOODS = {
    LOG_P: ("log p", {"color": PALETTE[0], "marker": "o"}),
    LOG_P_TILDE: ("log p̃", {"color": PALETTE[1], "marker": "s", "linestyle": "--"}),
    LOG_P_STAR: ("log p*", {"color": PALETTE[2], "marker": "^", "linestyle": ":"}),
}


def draw(plan: Plan, cells: pd.DataFrame) -> "Figure":
    """A row a dataset: the test bound and, beside it, test log p, in nats, ± one standard error.

    `cells` is the frame of `summarise`.
    """
    from matplotlib import rc_context

    datasets = list(dict.fromkeys(cells["dataset"]))
    with rc_context(STYLE):
        figure = new_figure(0.35 + 2.35 * len(datasets))
        panels = figure.subplots(len(datasets), 2, squeeze=False)
        for dataset, row in zip(datasets, panels, strict=True):
            for metric, panel in zip((BOUND, LOG_P), row, strict=True):
                own = cells[(cells["dataset"] == dataset) & (cells["metric"] == metric)]
                draw_panel(panel, plan, _of_methods(own))
                name = "bound" if metric == BOUND else "log p"
                panel.set_ylabel(words(f"test {name} on {dataset} (nats)"))
        settings = [trial.config.hyperparameters for trial in plan.trials]
        bounds = bounds_of_methods(settings, with_samples=plan.x != "samples")
        named = [
            Series(f"{one.label} (bound: {bounds[one.label]})", one.look, one.cells)
            for one in _of_methods(cells)
        ]
        _legend(figure, plan, named)
    return figure


def draw_likelihoods(plan: Plan, cells: pd.DataFrame) -> "Figure":
    """A panel a dataset: log p, log ptilde and log p* of one method's cells, in nats."""
    return _panel_a_dataset(plan, cells, _of_likelihoods, "test log-likelihood (nats)")


def draw_ess(plan: Plan, cells: pd.DataFrame) -> "Figure":
    """A panel a dataset: the effective sample size as a fraction of K, a line a method.

    That of q as a proposal for p, and dashed for p* where a method has one.
    """
    return _panel_a_dataset(plan, cells, _of_proposals, "effective sample size (fraction of K)")


def _panel_a_dataset(
    plan: Plan,
    cells: pd.DataFrame,
    series_of: Callable[[pd.DataFrame], list[Series]],
    vertical: str,
) -> "Figure":
    from matplotlib import rc_context

    datasets = list(dict.fromkeys(cells["dataset"]))
    with rc_context(STYLE):
        figure, panels = grid_of_panels(len(datasets), 2.1 if len(datasets) > 1 else 2.9)
        for dataset, panel in zip(datasets, panels, strict=True):
            draw_panel(panel, plan, series_of(cells[cells["dataset"] == dataset]))
            panel.set_title(words(dataset))
        figure.supylabel(vertical, fontsize=8)
        _legend(figure, plan, series_of(cells))
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


def _legend(figure: "Figure", plan: Plan, series: Sequence[Series]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            label=own.label,
            **(level_look(own.look) if is_level(plan, own.cells) else own.look),
        )
        for own in series
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
