"""Signs of ownership that this process holds: a thread of each gives signs of life.

They take the place of the kernel's locks where there are none: a process that holds a sign owns it,
however long it computes, until it gives the sign back or ends.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

from gmm_study.storage.ownership import Owner, Sign

LEAVING_SECONDS = 5.0
"""How long the end of a holding waits for a sign of life that is being given."""


class _Holding:
    """One sign that this process has taken."""

    def __init__(self, sign: Sign, every: float, on_loss: Callable[[], None]) -> None:
        self.sign, self.is_lost = sign, False
        self._every, self._on_loss = every, on_loss
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._ended.wait(self._every):
            with suppress(OSError):
                if not self.sign.renew():
                    if self._ended.is_set():  # it was given back meanwhile
                        return
                    self.is_lost = True
                    self._on_loss()
                    return

    def close(self) -> None:
        self._ended.set()
        self._thread.join(LEAVING_SECONDS)
        with suppress(OSError):
            self.sign.leave()


_held: dict[tuple[str, str], _Holding] = {}
"""By the server and the path of the sign."""
_changing = threading.Lock()


def take(sign: Sign, every: float, on_loss: Callable[[], None] = lambda: None) -> Owner | None:
    """Take a sign and give a sign of life `every` so many seconds; see `Sign.take`.

    If another process takes it all the same, because this one could not reach the storage, the
    thread calls `on_loss` and ends. Raises `OSError`.
    """
    if (other := sign.take()) is None:
        with _changing:
            held = _held.get(_key(sign))
            if held is None or held.is_lost:
                _held[_key(sign)] = _Holding(sign, every, on_loss)
    return other


def give_back(sign: Sign) -> None:
    """Remove a sign that this process holds."""
    with _changing:
        holding = _held.pop(_key(sign), None)
    if holding:
        holding.close()


def is_lost(sign: Sign) -> bool:
    """Whether a sign that this process holds names another process by now, or none."""
    held = _held.get(_key(sign))
    if held is None or held.is_lost:
        return held is not None
    owner = sign.read()
    return owner is None or not owner.is_this_process


def _key(sign: Sign) -> tuple[str, str]:
    bucket = sign.folder.bucket(sign.urgent)
    return bucket.address if bucket else sign.folder.file_system.type_name, sign.path
