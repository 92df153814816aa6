"""The objectives of the methods: an estimate of a bound in nats, and its gradient."""

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from gmm_study.models import RandomStreams
from gmm_study.objectives.gmm import GeometricMeanMatching
from gmm_study.objectives.nvil import Nvil
from gmm_study.objectives.rws import ReweightedWakeSleep
from gmm_study.objectives.vae import VariationalBound
from gmm_study.objectives.vimco import Vimco
from gmm_study.objectives.wake_wake import WakeWake


class Objective(Protocol):
    """The interface that training needs; `model` is of the kind that the objective is for."""

    samples: int
    """K of training."""

    def add_gradient(self, model: Any, data: Tensor, streams: RandomStreams) -> Tensor:
        """Add the ascent direction, mean over the batch `[R, B, D]`; returns the bound `[R, B]`."""

    def estimates(self, model: Any, data: Tensor, streams: RandomStreams) -> dict[str, Tensor]:
        """`bound`, `log_p` and `ess` of each datapoint with K samples, `[R, B]`."""


@runtime_checkable
class FollowsEpochs(Protocol):
    """An objective that changes from epoch to epoch."""

    def begin_epoch(self, epoch: int) -> None:
        """Called before the steps of an epoch; the first one of every stage is 1.

        The change must be a function of the epoch alone, so that a training resumes without more
        state, and must be in memory that a captured step reads.
        """


__all__ = [
    "FollowsEpochs",
    "GeometricMeanMatching",
    "Nvil",
    "Objective",
    "ReweightedWakeSleep",
    "VariationalBound",
    "Vimco",
    "WakeWake",
]
