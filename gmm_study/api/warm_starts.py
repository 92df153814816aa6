"""The models from which the trials of a study begin are checked before anything is trained."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gmm_study.errors import InputError
from gmm_study.training.state import TrialState

if TYPE_CHECKING:
    from gmm_study.api.planned_study import PlannedStudy
    from gmm_study.study import PlannedTrial
    from gmm_study.trials.standing import Standing
    from gmm_study.trials.warm_start import Origin


def check_warm_starts(planned: "PlannedStudy", retry_failed: bool = False) -> None:
    """Raise `InputError` for the first trial that cannot begin from the model that it names.

    Only trials that a run would train are concerned, and of those only replicates that have not
    begun. A model that the same run trains is not checked: the run trains it first. Each other
    model is read once, and torch is imported only if there is one.
    """
    missing = planned.missing(retry_failed)
    awaited = {trial.config.trial_id for trial in missing}
    trials = [*missing, *planned.plan.extremes()]
    begin = [found for found in _beginning_warm(planned, trials) if found[1] not in awaited]
    if not begin:
        return
    from gmm_study.trials.warm_start import check_origin, read_origin

    read: dict[str, Origin] = {}
    for trial, named, replicates in begin:
        try:
            _refuse_failed(planned, named, replicates)
            if named not in read:
                read[named] = read_origin(named, planned.store.folder)
            dims = planned.data.dims(trial.config.dataset)
            check_origin(read[named], trial.config.hyperparameters, dims, replicates)
        except InputError as error:
            raise InputError(f"{error} ({trial.label})") from None


def _refuse_failed(planned: "PlannedStudy", named: str, replicates: Sequence[int]) -> None:
    """Raise `InputError` for a trial of the study that failed and that the run does not retry."""
    standing = planned.standings.get(named)
    if standing is None or standing.state is not TrialState.FAILED:
        return
    if not set(replicates) <= {*standing.ended}:
        raise InputError(
            f"warm_start: '{named}' is a trial of this study that has failed; "
            "`run --retry-failed` trains it again"
        )


def _beginning_warm(
    planned: "PlannedStudy", trials: "Sequence[PlannedTrial]"
) -> "Iterator[tuple[PlannedTrial, str, Sequence[int]]]":
    """Of the trials with a warm start: what they name, and their replicates at the first epoch."""
    for trial in trials:
        named = trial.config.hyperparameters.warm_start
        if named is None:
            continue
        standing = planned.standings.get(trial.config.trial_id)
        ended = standing.ended if standing else ()
        fresh = [index for index in range(planned.study.replicates) if index not in ended]
        if fresh and not (standing and (standing.epoch or _goes_on(planned, standing, trial))):
            yield trial, named, fresh


def _goes_on(planned: "PlannedStudy", standing: "Standing", trial: "PlannedTrial") -> bool:
    """Whether a trial that failed has a checkpoint to go on from; its status does not say so."""
    if standing.state is not TrialState.FAILED:
        return False
    from gmm_study.training.checkpoint import TRAINING_FILE

    return planned.store.record(trial.config.trial_id).is_file(f"checkpoint/{TRAINING_FILE}")
