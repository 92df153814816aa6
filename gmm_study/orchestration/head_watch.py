"""Ends the driver with one line once the head of its Ray has been silent for too long."""

import errno
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from gmm_study.orchestration.address import touch

HEAD_CHECK_SECONDS, LOST_AFTER = 2.0, 30.0
"""Seconds between two checks of the head, and seconds of silence after which it counts as lost.
After 60 seconds Ray itself would end the driver, with a page of C++ output."""
LOCAL_LOST_AFTER = 4.0
"""The same for a local Ray, which no network separates from the driver."""
UNREACHABLE = (errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH)
"""The errors of a connection to a machine that has been turned off."""


@contextmanager
def watched(address: str, head: str) -> Iterator[None]:
    """End this process with one line once the head has been silent for too long.

    This runs in a thread, because the main thread then waits inside Ray, where no signal reaches
    it.
    """
    over = threading.Event()
    patience = LOCAL_LOST_AFTER if address == "local" else LOST_AFTER

    def watch() -> None:
        if not wait_for_loss(head, patience, over):
            return
        cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # which the live view hides
        print(f"{cursor}gmm-study: {_loss(address)}", file=sys.stderr, flush=True)
        os._exit(2)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def wait_for_loss(head: str, patience: float, over: threading.Event) -> bool:
    """Wait until the head has been silent for `patience` seconds; False if it is `over` before.

    One check alone decides nothing, however long it took.
    """
    heard, missed = monotonic(), 0
    while missed < 2 or monotonic() < heard + patience:
        if over.wait(HEAD_CHECK_SECONDS):
            return False
        missed += 1
        if not is_silent(head):
            heard, missed = monotonic(), 0
    return True


def is_silent(head: str) -> bool:
    """Whether nothing answers at `HOST:PORT`.

    An error of this machine, such as too many open files, says nothing about the head.
    """
    try:
        touch(head)
    except (ConnectionError, TimeoutError):
        return True
    except OSError as error:
        return error.errno in UNREACHABLE
    return False


def _loss(address: str) -> str:
    if address == "local":
        return "Ray has ended; the progress is kept, and the same command continues"
    return (
        f"address: the Ray cluster at '{address}' no longer answers; the progress is kept, and the "
        "same command continues once there is a cluster"
    )
