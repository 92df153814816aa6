"""The cells of a study as one frame, and the tables that show it, not yet in any format."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, product
from math import nan, sqrt
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import x_values
from analysis.labels import (
    BOUND,
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


@dataclass(frozen=True)
class Entry:
    """What a table shows of one cell: nats, the letter of a footnote, whether it is the best."""

    mean: float
    standard_error: float
    letter: str = ""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """One metric on one dataset: rows are methods, columns the values of the plan's axis."""

    key: str
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
    frame = pd.DataFrame(cells).astype({"trial_id": "string", "samples": "Int64"})
    return frame[
        ["study", "dataset", "method", "axis", "x", "metric", "mean", "standard_error", "n"]
        + ["samples", "trial_id", "settings", "validation_bound", "candidates", "trials"]
        + ["complete", "mark"]
    ]


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
    return (
        settings.evaluation_samples if metric == LOG_P else settings.samples_per_datapoint
    )


def _average(chosen: pd.DataFrame, metric: str, cell: dict[str, Any]) -> dict[str, Any]:
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
    xs, methods = x_values(cells), list(dict.fromkeys(cells["method"]))
    letters: dict[str, str] = {}
    names = _letters()
    for mark in dict.fromkeys(filter(None, cells["mark"])):
        letters[mark] = next(names)
    best = _best_of_columns(cells) if metric == LOG_P else set()
    entries: dict[tuple[Any, Any], Entry] = {
        (cell.method, cell.x): Entry(
            cell.mean, cell.standard_error, letters.get(cell.mark, ""), cell.Index in best
        )
        for cell in cells.itertuples()
    }
    return Table(
        key=f"{plan.study.name} {dataset} {METRICS[metric]}",
        caption=caption(plan, dataset, metric, marked=bool(best)),
        corner=("method", axis_label(plan.x) if plan.x else ""),
        columns=tuple(value_label(x) for x in xs) if plan.x else (METRICS[metric],),
        rows=tuple((m, tuple(entries.get((m, x)) for x in xs)) for m in methods),
        notes=tuple((letter, mark) for mark, letter in letters.items()),
        places=decimals(cells["standard_error"]),
    )


def _best_of_columns(cells: pd.DataFrame) -> set[Any]:
    known = cells[cells["mean"].notna()]
    columns = [known[known["x"].map(lambda value, x=x: value == x)] for x in x_values(known)]
    return {column["mean"].idxmax() for column in columns if len(column) > 1}


def caption(plan: Plan, dataset: str, metric: str, marked: bool) -> str:
    """What a reader needs to read a table: unit, direction, n, the error, K, and what is bold."""
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
            f"Test log p on {dataset} in nats, higher is better: {spread}. Importance sampling "
            f"with K = {samples} samples per datapoint, in expectation a lower bound of log p(x)."
        )
        return text + (" Bold: the highest mean of a column." if marked else "")
    kinds = "; ".join(f"{method}: {kind}" for method, kind in bounds_of_methods(settings).items())
    return (
        f"Test bound on {dataset} in nats, higher is better within a row: {spread}. Every method "
        f"has its own bound ({kinds}), so entries of different methods do not compare and none is "
        "bold."
    )


def bounds_of_methods(settings: Iterable[Hyperparameters]) -> dict[str, str]:
    """What the bound of every method is, with its K: `log p̃(x) with K = 10`."""
    kinds: dict[str, dict[str, list[int]]] = {}
    for setting in settings:
        of_method = kinds.setdefault(setting.method, {})
        of_method.setdefault(bound_label(setting), []).append(setting.samples_per_datapoint)
    return {
        method: " or ".join(
            f"{kind} with K = {value_range(samples)}" for kind, samples in of_method.items()
        )
        for method, of_method in kinds.items()
    }


def _letters() -> Iterator[str]:
    """a, b, … p, then two letters and so on."""
    for length in count(1):
        yield from map("".join, product("abcdefghijklmnop", repeat=length))
