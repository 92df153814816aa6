"""Locks of the kernel: a file that one process of this machine holds at a time.

The kernel releases a lock when its process ends, however it ends. The locks work in a local folder,
and in a shared folder if its file system passes them on to other machines, as NFS does.
"""

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

_held: dict[str, FileLock] = {}


def take(path: str, seconds: float = 0.0) -> bool:
    """Acquire a lock file for this process; False if another one still holds it after `seconds`.

    Raises `OSError` if the file system has no locks, or if the file cannot be created.
    """
    if path not in _held:
        lock = FileLock(path, thread_local=False, fallback_to_soft=False)
        with suppress(Timeout):
            lock.acquire(timeout=seconds)
            _held[path] = lock
    return path in _held


def give_back(path: str) -> None:
    """Release the lock file if this process holds it."""
    if path in _held:
        _held.pop(path).release()


def held_elsewhere(path: str) -> bool | None:
    """Whether another process holds the lock file; None if this cannot be determined."""
    if path in _held:
        return False
    if not Path(path).exists():
        return None
    try:
        free = take(path)
    except OSError:
        return None
    give_back(path)
    return not free


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists on this machine."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
