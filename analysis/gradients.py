"""The quality of gradients in a study: all figures as a frame, over the replicates of trials."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite, nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.labels import LOG_P, axis_label, value_label
from gmm_study.study.plan import Plan
from gmm_study.trials.asked_gradients import AskedGradients, can_be_assessed
from gmm_study.trials.averages import mean_and_standard_error

FIGURES = {
    "signal_to_noise": "signal to noise",
    "cosine": "cosine with the target",
    "deviation": "deviation from the target",
    "bias": "bias",
}
"""The figures of gradients with their names for readers, as in docs/how-to/gradients.md."""
MEANS = ("norm", "target_error", "seconds")
"""What stands beside them as a mean alone."""
_GROUP = ("method", "q_baseline", "samples", "part", "parameters", "target")
_COLUMNS = (
    *("dataset", "trained_by", "axis", "x", "trial_id", *_GROUP, "n"),
    *(name for figure in FIGURES for name in (figure, f"{figure}_se")),
    "signal_to_noise_upper",
    *MEANS,
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
    `..._se` (over replicates, n - 1; over draws if there is one), and the means of `MEANS`: the
    norm of the target, its relative sampling error, and the seconds of an estimate. A figure that
    is not finite in a replicate is missing.

    The signal to noise is the root of the mean square, whose error is never below that over draws.
    Where the draws show no signal, its error is missing, and `signal_to_noise_upper` is its limit.
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
        if not any(can_be_assessed(name, cell["method"]) for name in wanted.methods):
            continue
        trial_id = str(cell["trial_id"])
        known = {"dataset": cell["dataset"], "trained_by": cell["method"], "axis": plan.x or ""}
        known |= {"x": cell["x"], "trial_id": trial_id}
        groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for row in read(trial_id, wanted.to_json(replicates[trial_id])):
            groups.setdefault(tuple(row[name] for name in _GROUP), []).append(row)
        for group, rows in groups.items():
            yield known | dict(zip(_GROUP, group, strict=True)) | _mean(rows)


def rows_with_squares(asked: Mapping[str, Any], rows: Rows) -> Rows:
    """The rows of a record; those of old records get the square of the signal to noise.

    Old records have its root alone, which is 0 where the square was negative, with an error that is
    too small there. Without a signal, the error of the square over n draws is at most sqrt(2) / n,
    that of a gradient with a single entry, so this is the error where a root is unclear.
    """
    return [row if "signal_square" in row else _with_square(row, asked["draws"]) for row in rows]


def _with_square(row: Mapping[str, Any], draws: int) -> Mapping[str, Any]:
    root, error = row["signal_to_noise"], row["signal_to_noise_se"]
    if root is None or error is None:
        return {**row, "signal_square": None, "signal_square_se": None}
    of_square = 2.0 * root * error if root > 2.0 * error else 2.0**0.5 / draws
    return {**row, "signal_square": root**2, "signal_square_se": of_square}


def _mean(rows: Rows) -> dict[str, Any]:
    """The mean over replicates of every figure, with its error."""
    mean: dict[str, Any] = {"n": len(rows)}
    for name in MEANS:
        known = [row[name] for row in rows if row[name] is not None]
        mean[name] = float(np.mean(known)) if known else nan
    for figure in FIGURES:
        mean |= dict(zip((figure, f"{figure}_se"), _mean_of(rows, figure), strict=True))
    return mean | _signal(rows)


def _mean_of(rows: Rows, figure: str) -> tuple[float, float]:
    """The mean of a figure over replicates and its error; NaN where it is missing in one."""
    values = [row[figure] for row in rows]
    if any(value is None for value in values):
        return nan, nan
    if len(rows) == 1:
        error = rows[0][f"{figure}_se"]
        return values[0], nan if error is None else error
    return mean_and_standard_error(values)


def _signal(rows: Rows) -> dict[str, float]:
    """The root of the mean square over replicates, its error and its upper limit."""
    from gmm_study.estimators.gradient_quality import root_of

    square, error = _mean_of(rows, "signal_square")
    errors = [row["signal_square_se"] for row in rows]
    of_draws = nan if None in errors else float(np.linalg.norm(errors)) / len(rows)
    found = root_of(square, max(error, of_draws), of_draws)
    names = ("signal_to_noise", "signal_to_noise_se", "signal_to_noise_upper")
    return dict(zip(names, found, strict=True))


def at_the_end(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last value of the axis, such as the most epochs; all without an axis."""
    last = [x for x in dict.fromkeys(frame["x"]) if x is not None]
    numbers = [x for x in last if isinstance(x, int | float)]
    if not last:
        return frame
    chosen = max(numbers) if len(numbers) == len(last) else last[-1]
    return frame[[x is None or x == chosen for x in frame["x"]]]


def models_of(plan: Plan, rows: pd.DataFrame) -> str:
    """The models that rows share, in words, such as `bars, trained by rws, max epochs 100`."""
    row = rows.iloc[0]
    words, x = f"{row['dataset']}, trained by {row['trained_by']}", row["x"]
    return (
        words if plan.x is None or x is None else f"{words}, {axis_label(plan.x)} {value_label(x)}"
    )


def upper_limit_of(row: Mapping[Any, Any]) -> str | None:
    """The signal to noise in words where the draws show none; None where they show one."""
    shown = isfinite(row["signal_to_noise_se"])
    return None if shown else f"at most {row['signal_to_noise_upper']:.2g}"


def name_of(row: Mapping[Any, Any]) -> str:
    """A method with its baseline, where it is not the usual one."""
    plain = row["q_baseline"] in (None, "uniform") or row["q_baseline"] != row["q_baseline"]
    return str(row["method"]) if plain else f"{row['method']}, {row['q_baseline']}"
