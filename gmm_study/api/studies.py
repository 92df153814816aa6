"""A study: `gmm_study.plan`, `run`, `report` and `sync`."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gmm_study.api.defaults import RESULTS
from gmm_study.api.feedback import RunObserver
from gmm_study.api.gradients import assess_study
from gmm_study.api.names import check_name, claimed
from gmm_study.api.planned_study import PlannedStudy, check_data_paths, check_storage
from gmm_study.api.reports import REPORTS, write_study_report
from gmm_study.api.warm_starts import check_warm_starts
from gmm_study.errors import InputError
from gmm_study.study import Study
from gmm_study.training.state import TrialState

if TYPE_CHECKING:
    from analysis import WrittenReport
    from gmm_study.orchestration.driver import Outcome
    from gmm_study.orchestration.sync_process import SyncProcess

AnyStudy = Study | str | Path | PlannedStudy


@dataclass(frozen=True)
class RunResult:
    """The result of a run of a study; `planned` has the current state of its trials."""

    planned: PlannedStudy
    trained: dict[str, int]
    """The number of trials that this run has ended, by state."""
    confirmed: dict[str, int]
    """The same of the trials that got all seeds after a screening."""
    interrupted: bool
    mlflow_problem: str | None
    """Why MLflow is not up to date; `sync` adds what is missing. None if it is up to date."""
    report: "WrittenReport | None"
    """None after an interruption."""
    not_assessed: tuple[str, ...] = ()
    """A line for each trial whose gradients should have been assessed and could not be."""

    @property
    def has_failures(self) -> bool:
        """Whether a trial of the study has failed, or the assessment of its gradients."""
        # A disk may be so full that the record of a failed trial cannot say so.
        failed = TrialState.FAILED
        return failed in self.planned.states.values() or bool(
            self.trained.get(failed) or self.confirmed.get(failed) or self.not_assessed
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.planned.counts()}>"


def plan(study: AnyStudy, storage: str | None = None) -> PlannedStudy:
    """The trials of a study, and the state of each of them in a storage. Trains nothing.

    `study` is a loaded study, the name of a file in `studies`, or the path of a study file. If it
    is already planned, its records are read again. `storage` is a folder or the address of a
    bucket. Of the result, `.frame()` has a row for each trial, `.missing()` lists the trials that
    `run` would train, and `.estimate()` gives the time and memory that they need. Warns about data
    sets that are not available. Raises `InputError` if the study or the storage cannot be used.
    """
    planned = _planned(study, storage)
    planned.refresh()
    check_warm_starts(planned)
    return planned


def run(
    study: AnyStudy,
    storage: str | None = None,
    *,
    retry_failed: bool = False,
    address: str | None = None,
    observer: RunObserver | None = None,
) -> RunResult:
    """Train what is missing of a study, write its report to `reports`, bring MLflow up to date.

    A trial that has a result is never trained again. After an interruption, the same call continues
    the study. `retry_failed` trains failed trials again. `address` is `HOST:PORT` of the head of a
    Ray cluster, or `auto`; with None, RAY_ADDRESS is used, or a local Ray if it is not set.
    `observer` is told about each step; `RunObserver(rich.console.Console())` shows the running
    trials. Raises `InputError` if another process is running the study, if the report of another
    file with the same name is in `reports`, if the study needs more resources than there are, if
    the storage or the report cannot be written, and if the storage is gone at the end. If the head
    of the cluster is lost, or if the local Ray dies, this process ends with exit status 2, also if
    it is the kernel of a notebook; Ray would end it too.
    """
    from gmm_study.orchestration.sync_process import SyncProcess

    planned, observer = _planned(study, storage), observer or RunObserver()
    check_data_paths(planned.study)
    check_name(planned.study, REPORTS)
    with SyncProcess(planned.study.words, planned.storage_from_here) as syncing:
        with planned.store.the_only_driver(planned.study.name):
            outcome = _train(planned, retry_failed, address, syncing, observer)
        planned.store.check_readable()  # so that a bucket that is gone costs no earlier report
        planned.refresh()
        written, interrupted = None, outcome is not None and outcome.interrupted
        not_assessed: list[str] = []
        try:
            if not interrupted:
                not_assessed = assess_study(planned, observer)
                for line in not_assessed:
                    observer.not_assessed(line)
                with observer.working("writing the report"):
                    written = write_study_report(planned)
                observer.reported(written)
        finally:
            with observer.console.status("bringing MLflow up to date"):
                problem = _finish(planned, syncing)
            if problem:
                observer.mlflow_failed(problem)
    trained, confirmed = (
        {str(state): count for state, count in counts.items()}
        for counts in ((outcome.states, outcome.confirmed) if outcome else ({}, {}))
    )
    return RunResult(
        planned, trained, confirmed, interrupted, problem, written, tuple(not_assessed)
    )


def report(study: AnyStudy, storage: str | None = None) -> "WrittenReport":
    """Write the report of a study from its records, to `reports/NAME/VARIANT`.

    If none of its trials has ended in the storage, it is that of the records that come with
    gmm-study, and says so. The result has the data frames of the report (`.found.cells`,
    `.found.rows`), the sentences of its answer (`.found.sentences`) and the path of the page
    (`.page`). Raises `InputError` if the study's search has not proposed a trial yet, and if the
    folder is not writable.
    """
    planned = _planned(study, storage)
    check_storage(planned.store)
    planned.refresh()
    return write_study_report(planned, or_shipped=True)


def sync(
    study: AnyStudy,
    storage: str | None = None,
    *,
    follow: bool = False,
    on_problem: Callable[[str], None] = lambda line: None,
    on_progress: Callable[[str], None] = lambda line: None,
) -> str | None:
    """Add to MLflow what is missing there; returns what went wrong, None if nothing did.

    With `follow`, continue until the current run of the study has ended. `on_problem` is then
    called with one line when something goes wrong, and again when it works. `on_progress` is called
    with a line every ten seconds while records are being copied. Raises `InputError` if another
    process is running the study and `follow` is not set, and if the report of another file with the
    same name is in `reports`.
    """
    from gmm_study.orchestration.views import follow_run, update_views

    planned = _planned(study, storage)
    if not follow:  # the run that is followed has the storage, whatever a list shows yet
        check_storage(planned.store)
    check_name(planned.study, REPORTS)
    planned.data.forget()  # checksums are enough, and the data would be kept as long as the run
    if follow:
        return follow_run(planned.plan_now, planned.store, planned.command, on_problem, on_progress)
    with planned.store.the_only_driver(planned.study.name), claimed(planned.study, REPORTS):
        return update_views(planned.plan_now, planned.store, planned.command, on_progress)


def _planned(study: AnyStudy, storage: str | None) -> PlannedStudy:
    if isinstance(study, PlannedStudy):
        if storage not in (None, study.storage):
            raise InputError(f"storage: '{storage}' must be '{study.storage}', where it is planned")
        return study
    planned = PlannedStudy(study, RESULTS if storage is None else storage)
    for line in planned.warnings:
        warnings.warn(line, stacklevel=3)
    return planned


def _train(
    planned: PlannedStudy,
    retry_failed: bool,
    address: str | None,
    syncing: "SyncProcess",
    observer: RunObserver,
) -> "Outcome | None":
    """Train the missing trials while MLflow is kept up to date; None if none is missing."""
    from gmm_study.orchestration.driver import run_trials

    planned.refresh()  # another driver may have been at work until now
    planned.take_over()
    planned.repair_configs()
    check_warm_starts(planned, retry_failed)
    missing = planned.missing(retry_failed)
    observer.begins(planned, missing)
    with claimed(planned.study, REPORTS):
        if planned.study.arguments:
            syncing.start(observer.mlflow_failed)
        if not (missing or planned.unproposed or planned.unconfirmed):
            return None
        datasets, console = planned.datasets(missing), observer.console
        outcome = run_trials(planned.plan, missing, datasets, planned.store, console, address)
    observer.trained(outcome)
    return outcome


def _finish(planned: PlannedStudy, syncing: "SyncProcess") -> str | None:
    """Wait for the sync process; without one, because no command can name the study, sync here."""
    from gmm_study.orchestration.views import update_views

    if planned.study.arguments:
        return syncing.close()
    return update_views(planned.plan_now, planned.store, planned.command)
