"""Keeps MLflow up to date in a process of its own, so that no trial ever waits for it.

The driver tells the process of news, a line each; the process reads the records and ends at once
when the driver does, however that ends.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, Self

from gmm_study.study import Plan, PlannedTrial
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import RecordStore

if TYPE_CHECKING:
    from gmm_study.tracking import StudyRuns

SYNC_EVERY = 5.0
"""Seconds between two looks at the records of running trials."""
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Unless the user says otherwise, a server is not waited for long, as what is missing comes later,
and not asked for links to print."""
FLUSH, CLOSE = "flush", "close"
"""Lines to the process beside ids of trials: copy what is new at once, and copy all and end."""


class Mirror:
    """Copies the records of a plan's trials to MLflow; `tell` it of news, `close` it at the end.

    Leaving the context without `close` ends it where it stands. Whatever goes wrong with MLflow is
    kept in `problem` and costs no trial: the records are the truth, and a later sync adds what is
    missing.
    """

    def __init__(self, plan: Plan, store: RecordStore) -> None:
        self.problem: str | None = None
        first_line = json.dumps(assignment(plan, store))
        self._scratch = tempfile.TemporaryDirectory(prefix="gmm-study-mlflow-")
        self._errors = Path(self._scratch.name) / "stderr"
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gmm_study.orchestration.mirror"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
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
        self._say(json.dumps(_told(trial)))

    def flush(self) -> None:
        """Let it copy what is new without waiting for more."""
        self._say(FLUSH)

    def finish(self) -> None:
        """Let it bring every trial of the plan up to date and end; `close` waits for that."""
        self._say(CLOSE)

    def close(self) -> None:
        """Have every trial of the plan brought up to date."""
        self.finish()
        assert self._process.stdout is not None
        answer, status = self._process.stdout.read(), self._process.wait()
        if status == 0:
            self.problem = json.loads(answer)
        else:
            *_, said = ["", *self._errors.read_text().splitlines()]
            self.problem = f"its process ended with status {status} {said}".strip()

    def _say(self, line: str) -> None:
        with suppress(BrokenPipeError):  # `close` tells how it ended
            print(line, file=self._process.stdin, flush=True)


class Copier:
    """What the process does: copies news every few seconds until it is told to close."""

    def __init__(self, assignment: dict[str, Any], news: "SimpleQueue[str]") -> None:
        self.study, self.question = assignment["study"], assignment["question"]
        self.replicates = assignment["replicates"]
        self.store = RecordStore(assignment["storage"])
        self.trials: dict[str, tuple[str, TrialConfig]] = {}
        for trial in assignment["trials"]:
            self._expect(trial)
        self.news = news
        self.problem: str | None = None

    def run(self) -> None:
        """Work until closed; `problem` then says what went wrong last, if not mended since."""
        with suppress(Exception):  # what is wrong shows when it is needed
            from gmm_study.tracking import prepare

            prepare()
        runs: StudyRuns | None = None
        told = {self._next()}  # MLflow stays untouched until something is asked for
        while True:
            closing = CLOSE in told
            try:
                runs = runs or self._open()
                self._sync(runs, self.trials if closing else told - {FLUSH})
                self.problem, told = None, set()
            except Exception as error:
                self.problem = f"{type(error).__name__}: {error}".splitlines()[0]
                runs = None  # what MLflow has of a request that failed is read from it again
            if closing:
                return
            told = told - {FLUSH} | self._collect()  # with what could not be copied

    def _open(self) -> "StudyRuns":
        from gmm_study.tracking import StudyRuns

        return StudyRuns(self.study, self.question)

    def _sync(self, runs: "StudyRuns", trial_ids: Iterable[str]) -> None:
        for trial_id in trial_ids:
            (label, config), record = self.trials[trial_id], self.store.record(trial_id)
            with suppress(ValueError):  # a record that cannot be read must not cost the others
                if record.config() is not None:
                    runs.sync(label, config, record, self.replicates)

    def _expect(self, trial: dict[str, Any]) -> str:
        config = TrialConfig.from_json(trial["config"])
        self.trials[config.trial_id] = trial["label"], config
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


def assignment(plan: Plan, store: RecordStore) -> dict[str, Any]:
    """All that the process needs to know of a plan, as JSON."""
    return {
        "study": plan.study.name,
        "question": plan.study.question,
        "replicates": plan.study.replicates,
        "storage": store.storage,
        "trials": [_told(trial) for trial in plan.trials],
        "searches": list(plan.cells),
    }


def _told(trial: PlannedTrial) -> dict[str, Any]:
    return {"label": trial.label, "config": trial.config.to_json()}


def _listen(lines: IO[str], news: "SimpleQueue[str]") -> None:
    """Pass on what the driver tells; end at once when it is gone."""
    for line in lines:
        news.put(line.strip())
    os._exit(1)


def main() -> None:
    """Copy for the driver at the other end of stdin; the problem at the end goes to stdout."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the driver, told as well, says when to end
    answer, sys.stdout = sys.stdout, sys.stderr
    for setting, value in SETTINGS.items():
        os.environ.setdefault(setting, value)
    news: SimpleQueue[str] = SimpleQueue()
    copier = Copier(json.loads(sys.stdin.readline()), news)
    threading.Thread(target=_listen, args=(sys.stdin, news), daemon=True).start()
    copier.run()
    print(json.dumps(copier.problem), file=answer, flush=True)
    os._exit(0)  # at the end of Python's own way out, a thread that reads stdin is a fatal error


if __name__ == "__main__":
    main()
