"""`gmm-study sync --follow` as a process beside a run, so that no trial ever waits for MLflow.

The driver is busy with Ray. The process ends when the store shows that no process drives the study
any more. The end of a run waits for MLflow as long as it makes progress, and at most a minute
without; `gmm-study sync` takes as long as it needs.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from gmm_study.orchestration.cause import cause_of
from gmm_study.orchestration.views import PROBLEMS, UP_TO_DATE

CLOSING_WAIT = 60.0
"""Seconds without progress after which a run no longer waits for MLflow at its end."""
MOST_OUTPUT = 1_000_000
"""The maximum number of bytes that are read, from the end of its output."""
SCRATCH = "gmm-study-new-"
"""How the names of its temporary folders begin, followed by its pid."""
STOPPING_WAIT = 5.0
"""Seconds that the process has to end cleanly after it was interrupted."""


class SyncProcess:
    """Copies a study's records to MLflow from `start` until the run has ended.

    The process learns from the store that the run has ended: the study then has no driver. An error
    of MLflow does not affect any trial.
    """

    def __init__(self, words: Sequence[str], storage: str) -> None:
        """`words` name the study as in `gmm-study sync WORDS`; `storage` has its records."""
        self._command = [sys.executable, "-P", "-m", "gmm_study", "sync", "--follow", *words]
        self._storage = storage
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: threading.Thread | None = None
        self._is_left = False
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__

    def start(self, report: Callable[[str], None] = lambda problem: None) -> None:
        """Start the process; the calling process must already be the driver of the study.

        If the process ends with a problem, another thread calls `report` with it at once.
        """
        # A batch system may send SIGTERM to all processes; this one must outlast the driver's end.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                # Not in the command line, which all users can see, as it may contain a password.
                # A spinner or colours would hide the lines that are read.
                env=os.environ | {"GMM_STUDY_STORAGE": self._storage, "TTY_COMPATIBLE": "0"},
                start_new_session=True,  # Ctrl-C is the driver's to handle
            )
            self._watcher = threading.Thread(target=self._watch, args=(report,), daemon=True)
            self._watcher.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End the process, whatever it is doing."""
        if self._process is None or self._watcher is None:
            self._output.close()
            return
        self._is_left = True
        if self._process.poll() is None:
            self._end(self._process)
        self._watcher.join()
        self._output.close()

    @staticmethod
    def _end(process: "subprocess.Popen[bytes]") -> None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOPPING_WAIT)
        process.kill()
        process.wait()
        for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}{process.pid}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def close(self, within: float = CLOSING_WAIT) -> str | None:
        """Wait until MLflow is up to date; returns a problem, else None.

        It does not wait longer than `within` seconds without progress. The calling process must no
        longer be the driver of the study.
        """
        if self._process is None or self._watcher is None:
            return None
        before, now = -1, self._printed()
        while self._process.poll() is None and now > before:
            self._watcher.join(within)
            before, now = now, self._printed()
        status = self._process.poll()
        if status is None:
            slow = f"MLflow: it made no progress in the {within:g} s that a run waits for it"
            return self._reported() or slow
        return self._problem(status)

    def _printed(self) -> int:
        """The number of bytes that the process has printed."""
        return os.fstat(self._output.fileno()).st_size

    def _watch(self, report: Callable[[str], None]) -> None:
        assert self._process is not None
        status = self._process.wait()
        if not self._is_left and (problem := self._problem(status)):
            report(problem)

    def _problem(self, status: int) -> str | None:
        """What went wrong with the process that has ended with this status; None if nothing did."""
        if status == 0:
            return None
        if status < 0:
            return f"MLflow: the sync process was killed by signal {-status}"
        last_line = cause_of("".join(self._lines()[-1:]))
        ended = f"MLflow: the sync process ended with status {status} {last_line}"
        return self._reported() or ended.strip()

    def _reported(self) -> str | None:
        """The last problem that it reported; None if there is none or it was solved."""
        known = [line for line in self._lines() if line.startswith((*PROBLEMS, UP_TO_DATE))]
        return known[-1] if known and known[-1] != UP_TO_DATE else None

    def _lines(self) -> list[str]:
        """What it has printed so far. The process may still be writing to the same open file."""
        file = self._output.fileno()
        start = max(0, self._printed() - MOST_OUTPUT)
        printed = os.pread(file, MOST_OUTPUT, start)
        return printed.decode(errors="replace").splitlines()
