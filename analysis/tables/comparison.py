"""Our test figures beside the published ones, as negative log-likelihoods in nats."""

from collections.abc import Iterable
from math import isfinite, nan
from typing import Any

import pandas as pd

from analysis.cells import summarise
from analysis.labels import (
    ESS,
    ESS_STAR,
    LOG_P,
    LOG_P_STAR,
    LOG_Z2,
    decimals,
    error_label,
    value_label,
)
from analysis.published import PublishedFigure, published
from analysis.selection import CELL
from analysis.tables.layout import Entry, Notes, Table
from gmm_study.study.plan import Plan
from gmm_study.training.methods import method_named

_Layers = dict[Any, set[tuple[int, ...]]]
LIKELIHOODS = {LOG_P: "-log p", LOG_P_STAR: "-log p*"}
ESS_OF = {LOG_P: ESS, LOG_P_STAR: ESS_STAR}
"""The effective sample size that goes with each."""
ERROR_OF = {metric: f"{metric}_se" for metric in LIKELIHOODS}
"""The standard error of each over the test datapoints."""
OTHER_MODELS = {"nade": "NADE", "eonade": "EoNADE", "rbm": "RBM"}
"""Models that are published on the same data and that we do not train."""
COMPARED = {
    LOG_P: "test log p",
    LOG_P_STAR: "test log p*",
    ESS: "ess",
    ESS_STAR: "ess for p*",
    LOG_Z2: "2 log Z",
    **dict.fromkeys(ERROR_OF.values(), "standard error over test datapoints"),
}
COLUMNS = (
    "ours",
    "published",
    "ours - published",
    "at or below",
    "n",
    "K",
    "s.e. over test data",
    "ess",
    "2 log Z",
)

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
    "paired": "bool",
}


def compare(plan: Plan, rows: pd.DataFrame) -> pd.DataFrame:
    """A row a dataset, method, x and likelihood: log p, and log p* of methods that have one.

    `nll` and its `standard_error` over replicates (n - 1) in nats, `error_over_data` (over the test
    datapoints, mean over replicates), `log_z2` with `log_z2_error` over replicates, `published` and
    `note` (where it stands, whether it was checked), `difference` (ours minus published),
    `reached`, whether ours is at or below the published figure within one standard error over
    replicates (of one replicate: at all), `mark` of an incomplete cell, `rank` of log p among
    methods. A published figure that names its layers is held against those layers alone.
    """
    layers = _planned_layers(plan, rows)
    cells = summarise(plan, rows, COMPARED)
    found = []
    by_cell = cells.groupby(["dataset", "method", _position(cells)], sort=False)
    for (_, method, _), metrics in by_cell:
        by_metric = {cell["metric"]: cell for cell in metrics.to_dict("records")}
        for metric in LIKELIHOODS if method_named(str(method)).has_p_star else [LOG_P]:
            found.append(_row(by_metric, metric, layers))
    return pd.DataFrame(found, columns=list(_TYPES), dtype=object).astype(_TYPES)


def lay_out_comparison(plan: Plan, compared: pd.DataFrame) -> Table:
    """One table: a row a likelihood of a dataset, a method and, where there is an axis, its x."""
    notes = Notes()
    places = decimals(compared["log_z2_error"])
    rows = []
    for row in compared.to_dict("records"):
        x = [value_label(row["x"])] if plan.x else []
        name = ", ".join([row["dataset"], row["method"], *x, LIKELIHOODS[row["metric"]]])
        rows.append((name, _entries(row, notes, places)))
    return Table(
        key=f"{plan.study.name} published",
        title="Our test figures beside the published ones, in nats",
        caption=_caption(plan),
        corner=("", ""),
        columns=COLUMNS,
        rows=tuple(rows),
        notes=notes.listed(),
        places=decimals(compared["standard_error"]),
    )


def lay_out_other_models(datasets: Iterable[str]) -> Table:
    """What is published of models that we do not train: a row a data set that has any."""
    notes = Notes()
    rows: list[tuple[str, tuple[Entry | None, ...]]] = []
    for dataset in datasets:
        found = [published(dataset, method) for method in OTHER_MODELS]
        if any(found):
            rows.append((dataset, tuple(published_nll(figure, notes) for figure in found)))
    return Table(
        key="other models",
        title="Published test figures of other models, in nats",
        caption="Negative log-likelihood, lower is better. We train none of these.",
        corner=("dataset", ""),
        columns=tuple(OTHER_MODELS.values()),
        rows=tuple(rows),
        notes=notes.listed(),
        places=2,
    )


