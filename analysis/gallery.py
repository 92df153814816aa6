"""The figures of a study with captions that are written from its data."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from analysis.costs import SAME
from analysis.curves import learning_curves
from analysis.figures.along_axis import draw, draw_ess, draw_likelihoods
from analysis.figures.costs import draw_costs, what_intervals_are
from analysis.figures.curves import draw_curves
from analysis.figures.datasets import draw_datasets
from analysis.figures.search import draw_importance, draw_trials, shown
from analysis.findings import Findings
from analysis.labels import ESS, ESS_STAR, LOG_P, LOG_P_STAR, LOG_P_TILDE, axis_label
from analysis.reading import line
from analysis.searched import SearchedCell, searched_cells
from gmm_study.study.plan import Plan
from gmm_study.training.methods import method_named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_VALUES = 5
"""Values of the axis that the learning curves show."""


@dataclass(frozen=True)
class Picture:
    """A figure by its file's name, what stands for it where it is not shown, and its caption."""

    name: str
    title: str
    caption: str
    draw: "Callable[[], Figure]"


def pictures_of(found: Findings, problems: list[str] | None = None) -> list[Picture]:
    """The figures that suit the study: what it found first, then how it came about.

    Those for which nothing is complete yet are left out, but the first. With `problems` an error in
    one kind of figure is a line there and costs no other.
    """
    pictures: list[Picture] = []
    for kind in (_result, _likelihoods, _ess, _curves, _searches):
        with noted(f"figures: {kind.__name__.strip('_')}", problems):
            pictures += kind(found)
    names = _file_names(pictures)
    return [replace(picture, name=name) for picture, name in zip(pictures, names, strict=True)]


@contextmanager
def noted(what: str, problems: list[str] | None) -> Iterator[None]:
    """An error within, as a line in `problems`; raised where there is no such list."""
    try:
        yield
    except Exception as error:  # what is finished is not to be lost with a figure
        if problems is None:
            raise
        problems.append(f"{what} cannot be drawn: {line(error)}")


def _file_names(pictures: Sequence[Picture]) -> Iterator[str]:
    """For each its name in letters, digits and hyphens alone, and none twice."""
    taken: Counter[str] = Counter()
    for picture in pictures:
        name = re.sub("[^a-z0-9]+", "-", picture.name.lower()).strip("-") or "figure"
        taken[name] += 1
        yield name if taken[name] == 1 else f"{name}-{taken[name]}"


def _result(found: Findings) -> list[Picture]:
    """Costs of variations, a panel a dataset, or lines along the axis."""
    plan, cells = found.plan, found.cells
    error = _error(plan)
    if len(found.costs):
        title, text = "Cost of each variation", _cost_caption(found)
        return [Picture("result", title, text, lambda: draw_costs(found.costs))]
    gap = "" if cells["complete"].all() else " A gap is an incomplete cell."
    if plan.x is None and cells["dataset"].nunique() > 1:
        text = f"Test log p in nats, a panel a data set.{error}"
        if any(", published" in name for table in found.tables for name, _ in table.rows):
            text += " Crosses are published figures."
        return [Picture("result", "Test log p", text + gap, lambda: draw_datasets(cells))]
    axis = f" against {axis_label(plan.x)}" if plan.x else ", a point a method"
    text = (
        f"Test bound (left) and test log p (right) in nats{axis}. Bounds of different methods are "
        f"different quantities and do not compare.{error}"
    )
    if plan.x and len(plan.study.methods) > 1:
        text += " Methods are shifted sideways by a hair to keep their error bars apart."
    if plan.x and cells["x"].isna().any():
        text += (
            f" Dashed, with its error as a band: a method that does not read {axis_label(plan.x)}."
        )
    title = f"Test bound and test log p{axis}"
    return [Picture("result", title, text + gap, lambda: draw(plan, cells))]


def _cost_caption(found: Findings) -> str:
    reference = found.costs["reference"].iloc[0]
    text = f"Cost in nats of test log p against {reference}; left of 0 a variation gains."
    if (found.costs["trial_id"] == found.costs["reference_trial_id"]).any():
        text += f" Hollow: {SAME} {reference}."
    text += what_intervals_are(found.plan)
    return text if found.cells["complete"].all() else f"{text} A gap is an incomplete cell."


def _likelihoods(found: Findings) -> Iterator[Picture]:
    """Of the methods that have a p*, its likelihood beside that of p and the bound of both."""
    cells = found.all_cells[found.all_cells["metric"].isin((LOG_P, LOG_P_TILDE, LOG_P_STAR))]
    star = cells[(cells["metric"] == LOG_P_STAR) & (cells["n"] > 0)]
    for method in _with_p_star(star):
        own = _with_something(cells[cells["method"] == method])
        means = own.pivot_table(index=["dataset", "trial_id"], columns="metric", values="mean")
        means = means.reindex(columns=[LOG_P, LOG_P_TILDE])
        above = (means[LOG_P] - means[LOG_P_TILDE]).dropna().tolist()
        lies = f" log p lies above log p̃ by {_range(above, 'nats')}." if above else ""
        text = (
            f"The three test log-likelihoods of {method} in nats: log p of the generative model, "
            "log p* of the geometric mean of both models, and log p̃, which is a lower bound of "
            f"either.{lies}{_error(found.plan)} log p* has the error of its estimate of 2 log Z in "
            "it."
        )
        yield Picture(
            f"likelihoods {method}",
            f"Likelihoods of {method}",
            text,
            lambda own=own: draw_likelihoods(found.plan, own),  # type: ignore[misc]
        )


