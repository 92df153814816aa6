"""What a search costs and brings: the expected best trial by number of trials and core-seconds.

Dodge, Gururangan, Card, Schwartz and Smith, "Show Your Work: Improved Reporting of Experimental
Results" (EMNLP 2019), plot the expected validation value of the best of n trials. Of N trials with
the values v_(1) <= ... <= v_(N), the best of n of them drawn with replacement is

    E_with(n) = sum over i of v_(i) [(i / N)^n - ((i - 1) / N)^n],

their estimate, and that of n different ones, drawn without replacement,

    E_without(n) = sum over i of v_(i) [C(i, n) - C(i - 1, n)] / C(N, n),

with binomial coefficients C. The latter is unbiased for n fresh trials of a random search (Tang et
al., "Showing Your Work Doesn't Always Work", ACL 2020), while the former is too low, as it counts
trials twice. Both suppose that trials are independent draws, which those of an adaptive search and
of a grid are not.

A trial that has no value, because it was stopped early, diverged or failed, counts as a draw that
is no better than the worst of the others.
"""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import trials_of_cells
from analysis.selection import CELL, validation_scores
from analysis.spent import Spent
from gmm_study.study.plan import Plan
from gmm_study.trials.selection import common_metric

LOW, HIGH = 0.25, 0.75
"""The quantiles of the best of n trials."""
COLUMNS = (
    "study",
    *CELL,
    "criterion",
    "of",
    "without_value",
    "trials",
    "core_seconds",
    "expected_best",
    "low",
    "high",
    "expected_best_with_replacement",
    "best_so_far",
)


def expected_best(values: Sequence[float]) -> pd.DataFrame:
    """The best of n of N values, a row for each n from 1 to N.

    Columns: `trials` (n), `expected_best` of n different ones, the quantiles `low` and `high` of
    their best, and `expected_best_with_replacement`, in the unit of the values.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    count, rows = len(ordered), []
    ranks = np.arange(count + 1)
    drawn = np.ones(count + 1)  # C(i, n) / C(N, n) by i, the first for n = 0
    for n in range(1, count + 1):
        drawn = drawn * np.maximum(ranks - (n - 1), 0) / (count - (n - 1))
        replaced = (ranks / count) ** n
        rows.append(
            {
                "trials": n,
                "expected_best": float(np.diff(drawn) @ ordered),
                "low": _quantile(ordered, drawn[1:], LOW),
                "high": _quantile(ordered, drawn[1:], HIGH),
                "expected_best_with_replacement": float(np.diff(replaced) @ ordered),
            }
        )
    return pd.DataFrame(rows)


def budgets(plan: Plan, rows: pd.DataFrame, spent: Mapping[str, Spent]) -> pd.DataFrame:
    """The expected best trial of every cell in which trials compete, by the number of trials.

    `rows` are the planned replicates (`join`), `spent` what each trial cost (`spent_of_trials`).
    Columns: the cell, `criterion` (what is compared: the mean over replicates on validation data,
    in nats), `of` (the number of trials that have ended), `without_value` (how many of them have
    none), those of `expected_best`, `core_seconds` (what n trials cost on average; NaN if the time
    of one is not known), and `best_so_far`, the best of the first n trials in the order in which
    they were proposed, NaN before the first one with a value. A cell without any value is left out.
    """
    frames, scores = [], validation_scores(rows)
    for cell, planned in trials_of_cells(rows).items():
        trials = [trial for trial in planned if trial in spent]
        criterion = common_metric(scores[trial] for trial in planned if scores[trial])
        known = {t: scores[t][criterion] for t in trials if criterion in scores[t]}
        if len(trials) < 2 or not known:
            continue
        worst = min(known.values())
        frame = expected_best([known.get(trial, worst) for trial in trials])
        cost = sum(spent[trial].core_seconds for trial in trials) / len(trials)
        if any(spent[trial].untimed for trial in trials):
            cost = nan
        facts: dict[str, Any] = {
            **{name: [value] * len(frame) for name, value in zip(CELL, cell, strict=True)},
            "study": plan.study.name,
            "criterion": criterion,
            "of": len(trials),
            "without_value": len(trials) - len(known),
            "core_seconds": cost * frame["trials"],
            "best_so_far": _best_so_far([known.get(trial, nan) for trial in trials]),
        }
        frames.append(frame.assign(**facts)[list(COLUMNS)])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def _quantile(ordered: np.ndarray, probabilities: np.ndarray, level: float) -> float:
    """The smallest value that the best is at most with a probability of at least `level`."""
    return float(ordered[np.searchsorted(probabilities, level - 1e-12)])


def _best_so_far(values: Sequence[float]) -> np.ndarray:
    """The best of the first values, NaN before the first one that is known."""
    best: np.ndarray = np.fmax.accumulate(np.asarray(values, np.float64))
    return best
