"""The cells of a study as one frame: what tables and figures show, and why a cell is empty."""

from collections.abc import Collection, Mapping
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.collapse import mark_collapsed
from analysis.differences import LogP
from analysis.labels import BOUND, LOG_P, METRICS, axis_label, value_label
from analysis.planned import each_once, x_values
from analysis.ranking import rank
from analysis.selection import CELL, PROVISIONAL, best_on_validation
from analysis.statistics import Estimate, mean_of
from gmm_study.study.plan import Plan
from gmm_study.training.hyperparameters import Hyperparameters

OWN = "a record of yours; the others come with gmm-study"
"""The mark of a cell with a trial of the user's own among those that come with the project."""
NO_DATA = "no data"
"""The mark of a cell whose data set is not available."""

_TYPES = {
    "study": "string",
    "dataset": "string",
    "method": "string",
    "axis": "string",
    "x": "object",
    "metric": "string",
    "mean": "float64",
    "standard_error": "float64",
    "error_data": "float64",
    "error_both": "float64",
    "low": "float64",
    "high": "float64",
    "n": "int64",
    "samples": "Int64",
    "trial_id": "string",
    "settings": "string",
    "validation": "float64",
    "selected_by": "string",
    "candidates": "int64",
    "trials": "int64",
    "complete": "bool",
    "mark": "string",
}


_ERRORS = ("standard_error", "error_data", "error_both", "low", "high")
_NO_AVERAGE = {"mean": nan, **dict.fromkeys(_ERRORS, nan), "n": 0}


def summarise(
    plan: Plan,
    rows: pd.DataFrame,
    metrics: Mapping[str, str] = METRICS,
    log_p: LogP | None = None,
) -> pd.DataFrame:
    """The cells of all tables: a row per data set, method, x and metric.

    `rows` are the planned replicates (`join`), `metrics` the metrics with their names for readers,
    `log_p` has the values of datapoints, without which errors are over seeds alone.
    Columns: `study`, `dataset`, `method`, `axis`, `x`, `metric`, `mean` (nats; over the replicates
    of the chosen trial), `standard_error` over seeds (n - 1; NaN for one replicate), `error_data`
    over test datapoints (NaN if not known), `error_both` over both (over seeds alone if that over
    data is not known), `low` and `high` (the ends of the 95% interval by `error_both`), `n` (the
    number of replicates averaged, 0 without an average), `samples` (the K of the estimate),
    `trial_id`, `settings`, `validation` and `selected_by` of the chosen trial
    (`best_on_validation`), `complete`, `mark` (why there is no average, which candidates were
    missing, which cell has the same trial, or which replicates collapsed), and those of `rank`.
    Incomplete cells and those of unavailable data sets have no average.
    """
    log_p = log_p or LogP(plan, rows)
    settings = {trial.config.trial_id: trial.config.hyperparameters for trial in plan.trials}
    chosen = best_on_validation(rows).to_dict("records")
    _mark_shared(plan, chosen)
    _mark_provisional(plan, rows, chosen)
    chosen = [*chosen, *_gaps(plan, rows)]
    chosen.sort(key=lambda cell: plan.study.datasets.index(cell["dataset"]))
    # A trial can be in several cells of a plan, with the same replicates in each.
    needed = rows[rows["trial_id"].isin([cell["trial_id"] for cell in chosen if cell["complete"]])]
    once = each_once(needed)
    of_trial = dict(list(once.groupby("trial_id", sort=False)))
    cells = []
    for cell in chosen:
        own = of_trial[cell["trial_id"]] if cell["complete"] else once.iloc[:0]
        for metric, name in metrics.items():
            known = {"study": plan.study.name, "axis": plan.x or "", "metric": metric}
            samples = _samples(settings[cell["trial_id"]], metric) if cell["complete"] else None
            average = _average(log_p, own, metric, name, cell)
            cells.append(known | cell | {"samples": samples} | average)
    frame = pd.DataFrame(cells, columns=list(_TYPES), dtype=object).astype(_TYPES)
    return rank(log_p, mark_collapsed(frame, rows))


