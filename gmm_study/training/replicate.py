"""The progress of one replicate: its curve, its best epoch, and why it ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
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
    stage: int = 0
    stage_start: int = 0
    """The number of epochs before its stage."""
    epoch: int = 0
    """The number of epochs so far, over all stages."""
    best_epoch: int = 0
    best_criterion: float = -torch.inf
    """The criterion of the kept parameters, under the objective of the stage."""
    best_bound: float = -torch.inf
    """Their validation bound, likewise."""
    best_parameters: Tensor | None = None
    """`[P]`, of the epoch with the best criterion."""
    kept: str | None = None
    """Whether these are the `raw` or the `averaged` ones; None if there is no average."""
    seconds: float = 0.0
    """The time of its training so far."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    """Rows of epoch, split, metric and value."""
    ending: Ending | None = None
    """Why it ended; None while it is trained."""

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it is in its training; replicates at the same place can train in one group."""
        return self.stage, self.stage_start, self.epoch

    @property
    def epoch_in_stage(self) -> int:
        """The number of epochs of its stage so far."""
        return self.epoch - self.stage_start

    def add_rows(self, split: str, metrics: Mapping[str, float]) -> None:
        """Add this epoch's values of some metrics to the curve."""
        self.curve += [
            {"epoch": self.epoch, "split": split, "metric": metric, "value": value}
            for metric, value in metrics.items()
        ]

    def points(self, metric: str) -> list[tuple[int, float]]:
        """The validated epochs of its last stage, each with its value of a metric."""
        return [
            (row["epoch"], row["value"])
            for row in self.curve
            if (row["split"], row["metric"]) == ("valid", metric)
            and row["epoch"] > self.stage_start
        ]

    def keep_if_better(
        self,
        criterion: float,
        bound: float,
        parameters: Callable[[], Tensor],
        kept: str | None = None,
    ) -> None:
        """Keep parameters of this epoch if their criterion is the best so far.

        `kept` says which ones they are, if there is an average.
        """
        if isfinite(criterion) and criterion > self.best_criterion:
            self.best_criterion, self.best_bound = criterion, bound
            self.best_epoch, self.best_parameters, self.kept = self.epoch, parameters(), kept

    def begin_stage(self, criterion: float, bound: float) -> None:
        """Begin the next stage, in which the kept parameters have this criterion and bound."""
        self.stage, self.stage_start = self.stage + 1, self.epoch
        self.best_criterion, self.best_bound = criterion, bound
        if not (isfinite(criterion) and isfinite(bound)):
            self.end(Ending.DIVERGED)

    def end(self, ending: Ending) -> None:
        """End its training."""
        self.ending = ending
        diverged = ending is Ending.DIVERGED
        self.state = TrialState.DIVERGED if diverged else TrialState.COMPLETE

    def why_to_end(self, settings: Hyperparameters) -> Ending | None:
        """Why its stage ends after an epoch that was validated; None if it goes on."""
        waited = self.epoch - max(self.best_epoch, self.stage_start)
        if waited >= settings.patience:
            return Ending.CONVERGED
        if self.epoch_in_stage >= settings.max_epochs:
            return Ending.SCHEDULE if ends_fallen(settings) else Ending.EPOCHS
        if settings.max_seconds is not None and self.seconds >= settings.max_seconds:
            return Ending.TIME
        return None


def must_validate(settings: Hyperparameters, epoch: int, seconds: float) -> bool:
    """Whether to validate after an epoch of a stage, before which so many seconds were trained."""
    most = settings.max_seconds
    return (
        epoch % settings.validate_every == 0
        or epoch >= settings.max_epochs
        or (most is not None and seconds >= most)
    )
