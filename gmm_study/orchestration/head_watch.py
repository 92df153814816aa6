"""Ends the driver with one line once the head of its Ray has been silent for too long.

Ray would end the driver after 60 seconds, with a page of C++ output.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gmm_study.orchestration.address import touch

HEAD_CHECK_SECONDS, LOST_AFTER = 2.0, 30.0
"""Seconds between two checks of the head, and seconds of silence after which it counts as lost.
After 60 seconds Ray itself would end the driver, with a page of C++ output."""
LOCAL_LOST_AFTER = 4.0
"""The same for a local Ray, which no network separates from the driver."""


@contextmanager
def watched(address: str, head: str) -> Iterator[None]:
    """End this process with one line once the head has been silent for too long.

    This runs in a thread, because the main thread then waits inside Ray, where no signal reaches
    it.
    """
    over = threading.Event()

    def watch() -> None:
        silent = 0.0
        while silent < (LOCAL_LOST_AFTER if address == "local" else LOST_AFTER):
            if over.wait(HEAD_CHECK_SECONDS):
                return
            try:
                touch(head)
                silent = 0.0
            except OSError:
                silent += HEAD_CHECK_SECONDS
        cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # which the live view hides
        print(
            f"{cursor}gmm-study: {_loss(address)}",
            file=sys.stderr,
            flush=True,
        )
        os._exit(2)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _loss(address: str) -> str:
    if address == "local":
        return "Ray has ended; the progress is kept, and the same command continues"
    return (
        f"address: the Ray cluster at '{address}' no longer answers; the progress is kept, and the "
        "same command continues once there is a cluster"
    )
