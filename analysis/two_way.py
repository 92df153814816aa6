"""The error of a mean over seeds and test datapoints, which are crossed: two-way random effects.

With the value v[r, i] of replicate r on datapoint i, v = mean + seed r + datapoint i + residual.
From the mean squares of the analysis of variance (Searle, Casella and McCulloch, "Variance
Components", 1992, chapter 4), in nats squared per R N:

    over seeds, for these datapoints   MS_rows / (R N)      what the means of the R replicates show
    over data, for these seeds         MS_columns / (R N)   what the means of the N datapoints show
    over both                          (MS_rows + MS_columns - MS_error) / (R N)

Each of the first two includes the residual, so their sum counts it twice.
"""

from dataclasses import dataclass
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Parts:
    """Squared standard errors of a mean or of a difference (nats squared), with their freedom.

    `seeds` is NaN for one replicate, `data` is NaN where the values of datapoints are not known.
    Both include the `residual`, which is 0 where it is not known.
    """

    seeds: float
    seeds_freedom: float
    data: float = nan
    data_freedom: float = inf
    residual: float = 0.0

    @property
    def over_data_alone(self) -> float:
        """What data add to the error over seeds: `data` without the residual, at least 0."""
        return max(self.data - self.residual, 0.0) if self.data == self.data else 0.0

    @property
    def over_both(self) -> float:
        """The squared standard error over seeds and data, or over seeds alone; never below one."""
        both = self.seeds + self.over_data_alone
        return max(both, self.data) if self.data == self.data and both == both else both


def parts_of(values: Values) -> Parts:
    """The parts of the mean of `[R, N]` values: of one trial, or paired differences of two."""
    values = np.asarray(values, np.float64)
    replicates, datapoints = values.shape
    rows, columns = values.mean(1), values.mean(0)
    data = _squared_error(columns)
    if replicates == 1:
        return Parts(nan, 0.0, data, datapoints - 1)
    return Parts(
        _squared_error(rows), replicates - 1, data, datapoints - 1, _residual(values, rows, columns)
    )


def parts_of_difference(first: Values, second: Values) -> Parts:
    """The parts of the difference of the means of `[R, N]` and `[R', N]` values.

    The seeds are independent (Welch), the datapoints are the same in both, in the same order.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    ours, others = parts_of(first), parts_of(second)
    seeds = independent((ours.seeds, others.seeds), (ours.seeds_freedom, others.seeds_freedom))
    differences = first.mean(0) - second.mean(0)
    return Parts(
        seeds.seeds,
        seeds.seeds_freedom,
        _squared_error(differences),
        ours.data_freedom,
        ours.residual + others.residual,
    )


def independent(squares: tuple[float, ...], freedoms: tuple[float, ...]) -> Parts:
    """The parts of a sum of independent terms over seeds (Welch-Satterthwaite freedom)."""
    total = sum(squares)
    if not min(freedoms) > 0:
        return Parts(nan, 0.0)
    shares = sum(square**2 / freedom for square, freedom in zip(squares, freedoms, strict=True))
    return Parts(total, total**2 / shares if shares else float(sum(freedoms)))


def parts_over_seeds(means: Values) -> Parts:
    """The parts of the mean of `[R]` replicates whose datapoints are not known."""
    means = np.asarray(means, np.float64)
    return Parts(_squared_error(means), len(means) - 1)


def _squared_error(values: Values) -> float:
    """The squared standard error of the mean of independent values; NaN for one value."""
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else nan


def _residual(values: Values, rows: Values, columns: Values) -> float:
    """MS_error / (R N)."""
    replicates, datapoints = values.shape
    if datapoints == 1:
        return 0.0
    left = values - rows[:, None] - columns + values.mean()
    mean_square = (left**2).sum() / ((replicates - 1) * (datapoints - 1))
    return float(mean_square / (replicates * datapoints))
