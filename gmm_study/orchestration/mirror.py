"""Keeps MLflow up to date in a thread of the driver, so that no trial ever waits for it."""

import os
import queue
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from gmm_study.study import Plan, PlannedTrial
from gmm_study.trials.record import RecordStore

if TYPE_CHECKING:
    from gmm_study.tracking import StudyRuns

SYNC_EVERY = 5.0
"""Seconds between two looks at the records of running trials."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""How long a server is waited for, unless the user says otherwise: what is missing comes later."""


class Mirror:
    """Copies the records of a plan's trials to MLflow; `tell` it of news, `close` it at the end.

    Whatever goes wrong with MLflow is kept in `problem` and costs no trial: the records are the
    truth, and a later sync adds what is missing.
    """

    def __init__(self, plan: Plan, store: RecordStore) -> None:
        self.plan = plan
        self.store = store
        self.problem: str | None = None
        self._trials: Mapping[str, PlannedTrial] = {
            trial.config.trial_id: trial for trial in plan.trials
        }
        self._news: queue.Queue[str] = queue.Queue()
        self._closing = threading.Event()
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mlflow", daemon=True)
        self._thread.start()

    def tell(self, trial_id: str) -> None:
        """A trial's record may have grown."""
        self._news.put(trial_id)
        self._wanted.set()

    def close(self) -> None:
        """Bring every trial of the plan up to date and end."""
        self._closing.set()
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        runs: StudyRuns | None = None
        self._wanted.wait()
        while True:
            closing = self._closing.wait(SYNC_EVERY)
            news = self._trials if closing else self._collect()
            try:
                runs = runs or self._open()
                self._sync(runs, news)
                self.problem = None
            except Exception as error:
                self.problem = f"{type(error).__name__}: {error}".splitlines()[0]
                runs = None  # what MLflow has of a request that failed is read from it again
            if closing:
                return

    def _open(self) -> "StudyRuns":
        for setting, value in PATIENCE.items():
            os.environ.setdefault(setting, value)
        from gmm_study.tracking import StudyRuns

        return StudyRuns(self.plan.study.name, self.plan.study.question)

    def _sync(self, runs: "StudyRuns", trial_ids: Iterable[str]) -> None:
        for trial_id in trial_ids:
            trial, record = self._trials[trial_id], self.store.record(trial_id)
            with suppress(ValueError):  # a record that cannot be read must not cost the others
                if record.config() is not None:
                    runs.sync(trial.label, trial.config, record, self.plan.study.replicates)

    def _collect(self) -> Iterable[str]:
        """The trials with news since the last call, each once."""
        news = []
        while not self._news.empty():
            news.append(self._news.get())
        return dict.fromkeys(news)
