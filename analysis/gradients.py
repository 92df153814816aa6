"""The quality of gradients in a study: all figures as a frame, over the replicates of trials."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.labels import LOG_P
from gmm_study.study.plan import Plan
from gmm_study.trials.asked_gradients import AskedGradients, can_be_assessed

FIGURES = {
    "signal_to_noise": "signal to noise",
    "cosine": "cosine with the target",
    "deviation": "deviation from the target",
    "bias": "bias",
}
"""The figures of gradients with their names for readers, as in docs/how-to/gradients.md."""
_GROUP = ("method", "q_baseline", "samples", "part", "parameters", "target")
_COLUMNS = (
    *("dataset", "trained_by", "axis", "x", "trial_id", *_GROUP, "n"),
    *(name for figure in FIGURES for name in (figure, f"{figure}_se")),
    "seconds",
)

Rows = Sequence[Mapping[str, Any]]
Reader = Callable[[str, Mapping[str, Any]], Rows]
"""Gives the rows of a trial by its id, if they were assessed as is asked for."""


def gradient_frame(plan: Plan, cells: pd.DataFrame, read: Reader) -> pd.DataFrame:
    """The gradients of the trial of each complete cell of `summarise`; empty if none were assessed.

    A row per cell, assessed method, baseline, K and part of the model. Columns: `dataset`,
    `trained_by` (the method of the trial), `axis` and `x`, `trial_id`, `method` and `q_baseline` of
    the gradients, `samples` (K), `part`, its number of `parameters`, `target` (what it is), `n`
    (replicates), the mean over replicates of every figure of `FIGURES` with its standard error as
    `..._se` (over replicates, n - 1; over draws if there is one), and the `seconds` of an estimate.
    A figure that is not finite in a replicate is missing.
    """
    section = plan.study.gradients
    found = [] if section is None else list(_rows(plan, cells, section.wanted, read))
    return pd.DataFrame(found, columns=list(_COLUMNS))


def _rows(
    plan: Plan, cells: pd.DataFrame, wanted: AskedGradients, read: Reader
) -> Iterator[dict[str, Any]]:
    replicates = {trial.config.trial_id: trial.replicates for trial in plan.trials}
    own = cells[(cells["metric"] == LOG_P) & cells["complete"]]
    for cell in own.to_dict("records"):
        known = {"dataset": cell["dataset"], "trained_by": cell["method"], "axis": plan.x or ""}
        known |= {"x": cell["x"], "trial_id": cell["trial_id"]}
        groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        if not any(can_be_assessed(name, cell["method"]) for name in wanted.methods):
            continue
        trial_id = str(cell["trial_id"])
        for row in read(trial_id, wanted.to_json(replicates[trial_id])):
            groups.setdefault(tuple(row[name] for name in _GROUP), []).append(row)
        for group, rows in groups.items():
            yield known | dict(zip(_GROUP, group, strict=True)) | _mean(rows)


def _mean(rows: Rows) -> dict[str, Any]:
    """The mean over replicates of every figure, with its error."""
    mean: dict[str, Any] = {"n": len(rows), "seconds": float(np.mean([r["seconds"] for r in rows]))}
    for figure in FIGURES:
        values = [row[figure] for row in rows]
        if any(value is None for value in values):
            mean |= {figure: nan, f"{figure}_se": nan}
        elif len(rows) == 1:
            error = rows[0][f"{figure}_se"]
            mean |= {figure: values[0], f"{figure}_se": nan if error is None else error}
        else:
            error = float(np.std(values, ddof=1)) / len(rows) ** 0.5
            mean |= {figure: float(np.mean(values)), f"{figure}_se": error}
    return mean


def at_the_end(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last value of the axis, such as the most epochs; all without an axis."""
    last = [x for x in dict.fromkeys(frame["x"]) if x is not None]
    numbers = [x for x in last if isinstance(x, int | float)]
    if not last:
        return frame
    chosen = max(numbers) if len(numbers) == len(last) else last[-1]
    return frame[[x is None or x == chosen for x in frame["x"]]]


def name_of(row: Mapping[Any, Any]) -> str:
    """A method with its baseline, where it is not the usual one."""
    plain = row["q_baseline"] in (None, "uniform") or row["q_baseline"] != row["q_baseline"]
    return str(row["method"]) if plain else f"{row['method']}, {row['q_baseline']}"
