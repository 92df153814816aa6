"""Updates of the views (MLflow and Optuna's storage) from a study's records.

They are updated once, or repeatedly while the study runs. A view that fails is reported and does
not affect any trial: the records are the truth, and the next update adds what is missing.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.orchestration.cause import cause_of
from gmm_study.orchestration.facts import cells_of, facts_of
from gmm_study.storage.ownership import Owner
from gmm_study.storage.stamp import Stamp
from gmm_study.storage.together import read_ahead
from gmm_study.study import Plan, PlannedTrial
from gmm_study.trials.record_store import RecordStore

if TYPE_CHECKING:
    from gmm_study.search.optuna_view import OptunaView
    from gmm_study.tracking.account import Account
    from gmm_study.tracking.runs import StudyRuns

RECORDS_CHECK_SECONDS = 5.0
"""Seconds between two checks of the records while a study runs."""
PROGRESS_SECONDS = 10.0
"""Seconds between two lines that say how many records were copied."""
POLL_EVERY = 0.5
"""Seconds between two checks of the lock of the run that is followed, in a local store."""
ATTEMPTS = 2
"""The number of attempts at the last update of a run."""
WATCHED = ("config.json", "status.json", "result.json")
"""Files of a record; whenever the record changes, one of them is written."""
Stamps = tuple[Stamp | None, ...]
"""Those of the watched files of a record."""
UP_TO_DATE = "the views are up to date again"
PROBLEMS = ("MLflow: ", "Optuna: ")
"""The beginnings of a line that reports a problem."""


class Views:
    """The views of one study's records.

    `plan_now` returns the study's plan with the current proposals of its searches. `command` is the
    command that runs the study, for display. `progress` is called with a line from time to time
    while records are being copied.
    """

    def __init__(
        self,
        plan_now: Callable[[], Plan],
        store: RecordStore,
        command: str = "",
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.plan_now = plan_now
        self.store = store
        self.command = command
        self.progress = progress
        self.is_refused = False
        """Whether nothing can be shown, as MLflow refuses what another attempt would not change."""
        self._refusal = ""
        self._runs: StudyRuns | None = None
        self._searches: OptunaView | None = None
        self._copied: dict[str, Stamps] = {}
        self._ended: dict[str, int] = {}  # with how many wanted replicates, by the trial's id
        self._said_at = time.monotonic()

    def update(self, last: bool = False, even_without_records: bool = False) -> str | None:
        """Copy the records that changed since the last call; returns a problem in a line, or None.

        The `last` update of a run also reads the records of all trials that have not ended, because
        the death of a worker changes no file, and it tags the best trials. Nothing is written to
        MLflow while there is no record, unless the last update is asked to, so that a server that
        cannot be reached is reported.
        """
        try:
            plan = self.plan_now()
        except Exception as error:
            return _problem("MLflow", error)
        problem = self._refusal or self._show_runs(plan, last, even_without_records)
        self.is_refused = bool(self._refusal) and not plan.cells
        of_searches = self._show_searches(plan)
        return problem or of_searches

    def _show_runs(self, plan: Plan, last: bool, even_without_records: bool) -> str | None:
        from gmm_study.tracking.refusals import refusal_of

        try:
            trials = {
                trial.config.trial_id: trial
                for trial in plan.trials
                if last or not self._has_ended(trial)
            }
            listed = self.store.listed(trials)
            stamps = self._stamps(listed, trials, last)
            is_due = stamps or (last and (self._copied or even_without_records))
            return self._copy(plan, trials, listed, stamps, last) if is_due else None
        except Exception as error:
            # A request that failed may have succeeded in part, so MLflow is read again.
            self._runs = None
            self._copied.clear()
            self._ended.clear()
            refusal = refusal_of(error)
            self._refusal = f"MLflow: {refusal}" if refusal else ""
            given = os.environ.get("MLFLOW_TRACKING_URI")
            where = f" (MLFLOW_TRACKING_URI={redact(given)})" if given else ""
            return self._refusal or _problem("MLflow", error) + where

    def _has_ended(self, trial: PlannedTrial) -> bool:
        """Whether MLflow has all wanted replicates of a trial; more may be wanted later."""
        return self._ended.get(trial.config.trial_id) == trial.replicates

    def _stamps(
        self, store: RecordStore, trials: Mapping[str, PlannedTrial], last: bool
    ) -> dict[str, Stamps]:
        """Of these trials, by id, those whose records are to be copied, with their stamps."""
        recorded = set(store.trial_ids())
        ids = [trial_id for trial_id in trials if trial_id in recorded]
        files = store.folder.stamps([f"{each}/{name}" for each in ids for name in WATCHED])
        stamps = {}
        for number, trial_id in enumerate(ids):
            stamp = tuple(files[number * len(WATCHED) : (number + 1) * len(WATCHED)])
            unchanged = self._copied.get(trial_id) == stamp
            if unchanged and not (last and not self._has_ended(trials[trial_id])):
                continue
            if stamp[0]:
                stamps[trial_id] = stamp
        return stamps

    def _copy(
        self,
        plan: Plan,
        trials: Mapping[str, PlannedTrial],
        store: RecordStore,
        stamps: dict[str, Stamps],
        last: bool,
    ) -> str | None:
        """Copy some records; returns why one was left out, None if all were copied.

        One whose curves cannot be read is left out, and one that MLflow rejects.
        """
        from gmm_study.tracking.runs import StudyRuns, is_declined

        runs = self._runs = self._runs or StudyRuns(facts_of(plan, self.command))
        problem = None
        read = partial(_account, store, runs)
        with closing(read_ahead(read, [trials[trial_id] for trial_id in stamps])) as accounts:
            for number, (trial_id, account) in enumerate(zip(stamps, accounts, strict=True), 1):
                try:
                    if runs.sync(trials[trial_id].label, trials[trial_id].config, account):
                        self._ended[trial_id] = trials[trial_id].replicates
                    self._copied[trial_id] = stamps[trial_id]
                except ValueError as error:
                    problem = f"MLflow: {redact(str(error))}"
                    self._copied[trial_id] = stamps[trial_id]
                except Exception as error:
                    if not is_declined(error):
                        raise
                    problem = _problem("MLflow", error)
                self._say(f"copied {number:,} of {len(stamps):,} records to MLflow")
        if last:
            compared = "looked for the best of {:,} trials".format
            runs.conclude(cells_of(plan), lambda number: self._say(compared(number)))
        return problem

    def _say(self, line: str) -> None:
        """Tell of progress from time to time."""
        if time.monotonic() > self._said_at + PROGRESS_SECONDS:
            self._said_at = time.monotonic()
            self.progress(line)

    def _show_searches(self, plan: Plan) -> str | None:
        if not plan.cells:
            return None
        from gmm_study.search.optuna_view import OptunaView

        try:
            self._searches = self._searches or OptunaView(self.store)
            self._searches.update(plan.cells.values())
        except Exception as error:
            self._searches = None  # so that the next update reads what is in the storage
            return _problem("Optuna", error)
        return None


def update_views(
    plan_now: Callable[[], Plan],
    store: RecordStore,
    command: str = "",
    progress: Callable[[str], None] = lambda line: None,
) -> str | None:
    """Update the views; returns what is still wrong as one line, None if nothing is."""
    from gmm_study.tracking.database import short_waits

    with short_waits():
        views = Views(plan_now, store, command, progress)
        return _last_update(views, even_without_records=True)


def follow_run(
    plan_now: Callable[[], Plan],
    store: RecordStore,
    command: str = "",
    report: Callable[[str], None] = lambda line: None,
    progress: Callable[[str], None] = lambda line: None,
) -> str | None:
    """Keep the views up to date until the current run of the study has ended.

    Returns the same as `update_views`. `report` is called with one line when a view fails, and when
    it works again. The run has ended when its process has released the study or has died. It is no
    longer followed once MLflow has refused an update.
    """
    from gmm_study.tracking.database import prepare, short_waits

    study = plan_now().study.name
    problem = None
    try:
        run = store.driver(study)
    except OSError as error:
        raise InputError(f"study: the run of '{study}' cannot be followed: {error}") from None
    views = Views(plan_now, store, command, progress)
    with suppress(Exception):  # a view that cannot be used is reported when it is needed
        prepare()
    with short_waits():
        while not _has_ended(run, study, store):
            before, problem = problem, views.update()
            if views.is_refused:
                return problem
            if problem != before:
                report(problem or UP_TO_DATE)
            _wait(run, study, store)
        # Without the driver's lock, so that a run after a killed one may start at once.
        return _last_update(views)


def _last_update(views: Views, even_without_records: bool = False) -> str | None:
    problem = None
    for _ in range(ATTEMPTS):
        problem = views.update(last=True, even_without_records=even_without_records)
        if problem is None or views.is_refused:
            break
    return problem


def _has_ended(run: Owner | None, study: str, store: RecordStore) -> bool:
    """Whether the study has no driver any more, or a later one."""
    try:
        now = store.driver(study)
    except OSError:
        return False
    return now is None or bool(run and now and run.since != now.since)


def _wait(run: Owner | None, study: str, store: RecordStore) -> None:
    until = time.monotonic() + RECORDS_CHECK_SECONDS
    while time.monotonic() < until:
        time.sleep(POLL_EVERY if store.is_local else RECORDS_CHECK_SECONDS)
        if _has_ended(run, study, store):
            return


def _account(store: RecordStore, runs: "StudyRuns", trial: PlannedTrial) -> "Account | None":
    """The content of a trial's record, None if it cannot be read.

    What MLflow lacks of it is read now, as other records are read at the same time.
    """
    from gmm_study.tracking.account import account_of

    trial_id = trial.config.trial_id
    try:
        account = account_of(store.record(trial_id), trial.replicates)
    except ValueError:
        return None
    with suppress(ValueError):  # which it raises again when the curves are needed
        if not runs.has(trial.label, trial_id, account):
            account.read()
    return account


def _problem(view: str, error: Exception) -> str:
    return f"{view}: {cause_of(f'{type(error).__name__}: {error}')}"
