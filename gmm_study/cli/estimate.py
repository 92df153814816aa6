"""What is left of a study in time, cost and memory: from records, else from a calibration."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gmm_study.cli.console import bar
from gmm_study.phrases import plural

if TYPE_CHECKING:
    from gmm_study.api.planned_study import PlannedStudy
    from gmm_study.study import PlannedTrial
    from gmm_study.study.forecast import Forecast
    from gmm_study.trials.config import TrialConfig
    from gmm_study.trials.pace import Observation
    from gmm_study.trials.survey import Standing
    from gmm_study.trials.work import DataSize

OTHER_RECORDS = 200
"""Records of other studies in the store that are looked at, at most, where the study has none."""


@dataclass(frozen=True)
class Estimate:
    """Of the trials that are missing; `forecast` is None where nothing says how fast they are."""

    forecast: "Forecast | None"
    workers: int
    memory: float
    """Bytes a trial, of a GPU where it has one."""
    on_gpu: bool
    source: str

    def lines(self, cpus: int) -> list[str]:
        """For people: time, cost and memory."""
        from gmm_study.orchestration.live_view import clock

        where = "a GPU" if self.on_gpu else plural(cpus, "core")
        memory = (
            f"memory: {self.memory / 1e9:.1f} GB a trial, of {'a GPU' if self.on_gpu else 'RAM'}"
        )
        memory += f"; {self.workers} at a time {self.workers * self.memory / 1e9:.1f} GB"
        if self.forecast is None:
            return [f"time: unknown, {self.source}", memory]
        about = "at most about" if self.forecast.at_most else "about"
        hours = self.forecast.worked * (1 if self.on_gpu else cpus) / 3600
        unit = "hours on a share of a GPU" if self.on_gpu else "core-hours"
        return [
            f"time: {about} {clock(self.forecast.wall_clock)} on this machine, "
            f"{plural(self.workers, 'trial')} at a time on {where} each ({self.source})",
            f"cost: {about} {hours:.2g} {unit}",
            memory,
        ]


def estimate(
    planned: "PlannedStudy", missing: "list[PlannedTrial]", may_calibrate: bool
) -> Estimate:
    """What the missing trials will take; may import torch and train for some seconds."""
    from gmm_study.study.forecast import forecast, memory_of_a_trial, worker_count
    from gmm_study.trials.pace import Pace, Stopping, observations
    from gmm_study.trials.work import DataSize

    study = planned.study
    datasets = planned.datasets(planned.plan.trials)
    sizes = {checksum: DataSize.of(dataset) for checksum, dataset in datasets.items()}
    on_gpu = bool(study.resources.gpus)
    memory = memory_of_a_trial(study, missing, sizes, on_gpu)
    share = 1.0 if study.resources.gpus == "auto" else study.resources.gpus
    workers = min(len(missing), worker_count(study, share))
    own = [
        (trial.config, planned.standings[trial.config.trial_id]) for trial in planned.plan.trials
    ]
    seen, source = observations(own, sizes, on_gpu, study.replicates), "this study's own pace"
    methods = {trial.config.hyperparameters.method for trial in missing}
    if not methods <= {each.method for each in seen}:
        others = observations(_others(planned), sizes, on_gpu)
        if others:
            seen, source = [*seen, *others], "the pace of other studies' trials"
    if not methods <= {each.method for each in seen} and may_calibrate and not on_gpu:
        seen, source = [*seen, *_calibrated(planned, missing, sizes)], "a short calibration"
    expected = None
    if seen:
        pace, stopping = Pace(seen, sizes), Stopping(own)
        expected = forecast(study, missing, planned.standings, pace, stopping, workers)
    return Estimate(
        expected, workers, memory, on_gpu, source if seen else "as no trial has finished yet"
    )


def _others(planned: "PlannedStudy") -> "list[tuple[TrialConfig, Standing]]":
    """Some records of the store that are not the study's."""
    from gmm_study.trials.survey import survey

    others = [each for each in planned.store.trial_ids() if each not in planned.standings]
    found = []
    for trial_id, standing in survey(planned.store, others[:OTHER_RECORDS], 1).items():
        try:
            config = planned.store.record(trial_id).config() if standing.ended else None
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
        if config is not None:
            found.append((config, standing))
    return found


def _calibrated(
    planned: "PlannedStudy", missing: "list[PlannedTrial]", sizes: "dict[str, DataSize]"
) -> "list[Observation]":
    with bar("calibrating") as advance:
        from gmm_study.trials.calibration import calibrate, spanning

        configs = spanning([trial.config for trial in missing], sizes)
        datasets = planned.datasets(missing)
        threads = planned.study.resources.cpus
        return calibrate(configs, datasets, threads, lambda done: advance(done))
