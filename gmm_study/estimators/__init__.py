"""Estimates for a trained model in nats, with standard errors, in bounded memory for any K."""

from gmm_study.estimators.annealed import HALF, WHOLE, Annealer, Weights
from gmm_study.estimators.bound import estimate_bound
from gmm_study.estimators.certificates import (
    gaps,
    log_means,
    lower_limit,
    upper_by_samples,
    upper_limit,
)
from gmm_study.estimators.importance import estimate_log_p
from gmm_study.estimators.partition_function import INNER_SAMPLES, estimate_log_z2
from gmm_study.estimators.summary import mean_and_standard_error, summarise, with_p_star

__all__ = [
    "HALF",
    "INNER_SAMPLES",
    "WHOLE",
    "Annealer",
    "Weights",
    "estimate_bound",
    "estimate_log_p",
    "estimate_log_z2",
    "gaps",
    "log_means",
    "lower_limit",
    "mean_and_standard_error",
    "summarise",
    "upper_by_samples",
    "upper_limit",
    "with_p_star",
]
