"""Methods over several data sets: interquartile means and performance profiles of their scores.

Agarwal, Schwarzer, Castro, Courville and Bellemare, "Deep Reinforcement Learning at the Edge of the
Statistical Precipice" (NeurIPS 2021), whose tool is rliable. A run is one seed on one data set. The
interquartile mean is that of the middle half of all runs of a method, which no single data set and
no single collapsed seed decides. The performance profile is the fraction of runs with at least some
score.

Nats cannot be averaged over data sets: how many nats there are to gain differs by a factor of ten.
So the score of a run is the share that it reaches of what the best method gains over independent
pixels on that data set:

    score = (log p - log p of independent pixels) / (mean log p of the best - the same).

It is 0 for a collapsed model and 1 for the mean of the best method. The scale of a data set is a
constant, whose own error is not in the intervals. Independent pixels are known on validation data
alone; that they differ on test data by some delta changes a score by (1 - score) delta / gain.

The bootstrap is stratified: it draws seeds anew within each data set. The data sets are those of
the study and not a sample, so an interval is about other seeds and not about other data. With n
seeds the spread of the draws is too small by sqrt((n - 1) / n), which is corrected, and the
interval takes Student's t, with the degrees of freedom of the middle half of the runs.
docs/explanation/reports.md has the measured coverage. Profiles have no bands: where all seeds of a
data set lie on one side of a score, the bootstrap has no spread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.labels import LOG_P
from analysis.planned import each_once
from analysis.statistics import CONFIDENCE
from gmm_study.study.plan import Plan
from gmm_study.trials.selection import INDEPENDENT

FEWEST = 3
"""The smallest number of data sets of which there is an interquartile mean."""
TRIMMED = 0.25
"""The part of the runs that is left out at each end."""
RESAMPLES = 2000
THRESHOLDS = np.linspace(0.0, 1.2, 121)
"""The scores at which a performance profile is computed."""
LEAST_GAIN = 5.0
"""A data set counts if the best method gains more than this many margins of the study there.

With a smaller gain, differences that the study calls none would be a fifth of the scale."""
COLUMNS = (
    "study",
    "method",
    "x",
    "data_sets",
    "runs",
    "mean",
    "interquartile_mean",
    "standard_error",
    "low",
    "high",
)


@dataclass(frozen=True)
class Profile:
    """The fraction of a method's runs with at least each of `THRESHOLDS`."""

    method: str
    x: object
    fraction: np.ndarray


@dataclass(frozen=True)
class OverDatasets:
    """What several data sets show together.

    `frame` has a row per method and value of x: `data_sets`, `runs`, `mean` and
    `interquartile_mean` of their scores, its `standard_error` and the ends `low` and `high` of its
    95% interval (NaN for one seed); `profiles` are in the same order. `left_out` are the data sets
    without a complete cell of every method, or without a sufficient gain (`LEAST_GAIN`).
    """

    frame: pd.DataFrame
    profiles: tuple[Profile, ...] = ()
    left_out: tuple[str, ...] = ()


def over_datasets(plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame) -> OverDatasets:
    """The scores of every method over the data sets of a study; none of fewer than three.

    `rows` are the planned replicates (`join`), `cells` their summary (`summarise`). Only data sets
    on which every method has a complete cell at every value of x are used.
    """
    least = LEAST_GAIN * plan.study.report.margin
    strata, left_out = scores_of_methods(rows, cells[cells["metric"] == LOG_P], least)
    count = len(next(iter(strata.values()), ()))
    if count < FEWEST:
        return OverDatasets(pd.DataFrame(columns=list(COLUMNS)), left_out=tuple(left_out))
    found, profiles = [], []
    for (method, x), own in strata.items():
        center, error = interquartile_mean(own)
        half_width, runs = quantile_of_t(own) * error, np.concatenate(own)
        found.append(
            {
                "study": plan.study.name,
                "method": method,
                "x": x,
                "data_sets": count,
                "runs": len(runs),
                "mean": float(runs.mean()),
                "interquartile_mean": center,
                "standard_error": error,
                "low": center - half_width,
                "high": center + half_width,
            }
        )
        profiles.append(Profile(method, x, (runs >= THRESHOLDS[:, None]).mean(1)))
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    return OverDatasets(frame, tuple(profiles), tuple(left_out))


def scores_of_methods(
    rows: pd.DataFrame, log_p: pd.DataFrame, least_gain: float
) -> tuple[dict[tuple[str, Any], list[np.ndarray]], list[str]]:
    """The scores `[n]` of each method and value of x on each data set, and those left out.

    A data set is left out if a cell is not complete there, if no record has log p of independent
    pixels, or if the best method gains at most `least_gain` nats over them.
    """
    once = each_once(rows)
    of_trial = dict(list(once.groupby("trial_id", sort=False)))
    arms = list(dict.fromkeys(zip(log_p["method"], log_p["x"], strict=True)))
    strata: dict[tuple[str, Any], list[np.ndarray]] = {arm: [] for arm in arms}
    left_out = []
    for dataset, own in log_p.groupby("dataset", sort=False):
        known = own[own["n"] > 0].to_dict("records")
        values = {
            (cell["method"], cell["x"]): of_trial[cell["trial_id"]][LOG_P].to_numpy(np.float64)
            for cell in known
        }
        floor = _independent([of_trial[cell["trial_id"]] for cell in known])
        gain = max((each.mean() for each in values.values()), default=nan) - floor
        if set(values) == set(arms) and gain > least_gain:
            for arm in arms:
                strata[arm].append((values[arm] - floor) / gain)
        else:
            left_out.append(str(dataset))
    return strata, left_out


def interquartile_mean(strata: Sequence[np.ndarray]) -> tuple[float, float]:
    """That of scores `[n]` by data set, and its standard error; NaN for one seed.

    The error is that of the stratified bootstrap over seeds; equal scores give equal errors.
    """
    from scipy.stats import bootstrap  # type: ignore[import-untyped]

    center, seeds = float(_of_runs(*strata)), min(map(len, strata))
    if seeds < 2:
        return center, nan
    found = bootstrap(
        strata,
        _of_runs,
        n_resamples=RESAMPLES,
        vectorized=True,
        method="percentile",
        random_state=np.random.default_rng(0),
    )
    return center, float(found.standard_error) * (seeds / (seeds - 1)) ** 0.5


def quantile_of_t(strata: Sequence[np.ndarray]) -> float:
    """Half the width of the 95% interval in standard errors; NaN for one seed."""
    from scipy.special import stdtrit  # type: ignore[import-untyped]

    freedom = (1.0 - 2.0 * TRIMMED) * sum(len(own) - 1 for own in strata)
    return float(stdtrit(freedom, (1.0 + CONFIDENCE) / 2.0)) if freedom > 0 else nan


def _of_runs(*strata: np.ndarray, axis: int = -1) -> Any:
    """The interquartile mean of the runs of all strata along an axis."""
    from scipy.stats import trim_mean

    return trim_mean(np.concatenate(strata, axis=axis), TRIMMED, axis=axis)


def _independent(trials: Sequence[pd.DataFrame]) -> float:
    """log p of independent pixels on a data set; NaN if no record has it."""
    known = [trial[INDEPENDENT].dropna() for trial in trials if INDEPENDENT in trial]
    values = pd.concat(known) if known else pd.Series(dtype="float64")
    return float(values.mean()) if len(values) else nan
