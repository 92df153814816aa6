"""The validation criterion by which a training ends, and whether it was still rising then."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

from gmm_study.training.hyperparameters import Hyperparameters

CRITERION = "criterion"
"""The metric of the criterion if it has a K of its own; otherwise it is one of the estimates."""
AVERAGED = "_averaged"
"""The name of an estimate for the averaged parameters ends so."""
FRACTION = 10
"""The slope is taken over the last tenth of the epochs."""
LEAST_POINTS = 5
LEAST_FOR_AN_ERROR = 3
MOST_CORRELATED = 0.9
"""The highest correlation of neighbouring epochs that the error of the slope allows for: so few
points do not show how much higher it is."""


def criterion_of(settings: Hyperparameters) -> str:
    """The metric of the criterion by which a stage stops and keeps parameters."""
    return settings.criterion if settings.criterion_samples is None else CRITERION


def rise(points: Sequence[tuple[int, float]]) -> tuple[float, float] | None:
    """The slope of a criterion at the end, nats per epoch, and its standard error.

    `points` are validated epochs in order, each with the value of the criterion. The slope is that
    of least squares over those in the last tenth of the epochs, and over at least the last five;
    its error comes from the residuals and the correlation of neighbouring ones. None if there are
    fewer than three points.
    """
    if len(points) < LEAST_FOR_AN_ERROR:
        return None
    first, last = points[0][0], points[-1][0]
    after = last - (last - first + 1) / FRACTION
    count = max(LEAST_POINTS, sum(epoch > after for epoch, _ in points))
    return _slope(points[-count:])


def _slope(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    count = len(points)
    middle = sum(epoch for epoch, _ in points) / count
    level = sum(value for _, value in points) / count
    spread = sum((epoch - middle) ** 2 for epoch, _ in points)
    slope = sum((epoch - middle) * (value - level) for epoch, value in points) / spread
    residuals = [value - level - slope * (epoch - middle) for epoch, value in points]
    independent = sqrt(sum(each**2 for each in residuals) / (count - 2) / spread)
    rho = _correlation(residuals)
    return slope, independent * sqrt((1.0 + rho) / (1.0 - rho))


def _correlation(residuals: Sequence[float]) -> float:
    """The correlation of neighbouring residuals of a line, from 0 to `MOST_CORRELATED`.

    The parameters of an epoch are close to those of the one before, so that its criterion is too.
    Fitting the line takes part of that away, on average about (2 + 4 rho) / n with n residuals,
    which is put back.
    """
    count, squares = len(residuals), sum(each**2 for each in residuals)
    if squares == 0.0:
        return 0.0
    found = sum(a * b for a, b in pairwise(residuals)) / squares
    corrected = (count * found + 2.0) / max(1, count - 4)
    return min(max(corrected, 0.0), MOST_CORRELATED)
