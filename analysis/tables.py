"""The cells of a study as one frame, and the tables that show it, not yet in any format."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, product
from math import nan, sqrt
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import x_values
from analysis.labels import (
    LOG_P,
    METRICS,
    axis_label,
    bound_label,
    decimals,
    value_label,
    value_range,
)
from analysis.selection import best_mean_validation_bound
from gmm_study.study.plan import Plan
from gmm_study.training.hyperparameters import Hyperparameters

MOST_COLUMNS = 8
"""Values of an axis beyond which a table lists them down the page."""

_TYPES = {
    "study": "string",
    "dataset": "string",
    "method": "string",
    "axis": "string",
    "x": "object",
    "metric": "string",
    "mean": "float64",
    "standard_error": "float64",
    "n": "int64",
    "samples": "Int64",
    "trial_id": "string",
    "settings": "string",
    "validation_bound": "float64",
    "candidates": "int64",
    "trials": "int64",
    "complete": "bool",
    "mark": "string",
}


@dataclass(frozen=True)
class Entry:
    """What a table shows of one cell: nats, the letter of a footnote, whether it is the best."""

    mean: float
    standard_error: float
    letter: str = ""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """One metric on one dataset: rows are methods, columns the values of the plan's axis.

    The other way round where there are more than `MOST_COLUMNS` values. `corner` names the rows
    and the columns.
    """

    key: str
    title: str
    caption: str
    corner: tuple[str, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Entry | None, ...]], ...]
    notes: tuple[tuple[str, str], ...]
    places: int


def summarise(plan: Plan, rows: pd.DataFrame) -> pd.DataFrame:
    """The cells of all tables: a row a dataset, method, x and metric.

    `rows` are the planned replicates (`join`). Columns: `study`, `dataset`, `method`, `axis`, `x`,
    `metric`, `mean` and `standard_error` (nats; over the replicates of the chosen trial, n - 1;
    NaN for one replicate), `n` (replicates averaged; 0 where there is no average), `samples` (the
    estimate's K), `trial_id`, `settings` and `validation_bound` of the chosen trial, `complete`,
    `mark` (why there is no average, or what the choice lacked). An incomplete cell has no average.
    """
    settings = {trial.config.trial_id: trial.config.hyperparameters for trial in plan.trials}
    cells = []
    for cell in best_mean_validation_bound(rows).to_dict("records"):
        # A trial can stand in several cells of a plan, with the same replicates in each.
        chosen = rows[rows["trial_id"] == cell["trial_id"]].drop_duplicates("replicate")
        for metric in METRICS:
            known = {"study": plan.study.name, "axis": plan.x or "", "metric": metric}
            samples = _samples(settings[cell["trial_id"]], metric) if cell["complete"] else None
            cells.append(known | cell | {"samples": samples} | _average(chosen, metric, cell))
    return pd.DataFrame(cells, columns=list(_TYPES), dtype=object).astype(_TYPES)


def mean_and_standard_error(values: Iterable[float]) -> tuple[float, float]:
    """The mean and its standard error, s / sqrt(n) with n - 1 in s; NaN error for one value."""
    array = np.asarray(list(values), dtype=np.float64)
    error = array.std(ddof=1) / sqrt(len(array)) if len(array) > 1 else nan
    return float(array.mean()), float(error)


def lay_out(plan: Plan, cells: pd.DataFrame) -> list[Table]:
    """The tables of a study: first log p on every dataset, then the bound.

    The best mean of a column is marked in the tables of log p alone, and only where it has a rival:
    bounds of different methods are different quantities.
    """
    datasets = dict.fromkeys(cells["dataset"])
    pairs = list(product(METRICS, datasets))
    frames = [cells[(cells["metric"] == m) & (cells["dataset"] == d)] for m, d in pairs]
    return [_lay_out(plan, frame) for frame in frames]


def _samples(settings: Hyperparameters, metric: str) -> int:
    return settings.evaluation_samples if metric == LOG_P else settings.samples_per_datapoint


def _average(chosen: pd.DataFrame, metric: str, cell: dict[Hashable, Any]) -> dict[str, Any]:
    if not cell["complete"]:
        return {"mean": nan, "standard_error": nan, "n": 0}
    lost = int((~np.isfinite(chosen[metric])).sum())
    if lost:
        mark = f"{METRICS[metric]} not finite in {lost} of {len(chosen)} replicates"
        marks = "; ".join(filter(None, (mark, cell["mark"])))
        return {"mean": nan, "standard_error": nan, "n": 0, "complete": False, "mark": marks}
    mean, error = mean_and_standard_error(chosen[metric])
    return {"mean": mean, "standard_error": error, "n": len(chosen)}


def _lay_out(plan: Plan, cells: pd.DataFrame) -> Table:
    metric, dataset = cells["metric"].iloc[0], cells["dataset"].iloc[0]
    marks = dict.fromkeys(filter(None, cells["mark"]))
    letters = dict(zip(marks, _letters(), strict=False))
    best = _best_at_each_x(cells) if metric == LOG_P else set()
    entries = {
        (cell["method"], cell["x"]): Entry(
            cell["mean"], cell["standard_error"], letters.get(cell["mark"], ""), index in best
        )
        for index, cell in zip(cells.index, cells.to_dict("records"), strict=True)
    }
    xs, methods = x_values(cells), list(dict.fromkeys(cells["method"]))
    named = [value_label(x) for x in xs] if plan.x else [METRICS[metric]]
    corner = ("method", axis_label(plan.x) if plan.x else "")
    rows = [(method, [entries.get((method, x)) for x in xs]) for method in methods]
    if len(xs) > MOST_COLUMNS:
        by_x = [[entries.get((method, x)) for method in methods] for x in xs]
        rows, named, corner = list(zip(named, by_x, strict=True)), methods, corner[::-1]
    text = caption(plan, dataset, metric, marked=bool(best))
    if any(entry is None for _, row in rows for entry in row):
        text += " Blank: no such trial is planned."
    return Table(
        key=f"{plan.study.name} {dataset} {METRICS[metric]}",
        title=f"{METRICS[metric].capitalize()} on {dataset} in nats",
        caption=text,
        corner=corner,
        columns=tuple(named),
        rows=tuple((name, tuple(row)) for name, row in rows),
        notes=tuple((letter, mark) for mark, letter in letters.items()),
        places=decimals(cells["standard_error"]),
    )


def _best_at_each_x(cells: pd.DataFrame) -> set[Any]:
    known = cells[cells["mean"].notna()]
    columns = [known[known["x"].map(lambda value, x=x: value == x)] for x in x_values(known)]
    return {column["mean"].idxmax() for column in columns if len(column) > 1}


def caption(plan: Plan, dataset: str, metric: str, marked: bool) -> str:
    """What a reader needs to read a table: direction, n, the error, K, and what is bold."""
    n = plan.study.replicates
    spread = (
        f"mean ± standard error over n = {n} replicates (seeds; standard deviation with n - 1, "
        "divided by √n)"
        if n > 1
        else "one replicate a cell (n = 1), so no standard error (n/a)"
    )
    settings = [
        trial.config.hyperparameters for trial in plan.trials if trial.config.dataset == dataset
    ]
    if metric == LOG_P:
        samples = value_range(setting.evaluation_samples for setting in settings)
        text = (
            f"Higher is better; {spread}. Importance sampling with K = {samples} samples per "
            "datapoint, in expectation a lower bound of log p(x)."
        )
        return text + (" Bold: the highest mean among methods, complete cells alone." * marked)
    kinds = "; ".join(f"{method}: {kind}" for method, kind in bounds_of_methods(settings).items())
    text = (
        f"Higher is better within a method; {spread}. Every method has its own bound ({kinds}), so "
        "entries of different methods do not compare and none is bold."
    )
    differs = len({(setting.method, setting.samples_per_datapoint) for setting in settings})
    if differs > len({setting.method for setting in settings}):
        text += " Nor is it one quantity within a method, where K differs."
    return text


def bounds_of_methods(
    settings: Iterable[Hyperparameters], with_samples: bool = True
) -> dict[str, str]:
    """What the bound of every method is, and its K: `log p̃, K = 10`."""
    kinds: dict[str, dict[str, list[int]]] = {}
    for setting in settings:
        of_method = kinds.setdefault(setting.method, {})
        of_method.setdefault(bound_label(setting), []).append(setting.samples_per_datapoint)
    return {
        method: " or ".join(
            f"{kind}, K = {value_range(samples)}" if with_samples else kind
            for kind, samples in of_method.items()
        )
        for method, of_method in kinds.items()
    }


def _letters() -> Iterator[str]:
    """a, b, … p, then two letters and so on."""
    for length in count(1):
        yield from map("".join, product("abcdefghijklmnop", repeat=length))
