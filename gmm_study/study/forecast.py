"""What the trials of a plan that are left will take: time, cost and memory."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from pathlib import Path

from gmm_study.study.plan import PlannedTrial
from gmm_study.study.schema import Study
from gmm_study.trials.memory import memory_on_cpu, memory_on_gpu
from gmm_study.trials.pace import Pace, Stopping
from gmm_study.trials.survey import Standing
from gmm_study.trials.work import DataSize, geometry

START_SECONDS = 12.0
"""Of a run but for its trials: Ray, the report, MLflow."""
TRIAL_SECONDS = 0.4
"""Of a trial but for its training and evaluation: its record, its pictures, its turn."""


@dataclass(frozen=True)
class Forecast:
    """Seconds that a study's trials need yet."""

    wall_clock: float
    worked: float
    """Summed over the trials, each on its own workers."""
    at_most: bool
    """Whether some may stop early and nothing says when."""


def forecast(
    study: Study,
    missing: Sequence[PlannedTrial],
    standings: Mapping[str, Standing],
    pace: Pace,
    stopping: Stopping,
    workers: int,
) -> Forecast:
    """The trials that are missing, taken up in turn by so many workers, from where they stand."""

    def standing_of(trial: PlannedTrial) -> Standing:
        return standings.get(trial.config.trial_id, Standing())

    taken = [seconds_left(trial, standing_of(trial), study, pace, stopping) for trial in missing]
    at_most = study.scheduler.kind != "none" or not all(
        stopping.knows(trial.config.hyperparameters) for trial in missing
    )
    return Forecast(_makespan(taken, workers) + START_SECONDS, sum(taken), at_most)


def seconds_left(
    trial: PlannedTrial, standing: Standing, study: Study, pace: Pace, stopping: Stopping
) -> float:
    """Of one trial: the epochs that its unended replicates lack, and their final figures."""
    hyperparameters, unended = trial.config.hyperparameters, standing.unended(study.replicates)
    reached = study.scheduler.expected_epochs(stopping.epochs(hyperparameters))
    epochs = max(0.0, reached - standing.epoch)
    training = epochs * pace.epoch_seconds(trial.config)
    return TRIAL_SECONDS + unended * (training + pace.evaluation_seconds(trial.config))


def worker_count(study: Study, gpu_share: float = 0.0) -> int:
    """How many trials run at a time on this machine; on a cluster it is more.

    `gpu_share` is what one takes of a GPU, 0 for none. Raises nothing: at least 1.
    """
    resources = study.resources
    fitting = (os.cpu_count() or 1) // resources.cpus
    if gpu_share:
        fitting = min(fitting, int(gpus_here() / gpu_share))
    return max(1, min(fitting, resources.concurrent or fitting))


def gpus_here() -> int:
    """GPUs of this machine by what its driver lists, without loading a library for it."""
    folder = Path("/proc/driver/nvidia/gpus")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def memory_of_a_trial(
    study: Study, trials: Sequence[PlannedTrial], sizes: Mapping[str, DataSize], on_gpu: bool
) -> float:
    """Bytes that the neediest of the trials takes, of a GPU or of main memory."""
    needed = memory_on_gpu if on_gpu else memory_on_cpu
    configs = {geometry(trial.config): trial.config for trial in trials}.values()
    return max(
        needed(
            config.hyperparameters,
            sizes[config.dataset_sha256],
            study.replicates,
            study.evaluation.chunk_rows,
        )
        for config in configs
    )


def _makespan(seconds: Sequence[float], workers: int) -> float:
    """When the last worker is done, each taking the next trial as soon as it is free."""
    free_at = [0.0] * workers
    for taken in seconds:
        heapreplace(free_at, free_at[0] + taken)
    return max(free_at)
