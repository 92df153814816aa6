"""Differences among several trials with the variance over seeds pooled (Dunnett, Tukey).

With three replicates the variance of one difference has two degrees of freedom; pooled over ten
trials it has eighteen. The replicates are blocks: what a seed adds to all trials cancels, and the
pooled variance is that of the residual of trials and replicates. Trials can differ in their
spread, and one whose replicates partly collapsed has another variance altogether. So

- a trial whose variance stands out (F test at 1%, adjusted for the number of trials) leaves the
  pool, and its differences have their own variance and degrees of freedom;
- a trial in the pool has the pooled variance or its own, whichever is larger.

docs/explanation/statistics.md has the measured coverage, also where variances differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.labels import ROUNDING
from analysis.simultaneous import Family
from analysis.statistics import Estimate, paired_difference
from analysis.two_way import Parts, Values

STANDS_OUT = 0.01
"""The level of the test that takes a trial out of the pool."""


@dataclass(frozen=True)
class Pool:
    """The variances over seeds of the trials in a pool, and the degrees of freedom of each."""

    variances: Mapping[str, float]
    freedom: float

    def difference(
        self,
        trials: tuple[str, str],
        means: Mapping[str, Values],
        values: tuple[Values, Values] | None,
        family: Family,
    ) -> Estimate:
        """The first trial minus the second, with intervals that hold for the whole family.

        `means` are the `[R]` means of replicates by trial, `values` the `[R, N]` ones of both.
        """
        first, second = trials
        found = paired_difference(means[first], means[second], values, family)
        if not set(trials) <= set(self.variances):
            return found
        square = (self.variances[first] + self.variances[second]) / found.n
        data = found.parts.data, found.parts.data_freedom, found.parts.residual
        return Estimate(found.mean, Parts(square, self.freedom, *data), found.n, family=family)


def pool_of(means: Mapping[str, Values]) -> Pool:
    """Pool `[R]` means of replicates by trial; every trial has the same replicates.

    The pool is empty if there are fewer than three trials or two replicates.
    """
    inside, replicates = list(means), len(next(iter(means.values()), ()))
    while len(inside) > 2 and replicates > 1:
        squares = _squares([means[trial] for trial in inside])
        freedom = (len(inside) - 1) * (replicates - 1)
        largest = int(squares.argmax())
        if not _stands_out(squares, largest, replicates - 1, freedom):
            own = _variances(squares, freedom)
            return Pool(dict(zip(inside, own, strict=True)), freedom)
        del inside[largest]
    return Pool({}, 0.0)


def _squares(means: list[Values]) -> Values:
    """The sum over replicates of each trial's squared residuals; effects of seeds are removed."""
    table = np.array(means, np.float64)
    table = table - table.mean(1, keepdims=True)
    return np.asarray(((table - table.mean(0)) ** 2).sum(1))


def _variances(squares: Values, freedom: float) -> list[float]:
    """The pooled variance, or an unbiased estimate of the trial's own where that is larger.

    A residual has the mean of all trials in it: its square sums, over replicates, to R - 1 times
    (1 - 2/A) of the trial's own variance and 1/A of the mean variance, for A trials.
    """
    count, pooled = len(squares), float(squares.sum() / freedom)
    own = (count * squares * (count - 1) / freedom - pooled) / (count - 2)
    return [float(each) for each in np.maximum(own, pooled)]


def _stands_out(squares: Values, largest: int, of_one: int, freedom: int) -> bool:
    """Whether one trial adds more to the sum of squares than the others explain (F test).

    Without it, the sum is less by its own squares times A / (A - 1), for A trials.
    """
    from scipy.special import fdtrc  # type: ignore[import-untyped]

    count = len(squares)
    added = float(squares[largest]) * count / (count - 1)
    left = float(squares.sum()) - added
    if left <= ROUNDING * added:
        return added > ROUNDING**2
    ratio = (added / of_one) / (left / (freedom - of_one))
    return bool(fdtrc(of_one, freedom - of_one, ratio) < STANDS_OUT / count)