def mark_own(cells: pd.DataFrame, own: Collection[str]) -> pd.DataFrame:
    """The cells, those with one of these trials marked as the user's own."""
    marks = [
        "; ".join(filter(None, (mark, OWN if trial_id in own else "")))
        for trial_id, mark in zip(cells["trial_id"].fillna(""), cells["mark"], strict=True)
    ]
    return cells.assign(mark=pd.Series(marks, index=cells.index, dtype="string"))


def trials_of_cells(rows: pd.DataFrame) -> dict[tuple[Any, ...], list[str]]:
    """The ids of the planned trials of each cell, in the plan's order."""
    planned: dict[tuple[Any, ...], dict[str, None]] = {}
    for *cell, trial_id in zip(*(rows[name] for name in (*CELL, "trial_id")), strict=True):
        planned.setdefault(tuple(cell), {})[trial_id] = None
    return {cell: list(trials) for cell, trials in planned.items()}


def _samples(settings: Hyperparameters, metric: str) -> int:
    """The K of the estimate; the bound is that of the last stage of the training."""
    if metric == BOUND:
        return settings.stage_list[-1].training_samples
    return settings.evaluation_samples


def _average(
    log_p: LogP, own: pd.DataFrame, metric: str, name: str, cell: Mapping[Any, Any]
) -> dict[str, Any]:
    if not cell["complete"]:
        return _NO_AVERAGE
    values = own[metric] if metric in own else pd.Series(nan, index=own.index)
    lost = int((~np.isfinite(values)).sum())
    if lost:
        mark = f"{name} not finite in {lost} of {len(own)} replicates"
        marks = "; ".join(filter(None, (mark, cell["mark"])))
        return _NO_AVERAGE | {"complete": False, "mark": marks}
    if metric == LOG_P:
        return _figures(log_p.mean(cell["trial_id"]))
    return _figures(mean_of(values.to_numpy(np.float64), None))


def _figures(estimate: Estimate) -> dict[str, Any]:
    low, high = estimate.interval()
    return {
        "mean": estimate.mean,
        "standard_error": estimate.over_seeds,
        "error_data": estimate.over_data,
        "error_both": estimate.standard_error,
        "low": low,
        "high": high,
        "n": estimate.n,
    }


def _mark_shared(plan: Plan, cells: list[dict[Any, Any]]) -> None:
    """Mark each cell whose trial is also that of an earlier cell."""
    first: dict[tuple[Any, ...], Any] = {}
    for cell in cells:
        if not cell["complete"]:
            continue
        x = first.setdefault((cell["dataset"], cell["method"], cell["trial_id"]), cell["x"])
        if x != cell["x"]:
            shared = f"the same trial as {axis_label(plan.x or '')} {value_label(x)}"
            cell["mark"] = "; ".join(filter(None, (shared, cell["mark"])))


def _mark_provisional(plan: Plan, rows: pd.DataFrame, cells: list[dict[Any, Any]]) -> None:
    """Mark each cell whose search has trials left to propose or to confirm."""
    for left, verb in ((plan.unconfirmed, "confirmed"), (plan.unproposed, "proposed")):
        searched = {t.config.trial_id for t in plan.places if left.get(t.cell)}
        its_rows = rows[rows["trial_id"].isin(searched)]
        provisional = set(zip(its_rows["dataset"], its_rows["method"], its_rows["x"], strict=True))
        for cell in cells:
            if tuple(cell[name] for name in CELL) in provisional:
                mark = cell["mark"].removeprefix(f"{PROVISIONAL}: ")
                more = f"{PROVISIONAL}: more trials are to be {verb}"
                cell["mark"] = "; ".join(filter(None, (more, mark)))


def _gaps(plan: Plan, rows: pd.DataFrame) -> list[dict[Any, Any]]:
    """Empty cells of the unavailable data sets, like those of the other data sets."""
    nothing = {"complete": False, "trial_id": None, "settings": "", "validation": nan}
    nothing |= {"selected_by": "", "candidates": 0, "trials": 0, "mark": NO_DATA}
    there = set(zip(rows["method"], rows["x"], strict=True))
    return [
        {"dataset": dataset, "method": method, "x": x, **nothing}
        for dataset in plan.without_data
        for method in plan.study.methods
        for x in x_values(rows)
        if (method, x) in there
    ]
