"""Figures of what a study found: its result, likelihoods, sample sizes and gradients."""

from collections.abc import Iterator
from functools import partial

import pandas as pd

from analysis.costs import SAME
from analysis.figures.along_axis import draw, draw_ess, draw_likelihoods, draw_of_methods
from analysis.figures.costs import draw_costs, what_intervals_are
from analysis.figures.datasets import draw_datasets
from analysis.figures.gradients import draw_signal
from analysis.figures.over_datasets import draw_over_datasets
from analysis.findings import Findings
from analysis.gradients import at_the_end
from analysis.labels import (
    BOUND,
    ESS,
    ESS_STAR,
    LOG_P,
    LOG_P_STAR,
    LOG_P_TILDE,
    METRICS,
    axis_label,
    is_number,
    value_label,
)
from analysis.pictures.picture import BOUNDS_DIFFER, Picture, against, error_bars, range_of
from analysis.tables.captions import bounds_of_methods
from gmm_study.training.methods import method_named


def result(found: Findings) -> Iterator[Picture]:
    """Costs of variations, a panel per data set, or lines along the axis."""
    plan, cells = found.plan, found.cells
    gap = "" if cells["complete"].all() else " Gaps are incomplete cells."
    if len(found.costs):
        caption = _cost_caption(found) + gap
        yield Picture("result", "Cost of each variation", caption, partial(draw_costs, found.costs))
    elif plan.x is None and cells["dataset"].nunique() > 1:
        caption = f"Test log p in nats, one panel per data set.{error_bars(found)}"
        if any(", published" in name for table in found.tables for name, _ in table.rows):
            caption += " Crosses are published figures."
        yield Picture("result", "Test log p", caption + gap, partial(draw_datasets, cells))
    elif plan.x is not None and cells["dataset"].nunique() > 1:
        yield from _along_axis(found)
    else:
        title = f"Test bound and test log p{against(found) or ', a point per method'}"
        caption = (
            f"Test bound (left) and test log p (right) in nats{against(found)}."
            f"{_bounds_differ(found)}{error_bars(found)}{_of_axis(found)}"
        )
        yield Picture("result", title, caption + gap, partial(draw, plan, cells))


def _along_axis(found: Findings) -> Iterator[Picture]:
    """Test log p, then the test bound, with a panel for each data set that has a complete cell."""
    settings = [trial.config.hyperparameters for trial in found.plan.trials]
    bounds = bounds_of_methods(settings, with_samples=found.plan.x != "samples")
    what = "; ".join(f"{method} {bound}" for method, bound in bounds.items())
    notes = {LOG_P: "", BOUND: f"{_bounds_differ(found)} Bound: {what}."}
    for name, metric in (("result", LOG_P), ("bound", BOUND)):
        own = found.cells[found.cells["metric"] == metric]
        complete = own.groupby("dataset", sort=False)["complete"].any()
        gap = "" if own["complete"].all() else " Gaps are incomplete cells."
        if complete.any() and not complete.all():
            own = own[own["dataset"].map(complete)]
            gap += f" Not shown, as no cell is complete: {', '.join(complete.index[~complete])}."
        title = f"{METRICS[metric].capitalize()}{against(found)}"
        caption = f"{title} in nats, one panel per data set.{notes[metric]}{error_bars(found)}"
        draw_it = partial(draw_of_methods, found.plan, own, metric)
        yield Picture(name, title, caption + _of_axis(found) + gap, draw_it)


def _bounds_differ(found: Findings) -> str:
    return f" {BOUNDS_DIFFER}" if len(found.plan.study.methods) > 1 else ""


def _of_axis(found: Findings) -> str:
    plan, text = found.plan, ""
    if plan.x and len(plan.study.methods) > 1:
        text += " Methods are shifted sideways a little so that error bars do not overlap."
    if plan.x and found.cells["x"].isna().any():
        text += (
            " A dashed line, with its standard error as a band, is a method that does not read "
            f"{axis_label(plan.x)}."
        )
    return text


def _cost_caption(found: Findings) -> str:
    costs, reference = found.costs, found.costs["reference"].iloc[0]
    text = f"Cost in nats of test log p relative to {reference}; left of 0 a variation gains."
    if (costs["trial_id"] == costs["reference_trial_id"]).any():
        text += f" Hollow markers: {SAME} {reference}."
    return text + what_intervals_are(found.plan)


