"""By how much log p is too low in the cells of a study, for the K of its evaluation.

The interval is that of `bias_interval`, from the gain of log p with the samples. Its errors are
over datapoints. Replicates are evaluated on the same datapoints, so the error of the mean over
replicates is taken to be the mean of their errors, which is that of values that move together.
"""

from collections.abc import Iterator
from math import inf, isfinite, nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.labels import ERROR_OF, ESS_OF, LOG_P
from analysis.places import counted, listed, place_of, significant
from analysis.planned import each_once
from analysis.selection import CELL
from gmm_study.diagnosis.figures import Bias, judge_bias
from gmm_study.study.plan import Plan
from gmm_study.trials.bias import bias_interval

GAPS = tuple(f"{LOG_P}_{name}" for name in ("gap", "gap_se", "gap_before", "gap_before_se"))
"""The metrics of which the interval is computed."""
_UNKNOWN = (nan, nan, nan)


def with_bias(cells: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The cells (`summarise`) with `gap`, `bias_low` and `bias_high` of log p, in nats.

    `gap` is what log p gains from half of the samples to all; log p is too low by `bias_low` to
    `bias_high` (95% interval; infinite without an upper limit). NaN of other metrics, and of cells
    without a mean or with a record that lacks the gaps.
    """
    by_trial = _biases_of_trials(rows)
    found = [
        by_trial.get(cell["trial_id"], _UNKNOWN)
        if cell["metric"] == LOG_P and cell["n"]
        else _UNKNOWN
        for cell in cells.to_dict("records")
    ]
    columns = zip(("gap", "bias_low", "bias_high"), zip(*found, strict=True), strict=True)
    return cells.assign(**{name: list(values) for name, values in columns})


def bias_conditions(plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    """Where log p has not converged in K, by its own error or by the margin of the study.

    `cells` are all metrics of the cells, with `with_bias`. A cell is in the first sentence if the
    gain from half of the samples to all exceeds its standard error (over seeds; over data for one
    replicate). It is in the second if the gain does not, but the bias may exceed the margin
    (`judge_bias`): too few effective samples to tell. The last one ends with what to do, if another
    evaluation asks for the same trials without a scheduler.
    """
    margin = plan.study.report.margin
    beyond_error, too_few = [], []
    known = list(_figures(cells, rows))
    for cell, ess, error in known:
        found = judge_bias(cell["gap"], error, cell["bias_high"], margin)
        if found is Bias.ABOVE_ERROR:
            beyond_error.append(_in_words(plan, cell, ess, error))
        elif found is Bias.NOT_BOUNDED:
            too_few.append(_in_words(plan, cell, ess))
    sentences = []
    if beyond_error:
        sentences.append(
            f"In {counted(len(beyond_error), len(known), 'cell')}, log p still gains more than its "
            f"error from half of its K samples to all: {listed(beyond_error, '; ')}."
        )
    if too_few:
        sentences.append(
            f"In {counted(len(too_few), len(known), 'cell')}, too few samples are effective to "
            f"tell that log p is within {margin:g} nats of its limit: {listed(too_few, '; ')}."
        )
    if sentences and not plan.study.is_adaptive and plan.study.scheduler.kind == "none":
        sentences[-1] += " More samples, as with --set evaluation.samples=N, need no new training."
    return sentences


def bias_in_words(low: float, high: float) -> str:
    """`0.010 to 0.040 nats`, or `0.30 nats or more` without an upper limit."""
    if high == inf:
        return f"{significant(low)} nats or more"
    return f"{significant(low)} to {significant(high)} nats"


def _biases_of_trials(rows: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """The gap and the interval of the bias, of the trials whose replicates all have `GAPS`."""
    if not set(GAPS) <= set(rows):
        return {}
    found = {}
    once = each_once(rows)
    for trial_id, own in once.groupby("trial_id", sort=False):
        gaps = own[list(GAPS)].astype("float64").mean(skipna=False)
        interval = bias_interval(*gaps)
        if isfinite(gaps.sum()):
            found[str(trial_id)] = (float(gaps.iloc[0]), interval.lower, interval.upper)
    return found


def _figures(
    cells: pd.DataFrame, rows: pd.DataFrame
) -> Iterator[tuple[dict[Any, Any], float, float]]:
    """The cells of log p whose bias is known, each with its effective samples and its error.

    A trial that is in several cells is given once.
    """
    ess = cells[cells["metric"] == ESS_OF[LOG_P]].set_index("trial_id")["mean"]
    over_data = pd.Series(dtype="float64")
    if ERROR_OF[LOG_P] in rows:
        over_data = rows.groupby("trial_id")[ERROR_OF[LOG_P]].mean()
    log_p = cells[(cells["metric"] == LOG_P) & np.isfinite(cells["gap"])]
    for cell in log_p.drop_duplicates([*CELL[:2], "trial_id"]).to_dict("records"):
        error = cell["standard_error"]
        if not isfinite(error):
            error = float(over_data.get(cell["trial_id"], nan))
        known = ess.loc[[cell["trial_id"]]].iloc[0] if cell["trial_id"] in ess.index else nan
        yield cell, float(known) * cell["samples"], error


def _in_words(plan: Plan, cell: dict[Any, Any], ess: float, error: float = nan) -> str:
    """`vae at depth 3 (gains 0.25, error 0.058, too low by 0.2 to 1.2 nats, 4.0 of …)`."""
    gain = f"gains {significant(cell['gap'])}" if isfinite(error) else ""
    printed = f"error {significant(error)}" if isfinite(error) else ""
    low = f"too low by {bias_in_words(cell['bias_low'], cell['bias_high'])}"
    effective = f"{significant(ess)} of {cell['samples']:,} effective" if isfinite(ess) else ""
    details = ", ".join(filter(None, (gain, printed, low, effective)))
    return f"{place_of(plan, cell)} ({details})"
