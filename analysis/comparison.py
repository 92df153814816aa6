"""Our test figures beside the published ones, as negative log-likelihoods in nats."""

from math import isfinite, nan
from typing import Any

import pandas as pd

from analysis.cells import trials_of_cells
from analysis.labels import ERROR_OF, ESS_OF, LOG_P, LOG_P_STAR, LOG_Z2
from analysis.published import PublishedFigure, published
from analysis.selection import CELL
from gmm_study.study.plan import Plan
from gmm_study.training.methods import method_named

_COPIED = ("study", *CELL, "metric", "standard_error", "n", "samples", "mark", "rank")
_TYPES = {
    "study": "string",
    "dataset": "string",
    "method": "string",
    "x": "object",
    "metric": "string",
    "nll": "float64",
    "standard_error": "float64",
    "n": "int64",
    "samples": "Int64",
    "error_over_data": "float64",
    "ess": "float64",
    "log_z2": "float64",
    "log_z2_error": "float64",
    "published": "float64",
    "note": "string",
    "difference": "float64",
    "reached": "boolean",
    "mark": "string",
    "rank": "string",
}


def compare(plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """A row per dataset, method, x and likelihood: log p, and log p* of methods that have it.

    `rows` are the planned replicates (`join`), `cells` their summary of all metrics (`summarise`
    with `ALL_METRICS`). Columns: `nll` and its `standard_error` over replicates (n - 1) in nats,
    `error_over_data` (the standard error over the test datapoints, mean over replicates), `ess`,
    `log_z2` with `log_z2_error` over replicates, `published` and `note` (its source, and whether
    that was checked), `difference` (ours minus published), `reached` (whether ours is at most one
    standard error over replicates above the published figure; without a standard error, at most
    equal to it), `mark` of an incomplete cell, and `rank` of log p among methods. A published
    figure with known layers is compared with the same layers only. One without is compared in a
    study without an axis, where a cell has the best of what was tried.
    """
    layers = {t.config.trial_id: t.config.hyperparameters.layers for t in plan.trials}
    planned = trials_of_cells(rows)
    by_cell: dict[tuple[Any, ...], dict[str, dict[Any, Any]]] = {}
    for cell in cells.to_dict("records"):
        by_cell.setdefault(tuple(cell[name] for name in CELL), {})[cell["metric"]] = cell
    found = []
    for place, by_metric in by_cell.items():
        for metric in (LOG_P, LOG_P_STAR) if method_named(place[1]).has_p_star else (LOG_P,):
            cell, figure = by_metric[metric], published(place[0], place[1], metric)
            trials = [cell["trial_id"]] if cell["complete"] else planned.get(place, [])
            sizes = {layers[trial_id] for trial_id in trials}
            if figure and not _is_of_these(figure, plan.x, sizes):
                figure = None
            found.append(_row(by_metric, metric, figure))
    return pd.DataFrame(found, columns=list(_TYPES), dtype=object).astype(_TYPES)


def _is_of_these(figure: PublishedFigure, x: str | None, sizes: set[tuple[int, ...]]) -> bool:
    return (not sizes or figure.layers in sizes) if figure.layers else x is None


def _row(
    by_metric: dict[str, dict[Any, Any]], metric: str, figure: PublishedFigure | None
) -> dict[str, Any]:
    cell, log_z2 = by_metric[metric], by_metric[LOG_Z2]
    difference = -cell["mean"] - figure.nll if figure else nan
    error = cell["standard_error"] if isfinite(cell["standard_error"]) else 0.0
    return {name: cell[name] for name in _COPIED} | {
        "nll": -cell["mean"],
        "ess": by_metric[ESS_OF[metric]]["mean"],
        "error_over_data": by_metric[ERROR_OF[metric]]["mean"],
        "log_z2": log_z2["mean"] if metric == LOG_P_STAR else nan,
        "log_z2_error": log_z2["standard_error"] if metric == LOG_P_STAR else nan,
        "published": figure.nll if figure else nan,
        "note": figure.note if figure else "",
        "difference": difference,
        "reached": difference <= error if isfinite(difference) else None,
    }