def gradients(found: Findings) -> Iterator[Picture]:
    """Signal to noise of q's gradient by K, and along the axis."""
    frame, axis = found.gradients, found.plan.x or ""
    if frame.empty:
        return
    of = f"Signal to noise of the gradient of q, ± standard error over {_runs(frame)}. Below the "
    of += "grey line a step is mostly noise. An arrow goes down from an upper limit."
    last = at_the_end(frame)
    at = f" At {axis_label(axis)} {value_label(last['x'].iloc[0])}." if axis else ""
    title = "Signal to noise of the gradient of q"
    yield Picture("gradients", title, of + at, partial(draw_signal, last, "samples"))
    values = frame["x"].dropna()
    if values.nunique() > 1 and all(map(is_number, values)):
        counts = sorted(frame["samples"].unique())
        middle = 10 if 10 in counts else counts[len(counts) // 2]
        own = frame[(frame["samples"] == middle) & frame["x"].notna()]
        title = f"{title} along {axis_label(axis)}"
        draw_it = partial(draw_signal, own, "x", axis)
        yield Picture("gradients-along", title, f"{of} K = {middle}.", draw_it)


def _runs(frame: pd.DataFrame) -> str:
    n = int(frame["n"].min())
    return f"n = {n} replicates" if n > 1 else "draws"


def over_datasets(found: Findings) -> Iterator[Picture]:
    """Interquartile means and performance profiles over three or more data sets."""
    together = found.over_datasets
    if together.frame.empty:
        return
    caption = (
        f"Scores over {together.frame['data_sets'].iloc[0]} data sets: the share that test log p "
        "reaches of what the best method gains over independent pixels on a data set. Left: the "
        "mean of the middle half of all runs. Right: the fraction of runs with at least a score "
        "(Agarwal et al. 2021)."
    )
    if found.plan.study.replicates > 1:
        caption += (
            " Bars: 95% intervals by a bootstrap over the seeds within each data set; the profiles "
            "have no intervals."
        )
    draw_it = partial(draw_over_datasets, together, found.plan.x)
    yield Picture("over datasets", "Scores over data sets", caption, draw_it)


def likelihoods(found: Findings) -> Iterator[Picture]:
    """For each method with a p*: its likelihood, that of p, and the lower bound of both."""
    cells = found.all_cells[found.all_cells["metric"].isin((LOG_P, LOG_P_TILDE, LOG_P_STAR))]
    for method in _with_p_star(cells[(cells["metric"] == LOG_P_STAR) & (cells["n"] > 0)]):
        own = _with_something(cells[cells["method"] == method])
        means = own.pivot_table(index=["dataset", "trial_id"], columns="metric", values="mean")
        means = means.reindex(columns=[LOG_P, LOG_P_TILDE])
        above = (means[LOG_P] - means[LOG_P_TILDE]).dropna().tolist()
        lies = f" log p is above log p̃ by {range_of(above)} nats." if above else ""
        caption = (
            f"Three test log-likelihoods of {method} in nats: log p of the generative model, "
            "log p* of the normalised geometric mean of both models, and log p̃, a lower bound of "
            f"both.{lies}{error_bars(found)} log p* includes the error of the estimate of 2 log Z."
        )
        draw_it = partial(draw_likelihoods, found.plan, own)
        yield Picture(f"likelihoods {method}", f"Likelihoods of {method}", caption, draw_it)


def ess(found: Findings) -> Iterator[Picture]:
    """The effective sample sizes of q as a proposal for p, and for p* where there is one."""
    cells = found.all_cells[found.all_cells["metric"].isin((ESS, ESS_STAR))]
    cells = cells[(cells["metric"] == ESS) | cells["method"].isin(_with_p_star(cells))]
    known = cells[cells["n"] > 0]
    if known.empty:
        return
    means = ", ".join(
        f"{method} {range_of(own['mean'].tolist())}"
        for method, own in known[known["metric"] == ESS].groupby("method", sort=False)
    )
    caption = (
        f"Effective sample size of q as a proposal for p{against(found)}, as a fraction of the K "
        f"samples of the evaluation: {means}."
    )
    if (known["metric"] == ESS_STAR).any():
        caption += " Dashed lines with hollow markers: for p*."
    draw_it = partial(draw_ess, found.plan, _with_something(cells))
    title = f"Effective sample size{against(found)}"
    yield Picture("ess", title, caption + error_bars(found), draw_it)


def _with_p_star(cells: pd.DataFrame) -> list[str]:
    """The methods of the cells that have a p*."""
    return [method for method in dict.fromkeys(cells["method"]) if method_named(method).has_p_star]


def _with_something(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of the data sets with at least one complete cell."""
    return cells[cells["dataset"].isin(cells.loc[cells["n"] > 0, "dataset"])]