def published_nll(figure: PublishedFigure | None, notes: Notes) -> Entry | None:
    """A published figure as it was published, None where there is none."""
    if figure is None:
        return None
    return Entry(nan, nan, notes.letter(figure.note), text=f"{figure.nll:.2f}")


def _caption(plan: Plan) -> str:
    from gmm_study.estimators import INNER_SAMPLES
    from gmm_study.trials.evaluation import Z_SAMPLES

    n = plan.study.replicates
    if n > 1:
        error = (
            f"± the standard error over n = {n} replicates (standard deviation with n - 1, divided "
            "by √n)"
        )
        reached = "ours is not above the published figure by more than that standard error"
    else:
        error = "one replicate (n = 1), so no standard error over seeds is known (n/a)"
        reached = "judged by the plain figures, as no standard error over seeds is known"
    text = (
        f"Negative log-likelihood, lower is better; {error}; K samples per datapoint. At or "
        f"below: {reached}. s.e. over test data: the standard error of one replicate's figure over "
        "the test datapoints, mean over replicates. ess: effective samples as a fraction of K, of "
        "q as a proposal for p, or for p*."
    )
    if not any(method_named(method).has_p_star for method in plan.study.methods):
        return text
    return (
        f"{text} 2 log Z: from {Z_SAMPLES:,} samples of p, each with M = {INNER_SAMPLES} inner "
        "ones; ± as for log p."
    )


def _position(cells: pd.DataFrame) -> pd.Series:
    """A number for every value of x, to group by: None is a value too."""
    values = list(dict.fromkeys(cells["x"]))
    return cells["x"].map(values.index).rename("position")


def _planned_layers(plan: Plan, rows: pd.DataFrame) -> _Layers:
    """The layers of the trials of each cell, by its place and, of one trial, by its id."""
    of_trial = {t.config.trial_id: t.config.hyperparameters.layers for t in plan.trials}
    layers: _Layers = {trial_id: {sizes} for trial_id, sizes in of_trial.items()}
    for *cell, trial_id in zip(*(rows[name] for name in (*CELL, "trial_id")), strict=True):
        layers.setdefault(tuple(cell), set()).add(of_trial[trial_id])
    return layers


def _row(by_metric: dict[str, dict[Any, Any]], metric: str, layers: _Layers) -> dict[str, Any]:
    cell = by_metric[metric]
    figure = published(cell["dataset"], cell["method"], metric)
    key = cell["trial_id"] if cell["complete"] else tuple(cell[name] for name in CELL)
    if figure and figure.layers and figure.layers not in layers.get(key, {figure.layers}):
        figure = None
    difference = -cell["mean"] - figure.nll if figure else nan
    error = cell["standard_error"] if isfinite(cell["standard_error"]) else 0.0
    names = ["study", "dataset", "method", "x", "metric", "standard_error", "n", "samples", "mark"]
    names += ["rank", "paired"]
    return {name: cell[name] for name in names} | {
        "nll": -cell["mean"],
        "ess": by_metric[ESS_OF[metric]]["mean"],
        "error_over_data": by_metric[ERROR_OF[metric]]["mean"],
        "log_z2": by_metric[LOG_Z2]["mean"] if metric == LOG_P_STAR else nan,
        "log_z2_error": by_metric[LOG_Z2]["standard_error"] if metric == LOG_P_STAR else nan,
        "published": figure.nll if figure else nan,
        "note": figure.note if figure else "",
        "difference": difference,
        "reached": difference <= error if isfinite(difference) else None,
    }


def _entries(row: dict[Any, Any], notes: Notes, places: int) -> tuple[Entry | None, ...]:
    def shown(text: str, letter: str = "") -> Entry | None:
        return Entry(nan, nan, letter, text=text) if text else None

    reached = {True: "yes", False: "no"}
    known = pd.notna(row["reached"])
    over_data = row["error_over_data"]
    log_z2 = _number(row["log_z2"], f".{places}f")
    return (
        Entry(row["nll"], row["standard_error"], notes.letter(row["mark"])),
        shown(_number(row["published"], ".2f"), notes.letter(row["note"])),
        shown(_number(row["difference"], "+.2f")),
        shown(reached[bool(row["reached"])] if known else ""),
        shown(str(row["n"])),
        shown(f"{row['samples']:,}" if row["n"] else ""),
        shown(error_label(over_data, 2) if isfinite(over_data) else ""),
        shown(_number(row["ess"], "#.3g")),
        shown(f"{log_z2} ± {error_label(row['log_z2_error'], places)}" if log_z2 else ""),
    )


def _number(value: float, form: str) -> str:
    return f"{value:{form}}" if isfinite(value) else ""
