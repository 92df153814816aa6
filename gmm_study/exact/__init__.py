"""Exact values of models that are small enough to list all their states."""

from gmm_study.exact.gradients import (
    exact_log_p_gradient,
    exact_log_p_tilde_gradient,
    exact_rws_direction,
    exact_wake_wake_direction,
)
from gmm_study.exact.likelihoods import exact_log_likelihoods, exact_log_z2
from gmm_study.exact.limits import why_no_exact_dreams, why_no_exact_z, why_not_exact
from gmm_study.exact.posteriors import Posteriors, exact_posteriors

__all__ = [
    "Posteriors",
    "exact_log_likelihoods",
    "exact_log_p_gradient",
    "exact_log_p_tilde_gradient",
    "exact_log_z2",
    "exact_posteriors",
    "exact_rws_direction",
    "exact_wake_wake_direction",
    "why_no_exact_dreams",
    "why_no_exact_z",
    "why_not_exact",
]
