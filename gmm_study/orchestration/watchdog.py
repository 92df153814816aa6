"""Ends a worker that makes no progress, and logs the stack where it hung.

A hang thereby becomes the death of a worker, which the driver already handles. Python's watchdog
(`faulthandler`) is a thread in C that needs no lock of Python's. A process that the system has
stopped with all its threads is not caught.
"""

import faulthandler
import sys
from contextlib import suppress
from typing import IO, Any, Self

from gmm_study.trials.record import LOG, Record


class Watchdog:
    """While it is on guard, the process must `pet` it every so many seconds, or is ended.

    Python's own watchdog is a thread in C, which a library that hangs and lets no Python thread run
    does not stop. It writes the stack to an open file and does nothing else, so that on a file
    system that is not local the stack goes to the worker's stderr, where Ray keeps it.
    """

    def __init__(self, seconds: float, record: Record) -> None:
        self.seconds = seconds
        self.record = record
        self.file = _log_of(record)

    def __enter__(self) -> Self:
        self.pet()
        return self

    def __exit__(self, *error: object) -> None:
        faulthandler.cancel_dump_traceback_later()

    def pet(self) -> None:
        """Say that a step is done; the next is due in so many seconds."""
        faulthandler.dump_traceback_later(self.seconds, exit=True, file=self.file)

    def close(self) -> None:
        """Watch this trial no more; a log in which nothing stands is removed."""
        if self.file is not sys.stderr:
            with suppress(OSError):
                self.file.close()
                if not self.record.read_file(LOG):
                    self.record.delete_file(LOG)


def _log_of(record: Record) -> IO[Any]:
    try:
        return record.open_log() if record.is_local else sys.stderr
    except OSError:
        return sys.stderr
