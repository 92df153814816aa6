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
        rest = {out: _squares(means, [each for each in inside if each != out]) for out in inside}
        largest = min(rest, key=lambda trial: rest[trial].sum())
        every = _squares(means, inside)
        freedom = (len(inside) - 1) * (replicates - 1)
        added, left = every.sum() - rest[largest].sum(), rest[largest].sum()
        if not _stands_out(added, left, replicates - 1, freedom, len(inside)):
            return Pool(_variances(inside, every, freedom), freedom)
        inside.remove(largest)
    return Pool({}, 0.0)


def _squares(means: Mapping[str, Values], trials: list[str]) -> Values:
    """The sum over replicates of each trial's squared residuals; effects of seeds are removed."""
    table = np.array([means[trial] for trial in trials], np.float64)
    table = table - table.mean(1, keepdims=True)
    return np.asarray(((table - table.mean(0)) ** 2).sum(1))


def _variances(trials: list[str], squares: Values, freedom: float) -> dict[str, float]:
    """The pooled variance, or an unbiased estimate of the trial's own where that is larger."""
    count, pooled = len(trials), float(squares.sum() / freedom)
    replicates = freedom / (count - 1)
    own = (count * squares / replicates - pooled) / (count - 2)
    return {trial: max(pooled, float(each)) for trial, each in zip(trials, own, strict=True)}


def _stands_out(added: float, left: float, of_one: int, freedom: int, count: int) -> bool:
    """Whether one trial adds more to the sum of squares than the others explain."""
    from scipy.special import fdtrc  # type: ignore[import-untyped]

    if left <= 0:
        return bool(added > 0)
    ratio = (added / of_one) / (left / (freedom - of_one))
    return bool(fdtrc(of_one, freedom - of_one, ratio) < STANDS_OUT / count)
