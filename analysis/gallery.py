"""The figures of a study, with captions that are written from its data."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from analysis.costs import SAME
from analysis.curves import LearningCurve, learning_curves, quality_points
from analysis.figures.along_axis import draw, draw_ess, draw_likelihoods, draw_of_methods
from analysis.figures.budget import draw_budget
from analysis.figures.costs import can_draw_costs, draw_costs, what_intervals_are
from analysis.figures.curves import draw_curves, what_is_shown
from analysis.figures.datasets import draw_datasets
from analysis.figures.gradients import draw_signal
from analysis.figures.over_datasets import draw_over_datasets
from analysis.figures.quality import draw_quality
from analysis.figures.search import draw_importance, draw_trials, shown
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
from analysis.reading import line
from analysis.searched import SearchedCell, searched_cells, selected_by
from analysis.tables.captions import bounds_of_methods
from gmm_study.training.methods import method_named
from gmm_study.trials.selection import VALID_BOUND

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BOUNDS_DIFFER = "Bounds of different methods are different quantities and cannot be compared."
MOST_PAIRS = 3
"""With more data sets, curves by epoch and by training time are two figures."""
MOST_VALUES = 5
"""Largest number of values of the axis that the learning curves show."""


@dataclass(frozen=True)
class Picture:
    """A figure: its file name without an ending, its title, its caption, and how to draw it."""

    name: str
    title: str
    caption: str
    draw: "Callable[[], Figure]"


def pictures_of(found: Findings, problems: list[str] | None = None) -> list[Picture]:
    """The figures that suit the study: its result first, then how the result came about.

    Apart from the result, figures without any complete cell are left out. With `problems`, an error
    in one kind of figure becomes a line in that list and the other kinds are still there.
    """
    pictures: list[Picture] = []
    kinds = (
        *(_gradients, _result, _over_datasets, _likelihoods, _ess),
        *(_curves, _quality, _budget, _searches),
    )
    for kind in kinds:
        with noted(f"figures: {kind.__name__.strip('_')}", problems):
            pictures += kind(found)
    names = _file_names(pictures)
    return [replace(picture, name=name) for picture, name in zip(pictures, names, strict=True)]


def result_of(found: Findings) -> Picture | None:
    """The figure of the study's result; None while there is nothing to show."""
    shown = can_draw_costs(found.costs) if len(found.costs) else found.cells["complete"].any()
    return next(_result(found)) if shown else None


@contextmanager
def noted(what: str, problems: list[str] | None) -> Iterator[None]:
    """Turn an error inside into a line in `problems`; raise it if there is no such list."""
    try:
        yield
    except Exception as error:  # one broken figure must not cost the rest of the report
        if problems is None:
            raise
        problems.append(f"{what} cannot be drawn: {line(error)}")


def _file_names(pictures: Sequence[Picture]) -> Iterator[str]:
    """A unique name for each, of letters, digits and hyphens."""
    taken: Counter[str] = Counter()
    for picture in pictures:
        name = re.sub("[^a-z0-9]+", "-", picture.name.lower()).strip("-") or "figure"
        taken[name] += 1
        yield name if taken[name] == 1 else f"{name}-{taken[name]}"


def _result(found: Findings) -> Iterator[Picture]:
    """Costs of variations, a panel per data set, or lines along the axis."""
    plan, cells = found.plan, found.cells
    gap = "" if cells["complete"].all() else " Gaps are incomplete cells."
    if len(found.costs):
        caption = _cost_caption(found) + gap
        yield Picture("result", "Cost of each variation", caption, partial(draw_costs, found.costs))
    elif plan.x is None and cells["dataset"].nunique() > 1:
        caption = f"Test log p in nats, one panel per data set.{_error(found)}"
        if any(", published" in name for table in found.tables for name, _ in table.rows):
            caption += " Crosses are published figures."
        yield Picture("result", "Test log p", caption + gap, partial(draw_datasets, cells))
    elif plan.x is not None and cells["dataset"].nunique() > 1:
        yield from _along_axis(found)
    else:
        title = f"Test bound and test log p{_against(found) or ', a point per method'}"
        caption = (
            f"Test bound (left) and test log p (right) in nats{_against(found)}."
            f"{_bounds_differ(found)}{_error(found)}{_of_axis(found)}"
        )
        yield Picture("result", title, caption + gap, partial(draw, plan, cells))


def _gradients(found: Findings) -> Iterator[Picture]:
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
        title = f"{METRICS[metric].capitalize()}{_against(found)}"
        caption = f"{title} in nats, one panel per data set.{notes[metric]}{_error(found)}"
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


def _over_datasets(found: Findings) -> Iterator[Picture]:
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


