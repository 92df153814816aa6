"""Results that tests write by hand."""

from collections.abc import Mapping
from math import nan
from typing import Any

from gmm_study.training.state import TrialState
from gmm_study.trials.result import ReplicateResult, TrialResult

Figures = Mapping[str, float | None]


def result_of(trial_id: str, *replicates: Figures | None, **fields: Any) -> TrialResult:
    """A result with the final figures (nats) of each replicate; None is one that diverged."""
    ended = {number: _replicate(figures) for number, figures in enumerate(replicates)}
    return TrialResult(trial_id, ended, **{"finished": 1766400000.0, **fields})


def _replicate(figures: Figures | None) -> ReplicateResult:
    state = TrialState.DIVERGED if figures is None else TrialState.COMPLETE
    metrics = {name: nan if v is None else v for name, v in (figures or {}).items()}
    return ReplicateResult(state, epochs=57, best_epoch=47, seconds=3.2, metrics=metrics)


def gmm(log_p, ess=0.3):
    """The final figures of a replicate of gmm, in nats."""
    return {
        "valid/bound": log_p - 1,
        "test/bound": log_p - 1,
        "test/log_p": log_p,
        "test/log_p_star": log_p + 0.5,
        "test/log_z2": -0.5,
        "test/ess": ess,
        "test/ess_star": 0.6,
    }
