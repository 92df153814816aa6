"""Keeps MLflow up to date in a process of its own, so that no trial ever waits for it.

The driver tells the process of news, a line each; the process reads the records and ends at once
when the driver does, however that ends.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, Self

from gmm_study.orchestration.cause import cause_of
from gmm_study.study import Plan, PlannedTrial
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import RecordStore

if TYPE_CHECKING:
    from gmm_study.tracking.runs import StudyRuns

SYNC_EVERY = 5.0
"""Seconds between two looks at the records of running trials."""
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Unless the user says otherwise, a server is not waited for long, as what is missing comes later,
and not asked for links to print."""
CLOSING_WAIT = 60.0
"""Seconds that the end of a run waits for MLflow."""
CLOSING_ATTEMPTS = 2
PREFIX = "gmm-study-mlflow-"
"""Of the scratch folder, which is the process's folder for temporary files."""
PROBLEM = "problem"
"""The file in it that says what is wrong as JSON, null if nothing is."""
FLUSH, CLOSE = "flush", "close"
"""Lines to the process beside ids of trials: copy what is new at once, and copy all and end."""


class Mirror:
    """Copies the records of a plan's trials to MLflow; `tell` it of news, `close` it at the end.

    Leaving the context without `close` ends it where it stands. Whatever goes wrong with MLflow is
    kept in `problem` and costs no trial: the records are the truth, and a later sync adds what is
    missing.
    """

    def __init__(self, plan: Plan, store: RecordStore, command: str = "") -> None:
        """`command` is the one that runs the study, for people to read."""
        self.problem: str | None = None
        self._x = plan.x
        first_line = json.dumps(assignment(plan, store, command))
        self._scratch = tempfile.TemporaryDirectory(prefix=PREFIX)
        self._output = Path(self._scratch.name) / "output"
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gmm_study.orchestration.mirror"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                text=True,
                env=os.environ | {"TMPDIR": self._scratch.name},
                start_new_session=True,  # Ctrl-C is the driver's to handle
            )
        self._say(first_line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        with self._scratch, suppress(BrokenPipeError), self._process:  # which waits for its end
            pass

    def tell(self, trial_id: str) -> None:
        """A trial's record may have grown."""
        self._say(trial_id)

    def expect(self, trial: PlannedTrial) -> None:
        """A trial was added to the plan."""
        self._say(json.dumps(_told([trial], self._x)))

    def flush(self) -> None:
        """Let it copy what is new without waiting for more."""
        self._say(FLUSH)

    def finish(self) -> None:
        """Let it bring every trial of the plan up to date and end; `close` waits for that."""
        self._say(CLOSE)

    def close(self, within: float | None = None) -> None:
        """Have every trial of the plan brought up to date, within so many seconds if given."""
        self.finish()
        try:
            status = self._process.wait(within)
        except subprocess.TimeoutExpired:
            slow = f"MLflow: it took longer than the {within:g} s that a run waits for it"
            self.problem = self._told_problem() or slow
            return
        if status == 0:
            self.problem = self._told_problem()
        elif status < 0:
            self.problem = f"MLflow: the process that copies was killed by signal {-status}"
        else:
            said = cause_of(" ".join(self._output.read_text().splitlines()[-1:]))
            self.problem = (
                f"MLflow: the process that copies ended with status {status} {said}".strip()
            )

    def _told_problem(self) -> str | None:
        with suppress(OSError, ValueError):
            told: str | None = json.loads((Path(self._scratch.name) / PROBLEM).read_text())
            return told
        return None

    def _say(self, line: str) -> None:
        with suppress(BrokenPipeError):  # `close` tells how it ended
            print(line, file=self._process.stdin, flush=True)


class Copier:
    """What the process does: copies news every few seconds until it is told to close."""

    def __init__(
        self,
        assignment: dict[str, Any],
        news: "SimpleQueue[str]",
        tell_problem: Callable[[str | None], None] = lambda problem: None,
    ) -> None:
        self.study, self.replicates = assignment["study"], assignment["study"]["replicates"]
        self.store = RecordStore(assignment["storage"])
        self.locks = assignment["locks"]
        self.searches = assignment["searches"]
        self.trials: dict[str, tuple[str, TrialConfig]] = {}
        self.cells: dict[str, list[Any]] = {}
        for trial in assignment["trials"]:
            self._expect(trial)
        self.news = news
        self.problem: str | None = None
        self.tell_problem = tell_problem

    def run(self) -> None:
        """Work until closed; `problem` then says what went wrong last, if not mended since."""
        with suppress(Exception):  # what is wrong shows when it is needed
            from gmm_study.tracking.database import prepare

            prepare()
        runs: StudyRuns | None = None
        attempts = CLOSING_ATTEMPTS
        told = {self._next()}  # MLflow stays untouched until something is asked for
        while True:
            closing = CLOSE in told
            try:
                runs = runs or self._open()
                self._sync(runs, self.trials if closing else told - {FLUSH}, closing)
                self.problem, told = None, set()
            except Exception as error:
                self.problem = f"MLflow: {cause_of(f'{type(error).__name__}: {error}')}"
                runs = None  # what MLflow has of a request that failed is read from it again
            self.problem = self.problem or self._show_searches()
            self.tell_problem(self.problem)
            if closing:
                attempts -= 1
                if self.problem is None or not attempts:
                    return
            else:
                told = told - {FLUSH} | self._collect()  # with what could not be copied

    def _open(self) -> "StudyRuns":
        from gmm_study.tracking.notes import Facts
        from gmm_study.tracking.runs import StudyRuns

        facts = {**self.study, "axes": tuple(self.study["axes"])}
        return StudyRuns(Facts(**facts), locks=self.locks)

    def _conclude(self, runs: "StudyRuns") -> None:
        from gmm_study.tracking.best import Cell

        runs.conclude({id: [Cell(*cell) for cell in cells] for id, cells in self.cells.items()})

    def _show_searches(self) -> str | None:
        """Bring Optuna's storage up to date, where there are searches; what is wrong, if any."""
        if not self.searches:
            return None
        from gmm_study.search.optuna_view import show

        try:
            show(self.store, self.study["name"], self.searches)
        except Exception as error:
            return f"Optuna: {cause_of(f'{type(error).__name__}: {error}')}"
        return None

    def _sync(self, runs: "StudyRuns", trial_ids: Iterable[str], closing: bool) -> None:
        from gmm_study.tracking.runs import is_declined

        declined: Exception | None = None
        for trial_id in trial_ids:
            (label, config), record = self.trials[trial_id], self.store.record(trial_id)
            try:
                with suppress(ValueError):  # a record that cannot be read must not cost the others
                    if record.read_file("config.json") is not None:
                        runs.sync(label, config, record, self.replicates)
            except Exception as error:
                if not is_declined(error):
                    raise
                declined = error
        if closing:
            self._conclude(runs)
        if declined is not None:
            raise declined

    def _expect(self, trial: dict[str, Any]) -> str:
        config = TrialConfig.from_json(trial["config"])
        self.trials[config.trial_id] = trial["label"], config
        self.cells[config.trial_id] = trial["cells"]
        return config.trial_id

    def _next(self, timeout: float | None = None) -> str:
        """The next line, that of a new trial as its id; `Empty` where none comes in time."""
        line = self.news.get(timeout=timeout)
        return self._expect(json.loads(line)) if line.startswith("{") else line

    def _collect(self) -> set[str]:
        """What was told in the next few seconds, or until a line asks for haste."""
        told, until = set[str](), monotonic() + SYNC_EVERY
        while not told & {FLUSH, CLOSE}:
            try:
                told.add(self._next(timeout=max(0.0, until - monotonic())))
            except Empty:
                break
        return told


def assignment(plan: Plan, store: RecordStore, command: str = "") -> dict[str, Any]:
    """All that the process needs to know of a plan, as JSON."""
    study = plan.study
    places: dict[str, list[PlannedTrial]] = {}
    for place in plan.places:
        places.setdefault(place.config.trial_id, []).append(place)
    varied = [name for settings in study.variations.values() for name in settings]
    return {
        "study": {
            "name": study.name,
            "question": study.question,
            "variant": study.variant,
            "command": command,
            "x": plan.x,
            "axes": list(dict.fromkeys(map(_param, [*study.space, *varied]))),
            "replicates": study.replicates,
        },
        "storage": store.storage,
        "locks": tempfile.gettempdir(),
        "trials": [_told(places[trial.config.trial_id], plan.x) for trial in plan.trials],
        "searches": list(plan.cells),
    }


def _told(places: list[PlannedTrial], x: str | None) -> dict[str, Any]:
    """A trial with all its places."""
    config = places[0].config
    return {
        "label": places[0].label,
        "config": config.to_json(),
        "cells": [
            [config.dataset, config.hyperparameters.method, _value(place, x)] for place in places
        ],
    }


def _value(place: PlannedTrial, x: str | None) -> str:
    """The value of the report's x at a place of the study, empty where there is none."""
    value = place.at(x) if x else None
    return "" if value is None else json.dumps(value)


def _param(axis: str) -> str:
    """What the flat configuration calls an axis of a study's space."""
    return "depth" if axis == "layers.depth" else axis.partition(".")[0]


def _listen(lines: IO[str], news: "SimpleQueue[str]") -> None:
    """Pass on what the driver tells; end at once when it is gone, which cannot tidy up then."""
    for line in lines:
        news.put(line.strip())
    scratch = Path(tempfile.gettempdir())
    if scratch.name.startswith(PREFIX):
        shutil.rmtree(scratch, ignore_errors=True)
    os._exit(1)


def _write_problem(problem: str | None) -> None:
    Path(tempfile.gettempdir(), PROBLEM).write_text(json.dumps(problem))


def main() -> None:
    """Copy for the driver at the other end of stdin."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the driver, told as well, says when to end
    for setting, value in SETTINGS.items():
        os.environ.setdefault(setting, value)
    news: SimpleQueue[str] = SimpleQueue()
    copier = Copier(json.loads(sys.stdin.readline()), news, _write_problem)
    threading.Thread(target=_listen, args=(sys.stdin, news), daemon=True).start()
    copier.run()
    os._exit(0)  # at the end of Python's own way out, a thread that reads stdin is a fatal error


if __name__ == "__main__":
    main()
