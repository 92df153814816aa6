"""Ends a worker that makes no progress, and logs the stack at which it hung.

A hang thus becomes the death of a worker, which the driver already handles. Python's watchdog
(`faulthandler`) is a C thread that does not need the interpreter's lock. A process that the system
has stopped with all its threads is not detected.
"""

import faulthandler
import sys
from contextlib import suppress
from typing import IO, Any, Self

from gmm_study.trials.record import LOG, Record


class Watchdog:
    """Inside its context, the process must call `pet` in time, or it is ended.

    Python's own watchdog is a C thread, so it works even if a library hangs and lets no Python
    thread run. It can only write the stack to an open file. On a file system that is not local, the
    stack therefore goes to the worker's stderr, where Ray keeps it.
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
        """Report that a step is done; the next one is due in `seconds`."""
        faulthandler.dump_traceback_later(self.seconds, exit=True, file=self.file)

    def close(self) -> None:
        """Stop watching this trial; an empty log is removed."""
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