def _ess(found: Findings) -> Iterator[Picture]:
    cells = found.all_cells[found.all_cells["metric"].isin((ESS, ESS_STAR))]
    cells = cells[(cells["metric"] == ESS) | cells["method"].isin(_with_p_star(cells))]
    known = cells[cells["n"] > 0]
    if known.empty:
        return
    axis = f" against {axis_label(found.plan.x)}" if found.plan.x else ""
    of_p = known.loc[known["metric"] == ESS]
    means = ", ".join(
        f"{method} {_range(own['mean'].tolist())}"
        for method, own in of_p.groupby("method", sort=False)
    )
    text = (
        f"Effective sample size of q as a proposal for p{axis}, as a fraction of the K samples of "
        f"the evaluation: {means}."
    )
    if (known["metric"] == ESS_STAR).any():
        text += " Dashed and hollow: for p*."
    title, cells = f"Effective sample size{axis}", _with_something(cells)
    yield Picture("ess", title, text + _error(found.plan), lambda: draw_ess(found.plan, cells))


def _with_p_star(cells: pd.DataFrame) -> list[str]:
    """The methods of the cells that have a p*."""
    return [method for method in dict.fromkeys(cells["method"]) if method_named(method).has_p_star]


def _with_something(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of the data sets of which anything is known."""
    return cells[cells["dataset"].isin(cells.loc[cells["n"] > 0, "dataset"])]


def _curves(found: Findings) -> Iterator[Picture]:
    curves = learning_curves(found.plan, found.records, found.rows, found.cells)
    if not curves:
        return
    values = list(dict.fromkeys(curve.x for curve in curves))
    chosen = _evenly(values, MOST_VALUES)
    shown_curves = [curve for curve in curves if curve.x in chosen]
    ends = [curve.shown for curve in shown_curves]
    last = f"epoch {ends[0]}" if len(set(ends)) == 1 else f"epochs {min(ends)} to {max(ends)}"
    text = (
        f"Validation bound in nats per epoch of the trials behind the cells, up to {last}: mean "
        "over replicates, the band ± one standard error. A curve ends where its first replicate "
        "ended. Bounds of different methods are different quantities."
    )
    if len(chosen) < len(values):
        text += (
            f" Of {len(values)} values of {axis_label(found.plan.x or '')} {len(chosen)} are shown."
        )
    if lost := sum(curve.left_out for curve in shown_curves):
        text += f" Left out: {lost} replicates that diverged or have a bound that is not finite."
    title = "Validation bound per epoch"
    yield Picture("curves", title, text, lambda: draw_curves(shown_curves, found.plan.x))


def _searches(found: Findings) -> Iterator[Picture]:
    cells = searched_cells(found.plan, found.rows)
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        own = [cell for cell in cells if cell.dataset == dataset and cell.settings]
        if own:
            yield Picture(
                f"trials {dataset}",
                f"Trials on {dataset}",
                _trials_caption(own),
                lambda own=own: draw_trials(own),  # type: ignore[misc]
            )
    told = [cell for cell in cells if cell.shares]
    if told:
        yield Picture(
            "importance", "What mattered", _importance_caption(told), lambda: draw_importance(told)
        )


def _trials_caption(cells: Sequence[SearchedCell]) -> str:
    counts = ", ".join(f"{cell.method} {len(cell.bounds)}" for cell in cells)
    text = (
        f"Complete trials ({counts}), a line each from its settings to its mean validation bound "
        "in nats over replicates; the darker, the better, and the best in colour."
    )
    if left_out := sum(cell.left_out for cell in cells):
        text += f" Not shown: {left_out} that were stopped early, failed or have not ended."
    if any(len(shown(cell)) < len(cell.bounds) for cell in cells):
        text += " Of many trials those of evenly spaced ranks are shown."
    return text


def _importance_caption(cells: Sequence[SearchedCell]) -> str:
    tops = (f"{cell.method} on {cell.dataset}: {_top(cell.shares)}" for cell in cells)
    fewest = min(len(cell.bounds) for cell in cells)
    return (
        "Share of each setting in the variance of the mean validation bound over complete trials, "
        "by fANOVA on a random forest (Optuna). Largest: "
        f"{'; '.join(tops)}. From {fewest} trials at the least: few trials make it rough, and what "
        "a scheduler stopped is not in it."
    )


def _top(shares: dict[str, float]) -> str:
    name = max(shares, key=lambda name: shares[name])
    return f"{axis_label(name)} {shares[name]:.0%}"


def _error(plan: Plan) -> str:
    n = plan.study.replicates
    return f" Error bars ± one standard error over n = {n} replicates." if n > 1 else ""


def _range(values: Sequence[float], unit: str = "") -> str:
    """`0.12`, or `0.05 to 0.31` where the values differ."""
    known = pd.Series(values).dropna()
    low, high = f"{known.min():.2g}", f"{known.max():.2g}"
    text = low if low == high else f"{low} to {high}"
    return f"{text} {unit}".strip()


def _evenly(values: Sequence[object], count: int) -> list[object]:
    """So many of the values, the first and the last among them."""
    if len(values) <= count:
        return list(values)
    step = (len(values) - 1) / (count - 1)
    return [values[round(index * step)] for index in range(count)]
