"""Settings that are read but never act, because the training is too short for them.

They are no errors: a study that is run with fewer epochs for a first look keeps its schedule.
"""

from collections.abc import Iterator

from gmm_study.training.declared import ENDS_AT_A_RATE
from gmm_study.training.hyperparameters import Hyperparameters


def inert_settings(settings: Hyperparameters) -> Iterator[str]:
    """One line for each setting that cannot act as it is meant to in its stage."""
    for number, stage in enumerate(settings.stage_list):
        place = f"stages.{number}: " if settings.stages else ""
        yield from (
            f"{place}{line}"
            for line in (*_of_the_rate(stage), *_of_the_bound(stage), *_of_the_average(stage))
        )


def _of_the_rate(stage: Hyperparameters) -> Iterator[str]:
    last, warm_up, hold = stage.max_epochs, stage.warm_up_epochs, stage.hold_epochs
    falls = f"leaves no epoch of {last} in which the learning rate falls"
    if warm_up >= last:
        yield f"warm_up_epochs: {warm_up} leaves no epoch of {last} at the full learning rate"
    elif stage.schedule in ENDS_AT_A_RATE and warm_up + hold >= last:
        after = f" after {warm_up} epochs of warm-up" if warm_up else ""
        yield f"hold_epochs: {hold}{after} {falls}"
    elif stage.schedule == "step" and warm_up + hold + stage.step_epochs >= last:
        before = f" after {warm_up + hold} epochs of warm-up and hold" if warm_up + hold else ""
        yield f"step_epochs: {stage.step_epochs}{before} {falls}"


def _of_the_bound(stage: Hyperparameters) -> Iterator[str]:
    last, warm_up = stage.max_epochs, stage.kl_warm_up_epochs
    if warm_up >= last and "kl_warm_up_epochs" in stage.names_read:
        yield f"kl_warm_up_epochs: {warm_up} leaves no epoch of {last} with the whole KL divergence"


def _of_the_average(stage: Hyperparameters) -> Iterator[str]:
    first, last = stage.average_from_epoch, stage.max_epochs
    if stage.parameter_average == "uniform" and first > last:
        yield f"average_from_epoch: {first} leaves no epoch of {last} to average over"
