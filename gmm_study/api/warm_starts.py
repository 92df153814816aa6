"""The models from which the trials of a study begin are checked before anything is trained."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gmm_study.errors import InputError

if TYPE_CHECKING:
    from gmm_study.api.planned_study import PlannedStudy
    from gmm_study.study import PlannedTrial
    from gmm_study.training.checkpoint import Checkpoint


def check_warm_starts(planned: "PlannedStudy") -> None:
    """Raise `InputError` for the first trial that cannot begin from the model that it names.

    Only replicates that have not begun are concerned. A trial of the same plan that has no result
    yet is trained first, and is not checked. Each model is read once, and none if no trial
    has a `warm_start`.
    """
    begin = list(_beginning_warm(planned))
    if not begin:
        return
    from gmm_study.trials.warm_start import check_origin, read_origin

    awaited = {each for each, state in planned.states.items() if not state.has_result}
    datasets = planned.datasets(trial for trial, _ in begin)
    read: dict[str, Checkpoint] = {}
    for trial, replicates in begin:
        settings, named = trial.config.hyperparameters, trial.config.hyperparameters.warm_start
        if named is None or named in awaited:
            continue
        try:
            if named not in read:
                read[named], _ = read_origin(named, planned.store.file_system, planned.store.root)
            dims = datasets[trial.config.dataset_sha256].dims
            check_origin(named, read[named], settings, dims, replicates)
        except InputError as error:
            raise InputError(f"{error} ({trial.label})") from None


def _beginning_warm(planned: "PlannedStudy") -> "Iterator[tuple[PlannedTrial, Sequence[int]]]":
    """The trials with a warm start, and those of their replicates that are at their first epoch."""
    for trial in (*planned.plan.trials, *planned.plan.extremes()):
        if trial.config.hyperparameters.warm_start is None:
            continue
        standing = planned.standings.get(trial.config.trial_id)
        ended = standing.ended if standing else ()
        fresh = [index for index in range(planned.study.replicates) if index not in ended]
        if fresh and not (standing and standing.epoch):
            yield trial, fresh