def _likelihoods(found: Findings) -> Iterator[Picture]:
    """For each method with a p*: its likelihood, that of p, and the lower bound of both."""
    cells = found.all_cells[found.all_cells["metric"].isin((LOG_P, LOG_P_TILDE, LOG_P_STAR))]
    for method in _with_p_star(cells[(cells["metric"] == LOG_P_STAR) & (cells["n"] > 0)]):
        own = _with_something(cells[cells["method"] == method])
        means = own.pivot_table(index=["dataset", "trial_id"], columns="metric", values="mean")
        means = means.reindex(columns=[LOG_P, LOG_P_TILDE])
        above = (means[LOG_P] - means[LOG_P_TILDE]).dropna().tolist()
        lies = f" log p is above log p̃ by {_range(above)} nats." if above else ""
        caption = (
            f"Three test log-likelihoods of {method} in nats: log p of the generative model, "
            "log p* of the normalised geometric mean of both models, and log p̃, a lower bound of "
            f"both.{lies}{_error(found)} log p* includes the error of the estimate of 2 log Z."
        )
        draw_it = partial(draw_likelihoods, found.plan, own)
        yield Picture(f"likelihoods {method}", f"Likelihoods of {method}", caption, draw_it)


def _ess(found: Findings) -> Iterator[Picture]:
    cells = found.all_cells[found.all_cells["metric"].isin((ESS, ESS_STAR))]
    cells = cells[(cells["metric"] == ESS) | cells["method"].isin(_with_p_star(cells))]
    known = cells[cells["n"] > 0]
    if known.empty:
        return
    means = ", ".join(
        f"{method} {_range(own['mean'].tolist())}"
        for method, own in known[known["metric"] == ESS].groupby("method", sort=False)
    )
    caption = (
        f"Effective sample size of q as a proposal for p{_against(found)}, as a fraction of the K "
        f"samples of the evaluation: {means}."
    )
    if (known["metric"] == ESS_STAR).any():
        caption += " Dashed lines with hollow markers: for p*."
    draw_it = partial(draw_ess, found.plan, _with_something(cells))
    title = f"Effective sample size{_against(found)}"
    yield Picture("ess", title, caption + _error(found), draw_it)


def _curves(found: Findings) -> Iterator[Picture]:
    curves = learning_curves(found.plan, found.records, found.rows, found.cells)
    if not curves:
        return
    values = list(dict.fromkeys(curve.x for curve in curves))
    chosen = _evenly(values, MOST_VALUES)
    curves = [curve for curve in curves if curve.x in chosen]
    ends = sorted({curve.shown for curve in curves})
    last = f"epoch {ends[0]}" if len(ends) == 1 else f"epochs {ends[0]} to {ends[-1]}"
    shown_here = what_is_shown(curves)
    caption = (
        f"{shown_here.capitalize()} in nats, of the trials behind the cells and the parameters "
        f"that they kept, up to {last}: mean over replicates, with a band of ± one standard error. "
        "A curve ends where its first replicate ended."
    )
    if any(curve.criterion == "bound" for curve in curves):
        caption += f" {BOUNDS_DIFFER}"
    if len(chosen) < len(values):
        axis = axis_label(found.plan.x or "")
        caption += f" {len(chosen)} of the {len(values)} values of {axis} are shown."
    if lost := sum(curve.left_out for curve in curves):
        caption += f" Left out: {lost} replicates that diverged or have a value that is not finite."
    yield from _curve_pictures(found, curves, shown_here.capitalize(), caption)


def _curve_pictures(
    found: Findings, curves: Sequence[LearningCurve], title: str, caption: str
) -> Iterator[Picture]:
    """By epoch and by training time: in one figure for few data sets, otherwise in two."""
    draw_it, timed = partial(draw_curves, curves, found.plan.x), _timed(curves)
    if not timed:
        missing = f"{caption} The training time by epoch is not recorded."
        yield Picture("curves", f"{title} by epoch", missing, draw_it)
    elif len({curve.dataset for curve in curves}) <= MOST_PAIRS:
        both = f"{caption} Left: by epoch. {timed.replace('By', 'Right: by', 1)}"
        draw_it = partial(draw_it, against=("epoch", "seconds"))
        yield Picture("curves", f"{title} by epoch and by training time", both, draw_it)
    else:
        yield Picture("curves", f"{title} by epoch", caption, draw_it)
        draw_it = partial(draw_it, against=("seconds",))
        text = f"The same curves. {timed}"
        yield Picture("curves by time", f"{title} by training time", text, draw_it)


def _timed(curves: Sequence[LearningCurve]) -> str:
    """What the training time is, and which curves lack it; empty if all do."""
    lacking = sum(not curve.has_seconds for curve in curves)
    if lacking == len(curves):
        return ""
    text = (
        "By training time in seconds, validation included, mean over replicates; it depends on the "
        "machine and on what else ran there."
    )
    if lacking:
        text += f" Left out: {lacking} of {len(curves)} curves, of records without training time."
    return text


