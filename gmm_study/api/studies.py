"""A study: `gmm_study.plan`, `run`, `report` and `sync`."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gmm_study.api.feedback import RunObserver
from gmm_study.api.planned_study import RESULTS, PlannedStudy
from gmm_study.api.reports import write_study_report
from gmm_study.study import PlannedTrial, Study

if TYPE_CHECKING:
    from analysis import WrittenReport
    from gmm_study.orchestration.driver import Outcome
    from gmm_study.orchestration.mirror import Mirror

AnyStudy = Study | str | PlannedStudy


@dataclass(frozen=True)
class RunResult:
    """How a run of a study ended; `planned` knows where its trials stand now."""

    planned: PlannedStudy
    trained: dict[str, int]
    """How many trials this run has ended, by state."""
    interrupted: bool
    mlflow_problem: str | None
    """Why MLflow lacks something that `sync` would add."""
    report: "WrittenReport | None"
    """None after an interruption."""

    @property
    def has_failures(self) -> bool:
        """Whether a trial of the study has failed."""
        # A disk may be so full that the record of a failed trial cannot say so.
        return "failed" in self.planned.states.values() or bool(self.trained.get("failed"))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.planned.counts()}>"


def plan(study: AnyStudy, storage: str = RESULTS) -> PlannedStudy:
    """The trials of a study, and where each of them stands in a storage. Trains nothing.

    `study` is a loaded one, the name of a file in `studies`, or the path of such a file; a study
    that is planned already is read again. `storage` is a folder or the address of a bucket.
    `.frame()` of the answer has a row for each trial, `.missing()` is what `run` would train, and
    `.estimate()` the time and memory of that. Warns of data sets that are not available. Raises
    `InputError` if the study or the storage cannot be used.
    """
    planned = _planned(study, storage)
    planned.refresh()
    return planned


def run(
    study: AnyStudy,
    storage: str = RESULTS,
    *,
    retry_failed: bool = False,
    address: str | None = None,
    observer: RunObserver | None = None,
) -> RunResult:
    """Train what is missing of a study, write its report to `reports`, bring MLflow up to date.

    A trial that has a result is never trained again; after an interruption the same call goes on.
    `retry_failed` trains failed trials again. `address` is `HOST:PORT` of a Ray cluster's head, or
    `auto`; None is RAY_ADDRESS, or a Ray of its own where that is not set. The observer hears of
    each step; `RunObserver(rich.console.Console())` shows the running trials. Raises `InputError`
    if another process runs the study, if it asks for more than there is, and if the storage or the
    report cannot be written.
    """
    planned, observer = _planned(study, storage), observer or RunObserver()
    with planned.store.the_only_driver(planned.study.name):
        planned.refresh()  # another driver may have been at work until now
        planned.repair_configs()
        missing = planned.missing(retry_failed)
        observer.begins(planned, missing)
        return _run(planned, missing, address, observer)


def report(study: AnyStudy, storage: str = RESULTS) -> "WrittenReport":
    """Write the report of a study from its records, to `reports/NAME/VARIANT`.

    The answer has the frames behind it (`.found.cells`, `.found.rows`), the sentences of the
    verdict (`.found.sentences`) and the path of the page (`.page`). Raises `InputError` if the
    study's search has proposed no trial yet, and if the folder is not writable.
    """
    return write_study_report(_planned(study, storage))


def sync(study: AnyStudy, storage: str = RESULTS) -> str | None:
    """Add to MLflow what it lacks of a study's records; what went wrong, None if nothing did.

    Raises `InputError` if another process runs the study.
    """
    from gmm_study.orchestration.mirror import Mirror

    planned = _planned(study, storage)
    with planned.store.the_only_driver(planned.study.name):
        planned.refresh()
        with Mirror(planned.plan, planned.store, planned.command) as mirror:
            mirror.close()
    return mirror.problem


def _planned(study: AnyStudy, storage: str) -> PlannedStudy:
    if isinstance(study, PlannedStudy):
        return study
    planned = PlannedStudy(study, storage)
    for line in planned.warnings:
        warnings.warn(line, stacklevel=3)
    return planned


def _run(
    planned: PlannedStudy,
    missing: Sequence[PlannedTrial],
    address: str | None,
    observer: RunObserver,
) -> RunResult:
    from gmm_study.orchestration.mirror import CLOSING_WAIT, Mirror

    outcome, report = None, None
    with Mirror(planned.plan, planned.store, planned.command) as mirror:
        if missing or planned.unproposed:
            outcome = _train(planned, missing, address, mirror, observer)
        _expect_what_was_proposed(planned, mirror)
        mirror.finish()
        interrupted = outcome is not None and outcome.interrupted
        try:
            if not interrupted:
                with observer.working("writing the report"):
                    report = write_study_report(planned)
                observer.reported(report)
        finally:
            with observer.console.status("bringing MLflow up to date"):
                mirror.close(CLOSING_WAIT)
    trained = dict(outcome.states) if outcome else {}
    return RunResult(planned, trained, interrupted, mirror.problem, report)


def _train(
    planned: PlannedStudy,
    missing: Sequence[PlannedTrial],
    address: str | None,
    mirror: "Mirror",
    observer: RunObserver,
) -> "Outcome":
    from gmm_study.orchestration.driver import run_trials

    datasets = planned.datasets(missing)
    outcome = run_trials(
        planned.plan, missing, datasets, planned.store, mirror, observer.console, address
    )
    observer.trained(outcome)
    return outcome


def _expect_what_was_proposed(planned: PlannedStudy, mirror: "Mirror") -> None:
    """Tell the mirror of proposals that turned out to be trained already."""
    known = set(planned.states)
    planned.refresh()
    for trial in planned.plan.trials:
        if trial.config.trial_id not in known:
            mirror.expect(trial)
