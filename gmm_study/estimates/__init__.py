"""The time and memory that the missing trials of a study will take; without Ray or MLflow."""

from gmm_study.estimates.remaining import RemainingCost, estimate, memory_of_a_trial

__all__ = ["RemainingCost", "estimate", "memory_of_a_trial"]
