"""The axes of a search as Optuna distributions, and Optuna's values as the values of a trial."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from gmm_study.study.axis import Axis


def distributions(axes: Mapping[str, Axis]) -> dict[str, BaseDistribution]:
    """The Optuna distribution of every axis that is not a grid."""
    return {name: _distribution(axis) for name, axis in axes.items()}


def plain_values(axes: Mapping[str, Axis], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Drawn values; those from ranges of reals are rounded to six digits for the trial's id."""
    return {name: axes[name].rounded(value) for name, value in drawn.items()}


def _distribution(axis: Axis) -> BaseDistribution:
    if axis.choice:
        return CategoricalDistribution(axis.choice)
    low, high = getattr(axis, axis.kind)
    if axis.integer:
        return IntDistribution(low, high)
    return FloatDistribution(low, high, log=axis.log_uniform is not None)
