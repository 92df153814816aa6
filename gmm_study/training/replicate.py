"""The progress of one replicate: its curve, its best epoch, and why it ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.schedule import ends_fallen
from gmm_study.training.state import Ending, TrialState


@dataclass
class Replicate:
    """The progress of one seed of the trial."""

    index: int
    state: TrialState = TrialState.RUNNING
    epoch: int = 0
    best_epoch: int = 0
    best_bound: float = -torch.inf
    best_parameters: Tensor | None = None
    """`[P]`, of the epoch with the best validation bound."""
    seconds: float = 0.0
    """The time of its training so far."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    """Rows of epoch, split, metric and value."""
    ending: Ending | None = None
    """Why it ended; None while it is trained."""

    def add_rows(self, split: str, metrics: Mapping[str, float]) -> None:
        """Add this epoch's values of some metrics to the curve."""
        self.curve += [
            {"epoch": self.epoch, "split": split, "metric": metric, "value": value}
            for metric, value in metrics.items()
        ]

    def points(self, metric: str) -> list[tuple[int, float]]:
        """The validated epochs, each with its value of a metric."""
        return [
            (row["epoch"], row["value"])
            for row in self.curve
            if (row["split"], row["metric"]) == ("valid", metric)
        ]

    def keep_if_better(self, bound: float, parameters: Callable[[], Tensor]) -> None:
        """Keep the parameters of this epoch if its validation bound is the best so far."""
        if bound > self.best_bound:
            self.best_bound, self.best_epoch = bound, self.epoch
            self.best_parameters = parameters()

    def end_if_done(self, settings: Hyperparameters, finite: bool, validated: bool) -> None:
        """End it if it diverged, no longer improves, or has reached a limit."""
        if not finite:
            self.state, self.ending = TrialState.DIVERGED, Ending.DIVERGED
            return
        if not validated:
            return
        most = settings.max_seconds
        if self.epoch - self.best_epoch >= settings.patience:
            self.ending = Ending.CONVERGED
        elif self.epoch >= settings.max_epochs:
            self.ending = Ending.SCHEDULE if ends_fallen(settings) else Ending.EPOCHS
        elif most is not None and self.seconds >= most:
            self.ending = Ending.TIME
        if self.ending is not None:
            self.state = TrialState.COMPLETE


def must_validate(settings: Hyperparameters, epoch: int, seconds: float) -> bool:
    """Whether to validate after an epoch that begins after so many seconds of training."""
    most = settings.max_seconds
    return (
        epoch % settings.validate_every == 0
        or epoch >= settings.max_epochs
        or (most is not None and seconds >= most)
    )
