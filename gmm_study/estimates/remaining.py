"""Estimates the time and memory that the missing trials of a study need.

The time is counted work (`cost.py`) times a measured pace (`pace.py`): a count alone knows nothing
about the machine, and a measured pace alone knows nothing about other sizes. The pace comes from
finished records or, if there are none, from a short calibration; only the calibration needs torch.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from heapq import heapreplace

from gmm_study.data import Dataset
from gmm_study.estimates.cost import Workload, evaluation_work, memory
from gmm_study.estimates.pace import Observation, Pace, fractions_trained, observations
from gmm_study.estimates.training import training_work
from gmm_study.machine import trials_on, usable_cpus, usable_gpus
from gmm_study.study import Plan, PlannedTrial, Study
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.continuable import begins_at, read_index
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.standing import Standing
from gmm_study.trials.survey import configurations, survey

START_SECONDS = 12.0
"""Seconds of a run in addition to its trials: Ray, the report, MLflow."""
TRIAL_SECONDS = 0.4
"""Seconds of a trial in addition to its training and evaluation: its record and its pictures."""
OTHER_RECORDS = 200
"""The maximum number of records of other studies to read if the study has none of a method."""

Trials = Sequence[tuple[TrialConfig, Standing, int]]
"""With the number of replicates that each is to have."""


@dataclass(frozen=True)
class RemainingCost:
    """The remaining cost of a study. Times are None if nothing shows how fast its trials are."""

    seconds: float | None
    """Until the last trial ends, on this machine."""
    at_most: bool
    """Whether trials may stop early without a record that shows how early."""
    worker_seconds: float | None
    """The sum over the trials."""
    workers: int
    """The number of trials that run at a time."""
    memory_bytes: int
    """Of one trial: GPU memory if it uses a GPU, else main memory."""
    gpu_share: float
    """The share of a GPU that each trial gets, 0 on CPUs."""
    source: str
    """Where the pace comes from, or why it is unknown."""

    @property
    def on_gpu(self) -> bool:
        """Whether the trials use a GPU."""
        return self.gpu_share > 0


def estimate(
    plan: Plan,
    missing: Sequence[PlannedTrial],
    standings: Mapping[str, Standing],
    datasets: Mapping[str, Dataset],
    store: RecordStore,
    calibrating: AbstractContextManager[object] | None = None,
) -> RemainingCost:
    """The time and memory that the `missing` trials (at least one) of a plan will take.

    `standings` are by trial id, `datasets` by checksum. The pace of each method is taken from the
    study's records, else from other records in the store, else from a calibration on the CPU. The
    calibration imports torch, takes about a second per method and runs in the context
    `calibrating`; None omits it.
    """
    study = plan.study
    share = gpu_share(study)
    needed = round(memory_of_a_trial(study, missing, datasets, share > 0))
    workers = min(len(missing), worker_count(study))
    own = [(t.config, standings[t.config.trial_id], t.replicates) for t in plan.trials]
    seen, source = _observed(study, own, missing, datasets, store, calibrating)
    if not seen:
        return RemainingCost(None, False, None, workers, needed, share, source)
    pace, fractions = Pace(seen), fractions_trained(own)
    plain = study.scheduler.kind == "none"  # under a scheduler no trial continues another
    index = read_index(store.folder) if plain else {}

    def seconds_left(trial: PlannedTrial) -> float:
        settings = trial.config.hyperparameters
        standing = standings.get(trial.config.trial_id, Standing())
        data, unit = datasets[trial.config.dataset_sha256], pace.of(trial.config)
        expected = settings.total_epochs * fractions.get(settings.method, 1.0)
        end = expected
        if trial.replicates == study.first_replicates:  # a scheduler stops none that is confirmed
            end = study.prolonged_scheduler.expected_epochs(expected)
        start = standing.epoch or begins_at(trial.config, index)
        if not standing.epoch and 0 < start < settings.total_epochs:  # it waits for its patience
            end = min(settings.total_epochs, max(end, start + settings.patience))
        training = unit * training_work(settings, data, start, end)
        if settings.max_seconds is not None:
            training = min(training, settings.max_seconds)
        evaluating = unit * evaluation_work(Workload.of(settings.stage_list[-1], data))
        return TRIAL_SECONDS + standing.unended(trial.replicates) * (training + evaluating)

    taken = [seconds_left(trial) for trial in missing]
    at_most = study.scheduler.kind != "none" or any(
        stage.patience < stage.max_epochs and stage.method not in fractions
        for trial in missing
        for stage in trial.config.hyperparameters.stage_list
    )
    seconds = START_SECONDS + _makespan(taken, workers)
    return RemainingCost(seconds, at_most, sum(taken), workers, needed, share, source)


def memory_of_a_trial(
    study: Study, trials: Iterable[PlannedTrial], datasets: Mapping[str, Dataset], on_gpu: bool
) -> float:
    """Bytes of GPU memory, or else of main memory, for the trial that needs the most."""
    chunk_rows = study.evaluation.chunk_rows
    loads = {
        Workload.of(stage, datasets[trial.config.dataset_sha256])
        for trial in trials
        for stage in trial.config.hyperparameters.stage_list
    }
    return max(memory(load, study.replicates, chunk_rows, on_gpu) for load in loads)


def gpu_share(study: Study) -> float:
    """The share of a GPU that each of the study's trials gets on this machine.

    With `gpus: auto` it is a whole one, because the memory of a GPU is not known without torch.
    """
    gpus = study.resources.gpus
    return float(usable_gpus() > 0) if gpus == "auto" else gpus


def worker_count(study: Study) -> int:
    """The number of trials that run at a time on this machine, at least 1."""
    resources = study.resources
    fitting = usable_cpus() // resources.cpus
    if share := gpu_share(study):
        fitting = min(fitting, trials_on(usable_gpus(), share))
    return max(1, min(fitting, resources.concurrent or fitting))


def _observed(
    study: Study,
    own: Trials,
    missing: Sequence[PlannedTrial],
    datasets: Mapping[str, Dataset],
    store: RecordStore,
    calibrating: AbstractContextManager[object] | None,
) -> tuple[list[Observation], str]:
    """Observations of the missing trials' methods, and their source or why there are none."""
    on_gpu = gpu_share(study) > 0
    seen = observations(own, datasets, on_gpu)
    source = "this study's own pace" if seen else "as no trial has finished yet"

    def unseen() -> list[TrialConfig]:
        methods = {each.method for each in seen}
        configs = (trial.config for trial in missing)
        return [config for config in configs if config.hyperparameters.method not in methods]

    if unseen() and (others := observations(_others(store, own), datasets, on_gpu)):
        seen, source = [*seen, *others], "the pace of other studies' trials"
    if calibrating and not on_gpu and (configs := unseen()):
        with calibrating:
            from gmm_study.estimates.calibration import calibrate

            seen += calibrate(configs, datasets, study.resources.cpus)
        source = "a short calibration"
    return seen, source


def _others(store: RecordStore, own: Trials) -> Trials:
    """Some ended trials of the store that do not belong to the study."""
    known = {config.trial_id for config, *_ in own}
    others = [trial_id for trial_id in store.trial_ids() if trial_id not in known]
    standings = survey(store, others[:OTHER_RECORDS], 1)
    ended = [trial_id for trial_id, standing in standings.items() if standing.ended]
    configs = configurations(store, ended)
    return [(config, standings[trial_id], 1) for trial_id, config in configs.items()]


def _makespan(seconds: Iterable[float], workers: int) -> float:
    """The time at which the last worker ends if each takes the next trial as soon as it is free."""
    free_at = [0.0] * workers
    for taken in seconds:
        heapreplace(free_at, free_at[0] + taken)
    return max(free_at)
