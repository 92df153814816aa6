"""The progress of a trial: its epoch, its bound so far, and the time that is left."""

from collections.abc import Collection
from dataclasses import dataclass
from math import isfinite, nan

from gmm_study.training.state import TrialState
from gmm_study.training.trainer import Trainer
from gmm_study.trials.result import ReplicateResult
from gmm_study.trials.selection import VALID_BOUND
from gmm_study.trials.status import Phase


@dataclass(frozen=True)
class Progress:
    """The progress of a trial, for display."""

    phase: Phase
    epoch: int
    """The lowest epoch of the replicates that are still running, or the highest of all if none
    is."""
    max_epochs: int
    """The limit of epochs over all stages."""
    bound: float
    """Mean over replicates of the best validation bound so far, nats."""
    seconds_left: float
    """An upper limit, from the speed so far; early stopping may end the trial sooner."""


class Speed:
    """The time of an epoch of all replicates, taken as proportional to the K of its stage."""

    def __init__(self) -> None:
        self._samples, self._seconds = 0, 0.0

    def add(self, samples: int, seconds: float) -> None:
        """Add an epoch with K samples."""
        self._samples += samples
        self._seconds += seconds

    def seconds_left(self, trainer: Trainer) -> float:
        """What is left for the replicate with most of its training left, at this speed."""
        return _samples_left(trainer) * self._seconds / max(1, self._samples)


def samples_of_an_epoch(trainer: Trainer) -> int:
    """The largest K of the replicates that are running."""
    return max(group.hyperparameters.training_samples for group in trainer.groups)


def progress_of(trainer: Trainer, speed: Speed) -> Progress:
    """The progress of a trial that is being trained or evaluated, by its trainer's replicates."""
    replicates = trainer.replicates.values()
    running = [each.epoch for each in replicates if each.state is TrialState.RUNNING]
    bounds = [each.best_bound for each in replicates if isfinite(each.best_bound)]
    return Progress(
        Phase.TRAINING if running else Phase.EVALUATING,
        min(running) if running else max(each.epoch for each in replicates),
        trainer.hyperparameters.total_epochs,
        sum(bounds) / len(bounds) if bounds else nan,
        speed.seconds_left(trainer) if running else 0.0,
    )


def progress_at_the_end(results: Collection[ReplicateResult], max_epochs: int) -> Progress:
    """The progress of a trial whose replicates all have a result; `bound` is of complete ones."""
    bounds = [each.metrics[VALID_BOUND] for each in results if VALID_BOUND in each.metrics]
    bound = sum(bounds) / len(bounds) if bounds else nan
    return Progress(Phase.COMPLETE, max(each.epochs for each in results), max_epochs, bound, 0.0)


def _samples_left(trainer: Trainer) -> int:
    """Of the replicate with most of its training left, the K of every epoch left, summed."""
    left = []
    for replicate in trainer.replicates.values():
        if replicate.state is TrialState.RUNNING:
            now, *later = trainer.stages[replicate.stage :]
            epochs = now.max_epochs - replicate.epoch_in_stage
            after = sum(stage.max_epochs * stage.training_samples for stage in later)
            left.append(epochs * now.training_samples + after)
    return max(left)
