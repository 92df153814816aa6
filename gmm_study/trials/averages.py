"""The mean over replicates and its standard error."""

from collections.abc import Iterable
from math import nan, sqrt

import numpy as np


def mean_and_standard_error(values: Iterable[float]) -> tuple[float, float]:
    """The mean and its standard error, s / sqrt(n) with n - 1 in s; NaN error for one value."""
    array = np.asarray(list(values), dtype=np.float64)
    error = array.std(ddof=1) / sqrt(len(array)) if len(array) > 1 else nan
    return float(array.mean()), float(error)
