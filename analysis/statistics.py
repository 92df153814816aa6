"""Differences over replicates, with standard errors and how likely they are due to chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import pandas as pd

from analysis.labels import ROUNDING
from gmm_study.trials.averages import mean_and_standard_error

CONFIDENCE = 0.95
LEVEL = 1.0 - CONFIDENCE
"""A p-value up to this one is called significant."""


@dataclass(frozen=True)
class Difference:
    """A mean difference with its standard error (n - 1), in the unit of the values.

    `half_width` is that of its 95% confidence interval by Student's t; `p_value` is two-sided, for
    no difference, by the same t. Both and the standard error are NaN for single values.
    """

    mean: float
    standard_error: float
    half_width: float
    p_value: float
    n: int
    paired: bool


def paired_difference(first: pd.Series, second: pd.Series) -> Difference:
    """The mean of `first` minus `second`, matched by index (paired t-test)."""
    differences = first - second
    mean, error = mean_and_standard_error(differences)
    return _difference(mean, error, len(differences) - 1, len(differences), paired=True)


def unpaired_difference(first: pd.Series, second: pd.Series) -> Difference:
    """The mean of `first` minus that of `second` for independent values (Welch's t-test)."""
    squares = [mean_and_standard_error(values)[1] ** 2 for values in (first, second)]
    counts = (len(first), len(second))
    mean, error = float(first.mean() - second.mean()), sum(squares) ** 0.5
    return _difference(mean, error, _welch(squares, counts), min(counts), paired=False)


def errors_to_tell(n: int) -> float:
    """The number of standard errors that a significant mean of n differences exceeds."""
    from scipy.special import stdtrit  # type: ignore[import-untyped]

    return float(stdtrit(n - 1, (1 + CONFIDENCE) / 2))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm, 1979), in the same order; NaN stays NaN.

    Rejecting all adjusted values up to a level keeps the chance of any false rejection below it.
    """
    order = sorted((i for i, p in enumerate(p_values) if p == p), key=lambda i: p_values[i])
    adjusted, running = [nan] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, (len(order) - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return adjusted


def _difference(mean: float, error: float, freedom: float, n: int, paired: bool) -> Difference:
    from scipy.special import stdtr, stdtrit

    if not freedom > 0:
        return Difference(mean, error, nan, nan, n, paired)
    half_width = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    if error <= ROUNDING:
        p_value = 1.0 if abs(mean) <= ROUNDING else 0.0
    else:
        p_value = float(2.0 * stdtr(freedom, -abs(mean) / error))
    return Difference(mean, error, half_width, p_value, n, paired)


def _welch(squares: list[float], counts: tuple[int, int]) -> float:
    """The Welch-Satterthwaite degrees of freedom of two squared standard errors."""
    if min(counts) < 2:
        return nan
    shares = sum(square**2 / (n - 1) for square, n in zip(squares, counts, strict=True))
    return sum(squares) ** 2 / shares if shares else float(sum(counts) - 2)
