"""Means and differences with their errors over seeds and over test data, and their intervals.

The half-width of an interval is the root of the sum of the squares of two: that over seeds, from
their few degrees of freedom, and what data add to it. For normal values its coverage is at least
nominal (Banerjee, Sankhya 22, 1960), unlike Satterthwaite's with three seeds;
docs/explanation/statistics.md has the measured coverage of both.
"""

from dataclasses import dataclass, replace
from math import isfinite, nan

import numpy as np

from analysis.simultaneous import ONE, Family
from analysis.two_way import Parts, Values, parts_of, parts_of_difference, parts_over_seeds
from analysis.two_way import independent as independent_seeds

CONFIDENCE = 0.95
EQUIVALENCE = 0.90
"""Two one-sided tests at 5%: the interval with this confidence lies within the margin."""


@dataclass(frozen=True)
class Estimate:
    """A mean, or a difference of two means, in nats, with the parts of its squared error.

    `n` is the smaller number of replicates, `paired` whether replicates were compared one by one,
    `family` the comparisons that its intervals cover together, `same` whether it is a difference
    of equal values, so that nothing is estimated.
    """

    mean: float
    parts: Parts
    n: int
    paired: bool = True
    family: Family = ONE
    same: bool = False

    @property
    def over_seeds(self) -> float:
        """The standard error over seeds, for these datapoints (n - 1); NaN for one replicate."""
        return float(self.parts.seeds**0.5)

    @property
    def over_data(self) -> float:
        """The standard error over test datapoints, for these seeds; NaN if it is not known."""
        return float(self.parts.data**0.5)

    @property
    def standard_error(self) -> float:
        """Over seeds and data; over seeds alone if the values of datapoints are not known."""
        return float(self.parts.over_both**0.5)

    @property
    def knows_data(self) -> bool:
        """Whether `standard_error` and the intervals include the error over data."""
        return isfinite(self.parts.data)

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """That of the interval; NaN for one replicate.

        Like the squared error, it is never below that over data alone.
        """
        parts = self.parts
        if not parts.seeds_freedom > 0:
            return nan
        over_seeds = self.family.critical(parts.seeds_freedom, confidence) ** 2 * parts.seeds
        over_data = self.family.critical(parts.data_freedom, confidence) ** 2
        squared = over_seeds + over_data * parts.over_data_alone
        return float((max(squared, over_data * parts.data) if self.knows_data else squared) ** 0.5)

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Its two ends in nats; NaN for one replicate."""
        half_width = self.half_width(confidence)
        return self.mean - half_width, self.mean + half_width

    def with_seeds(self, n: int) -> "Estimate":
        """What it would be with n replicates, at the same spread over seeds and data."""
        more, parts = n / self.n, self.parts
        freedom = parts.seeds_freedom * (n - 1) / (self.n - 1)
        left = parts.residual / more
        scaled = Parts(
            parts.seeds / more,
            freedom,
            parts.over_data_alone + left if self.knows_data else nan,
            parts.data_freedom,
            left,
        )
        return replace(self, parts=scaled, n=n)


def mean_of(means: Values, values: Values | None) -> Estimate:
    """The mean of a trial from the `[R]` means of its replicates and their `[R, N]` values."""
    parts = parts_over_seeds(means) if values is None else parts_of(values)
    return Estimate(float(np.mean(means)), parts, len(means))


def paired_difference(
    first: Values, second: Values, values: tuple[Values, Values] | None, family: Family = ONE
) -> Estimate:
    """`first` minus `second`, each the `[R]` means of replicates of the same seeds, in order.

    `values` are the `[R, N]` values of the same datapoints, if they are known.
    """
    differences, n = np.asarray(first, np.float64) - np.asarray(second, np.float64), len(first)
    if values is None:
        parts = parts_over_seeds(differences)
    else:
        parts = parts_of(np.asarray(values[0], np.float64) - np.asarray(values[1], np.float64))
    same = equal(first, second, values)
    return Estimate(float(differences.mean()), parts, n, family=family, same=same)


def equal(first: Values, second: Values, values: tuple[Values, Values] | None) -> bool:
    """Whether two trials have the same figures, bit for bit; `values` only where they are known."""
    return np.array_equal(first, second) and (values is None or np.array_equal(*values))


def unpaired_difference(
    first: Values, second: Values, values: tuple[Values, Values] | None, family: Family = ONE
) -> Estimate:
    """The same for other seeds: independent over seeds (Welch), still paired over datapoints."""
    mean, n = float(np.mean(first) - np.mean(second)), min(len(first), len(second))
    if values is not None:
        parts = parts_of_difference(*values)
        return Estimate(mean, parts, n, paired=False, family=family)
    ours, others = parts_over_seeds(first), parts_over_seeds(second)
    parts = independent_seeds(
        (ours.seeds, others.seeds), (ours.seeds_freedom, others.seeds_freedom)
    )
    return Estimate(mean, parts, n, paired=False, family=family)