def _quality(found: Findings) -> Iterator[Picture]:
    """What the training time buys; unlike bounds, log p compares across methods and K."""
    points = quality_points(found.rows, found.cells)
    if points.empty:
        return
    caption = (
        "Test log p in nats against the training time of a replicate in seconds, validation "
        "included, of the trials behind the cells. It depends on the machine and on what else ran "
        f"there, and does not include the search.{_error(found)}"
    )
    if found.plan.x:
        caption += f" Each point is named by its value of {axis_label(found.plan.x)}."
    caption += " Points far below the others lie below the panel, which names them."
    draw_it = partial(draw_quality, found.plan, points)
    yield Picture("quality", "Test log p against training time", caption, draw_it)


def _budget(found: Findings) -> Iterator[Picture]:
    """What a search of n trials can expect, by trials and by core-seconds."""
    budget = found.budget
    if budget.empty:
        return
    caption = (
        "Expected validation figure of the best of n trials, if n of the "
        f"{_range(budget['of'].tolist())} that ended were drawn at random without replacement "
        "(Dodge et al. 2019; Tang et al. 2020), for each cell. Bands: the middle half of such "
        "draws. Dotted: the best so far in the order of the proposals."
    )
    if found.plan.study.is_adaptive:
        caption += " An adaptive search does not draw at random, so the dotted line is what it did."
    cells = budget.drop_duplicates(["dataset", "method", "x"])
    if without := int(cells["without_value"].sum()):
        caption += (
            f" Trials that were stopped early, diverged or failed ({without}) count as no better "
            "than the worst of the others."
        )
    if VALID_BOUND in set(budget["criterion"]):
        caption += f" {BOUNDS_DIFFER}"
    draw_it = partial(draw_budget, budget, found.plan.x)
    title = "Expected best trial by the number of trials"
    yield Picture("budget", title, caption, partial(draw_it, against="trials"))
    timed = (
        "The same against the mean cost of n trials: training time of all replicates, validation "
        "included, times the cores of a trial."
    )
    title = "Expected best trial by core-seconds"
    yield Picture("budget by time", title, timed, partial(draw_it, against="core_seconds"))


def _searches(found: Findings) -> Iterator[Picture]:
    cells = searched_cells(found.plan, found.screened)
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        own = [cell for cell in cells if cell.dataset == dataset and cell.settings]
        if own:
            name, title = f"trials {dataset}", f"Trials on {dataset}"
            yield Picture(name, title, _trials_caption(own), partial(draw_trials, own))
    known = [cell for cell in cells if cell.shares]
    if known:
        caption, draw_it = _importance_caption(known), partial(draw_importance, known)
        yield Picture("importance", "Importance of the settings", caption, draw_it)


def _trials_caption(cells: Sequence[SearchedCell]) -> str:
    counts = ", ".join(f"{cell.method} {len(cell.values)}" for cell in cells)
    text = (
        f"Complete trials ({counts}): each is a line over its settings to its mean "
        f"{selected_by(cells)} in nats over replicates. Better trials are darker, and the best "
        "one is in colour."
    )
    if left_out := sum(cell.left_out for cell in cells):
        text += f" Not shown: {left_out} that were stopped early, failed or have not ended."
    if any(len(shown(cell)) < len(cell.values) for cell in cells):
        text += " Only trials of evenly spaced ranks are shown."
    return text


def _importance_caption(cells: Sequence[SearchedCell]) -> str:
    tops = (f"{cell.method} on {cell.dataset}: {_top(cell.shares)}" for cell in cells)
    fewest = min(len(cell.values) for cell in cells)
    return (
        f"Share of each setting in the variance of the mean {selected_by(cells)} over complete "
        "trials, by fANOVA on a random forest (Optuna). Largest: "
        f"{'; '.join(tops)}. Computed from {fewest} trials or more per method and data set; few "
        "trials make it imprecise, and trials that a scheduler stopped are not included."
    )


def _top(shares: dict[str, float]) -> str:
    name = max(shares, key=lambda name: shares[name])
    return f"{axis_label(name)} {shares[name]:.0%}"


def _with_p_star(cells: pd.DataFrame) -> list[str]:
    """The methods of the cells that have a p*."""
    return [method for method in dict.fromkeys(cells["method"]) if method_named(method).has_p_star]


def _with_something(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of the data sets with at least one complete cell."""
    return cells[cells["dataset"].isin(cells.loc[cells["n"] > 0, "dataset"])]


def _against(found: Findings) -> str:
    """` against depth`, or nothing without an axis."""
    return f" against {axis_label(found.plan.x)}" if found.plan.x else ""


def _error(found: Findings) -> str:
    n = found.plan.study.replicates
    return f" Error bars: ± one standard error over n = {n} replicates." if n > 1 else ""


def _range(values: Sequence[float]) -> str:
    """`0.12`, or `0.05 to 0.31` for different values."""
    known = pd.Series(values).dropna()
    low, high = f"{known.min():.2g}", f"{known.max():.2g}"
    return low if low == high else f"{low} to {high}"


def _evenly(values: Sequence[object], count: int) -> list[object]:
    """At most `count` of the values, evenly spaced, with the first and the last."""
    if len(values) <= count:
        return list(values)
    step = (len(values) - 1) / (count - 1)
    return [values[round(index * step)] for index in range(count)]
