"""From estimates of every datapoint to the figures that are reported, with standard errors."""

from collections.abc import Mapping
from math import nan

from torch import Tensor

OF_P_STAR = ("log_p_tilde", "log_p_star", "ess_star")
"""Estimates that are reported only for a method with a p* (docs/spec.md#estimators)."""


def mean_and_standard_error(values: Tensor) -> tuple[float, float]:
    """The mean of `[1, N]` over the datapoints, and its standard error (n - 1; NaN of one)."""
    count = values.shape[1]
    error = (values.std() / count**0.5).item() if count > 1 else nan
    return values.mean().item(), error


def summarise(estimates: Mapping[str, Tensor], of_p_star: bool) -> dict[str, float]:
    """The mean and `..._se` of each estimate `[1, N]`; those of p* only with `of_p_star`."""
    figures: dict[str, float] = {}
    for name, values in estimates.items():
        if of_p_star or name not in OF_P_STAR:
            figures[name], figures[f"{name}_se"] = mean_and_standard_error(values)
    return figures


def with_p_star(
    figures: Mapping[str, float], log_z2: Tensor, standard_error: Tensor
) -> dict[str, float]:
    """The figures and `log_z2` and `log_p_star`, log ptilde - 2 log Z, each with its `..._se`.

    `log_z2` and its error, each `[1]`, come from `estimate_log_z2`. The error of log ptilde, over
    datapoints, is independent of it.
    """
    z2, error = log_z2.item(), standard_error.item()
    return {
        **figures,
        "log_z2": z2,
        "log_z2_se": error,
        "log_p_star": figures["log_p_tilde"] - z2,
        "log_p_star_se": (figures["log_p_tilde_se"] ** 2 + error**2) ** 0.5,
    }
