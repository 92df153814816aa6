"""What a trained model is worth, in nats with standard errors, in bounded memory for any K."""

from gmm_study.estimators.bound import estimate_bound
from gmm_study.estimators.importance import estimate_log_p
from gmm_study.estimators.partition_function import INNER_SAMPLES, estimate_log_z2
from gmm_study.estimators.summary import log_p_star, mean_and_standard_error, summarise

__all__ = [
    "INNER_SAMPLES",
    "estimate_bound",
    "estimate_log_p",
    "estimate_log_z2",
    "log_p_star",
    "mean_and_standard_error",
    "summarise",
]
