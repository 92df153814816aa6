"""Locks that let one process at a time train a trial or run a study.

The kernel holds these locks and drops them when their holder dies. A second run therefore waits for
a trial that a living process trains, and takes over one whose process has gone, even a moment ago.
The locks work on a local folder, and on a shared one if its file system passes them on to other
machines, as NFS does.

In a bucket there are no locks, and some shared folders do not pass them on. There, `status.json`,
with its host and process, stands in for the lock of a trial; two runs that start a trial in the
same instant both train it. For a study, a file that is touched every 20 s stands in for the lock,
and counts as abandoned after 120 s; two runs that start within one request of each other both run.

A study has one driver per store, by a lock in `.drivers/`: a second `run` or `sync` refuses to
start, because two drivers would log MLflow's runs twice.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow.fs
from filelock import FileLock, Timeout

from gmm_study.errors import InputError

DRIVERS = ".drivers"
"""The folder under a store's root that says who runs which study."""
BEAT_EVERY = 20.0
"""Seconds between two signs of life of a driver, where there are no locks."""
DRIVER_SILENT_SECONDS = 120.0
"""Seconds without one after which such a driver counts as gone."""


_held: dict[str, FileLock] = {}


def take(path: str, seconds: float = 0.0) -> bool:
    """Hold a lock file for this process; False if another process holds it all those seconds.

    Raises `OSError` where the file system has no locks, or the file cannot be made.
    """
    if path not in _held:
        lock = FileLock(path, thread_local=False, fallback_to_soft=False)
        with suppress(Timeout):
            lock.acquire(timeout=seconds)
            _held[path] = lock
    return path in _held


def give_back(path: str) -> None:
    """Hold it no more, if this process does."""
    if path in _held:
        _held.pop(path).release()


def held_elsewhere(path: str) -> bool | None:
    """Whether another process holds it; None where nothing tells."""
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


@contextmanager
def the_only_driver(file_system: pyarrow.fs.FileSystem, root: str, study: str) -> Iterator[None]:
    """Run a study in a store as no other process does meanwhile.

    Raises `InputError`, which says who does, if one does.
    """
    sign = _sign(file_system, root, study)
    local = isinstance(file_system, pyarrow.fs.LocalFileSystem)
    with ExitStack() as held:
        try:
            file_system.create_dir(f"{root}/{DRIVERS}", recursive=True)
            held.enter_context(_by_lock(sign, study) if local else _by_heartbeat(sign, study))
        except OSError as error:
            raise InputError(f"storage: '{root}' cannot be written: {error}") from None
        yield


def driver_of(file_system: pyarrow.fs.FileSystem, root: str, study: str) -> dict[str, Any] | None:
    """`host`, `pid`, `since` and `time` of the process that runs a study; None where none does.

    Empty where a process does that cannot be named. Raises `OSError` where nobody can tell.
    """
    sign = _sign(file_system, root, study)
    if isinstance(file_system, pyarrow.fs.LocalFileSystem):
        return sign.read() if held_elsewhere(sign.lock_path) else None
    if file_system.get_file_info(sign.path).type == pyarrow.fs.FileType.NotFound:
        return None
    driver = sign.read()
    return driver if not driver or _is_alive(driver) else None


def _sign(file_system: pyarrow.fs.FileSystem, root: str, study: str) -> "_Sign":
    return _Sign(file_system, f"{root}/{DRIVERS}/{quote(study, safe='')}.json")


@contextmanager
def _by_lock(sign: "_Sign", study: str) -> Iterator[None]:
    if not take(sign.lock_path, 0.5):
        raise _declined(study, sign.read())
    try:
        sign.write()
        yield
    finally:
        sign.remove()
        give_back(sign.lock_path)


@contextmanager
def _by_heartbeat(sign: "_Sign", study: str) -> Iterator[None]:
    other = sign.read()
    if other and _is_alive(other):
        raise _declined(study, other)
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_EVERY):
            with suppress(OSError):
                sign.write()

    sign.write()
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        sign.remove()


class _Sign:
    """The file that says who drives a study: host, pid, since when, and the last sign of life."""

    def __init__(self, file_system: pyarrow.fs.FileSystem, path: str) -> None:
        self.file_system = file_system
        self.path = path
        self.lock_path = path.removesuffix("json") + "lock"
        self.since = time.time()

    def write(self) -> None:
        mine = {"host": socket.gethostname(), "pid": os.getpid(), "since": self.since}
        with self.file_system.open_output_stream(self.path) as stream:
            stream.write(json.dumps(mine | {"time": time.time()}).encode())

    def read(self) -> dict[str, Any]:
        """What it says; empty where it says nothing that can be read."""
        try:
            with self.file_system.open_input_stream(self.path) as stream:
                said = json.loads(stream.read())
            return {"host": str(said["host"])} | {
                name: float(said[name]) for name in ("pid", "since", "time")
            }
        except (OSError, ValueError, LookupError, TypeError):
            return {}

    def remove(self) -> None:
        with suppress(OSError):
            self.file_system.delete_file(self.path)


def _declined(study: str, driver: dict[str, Any]) -> InputError:
    who = "another process"
    if driver:
        since = datetime.fromtimestamp(driver["since"]).isoformat(" ", "seconds")
        who = f"process {driver['pid']:.0f} on {driver['host']} since {since}"
    return InputError(
        f"study: '{study}' is being run by {who}; `gmm-study status {study}` looks on; "
        "wait for it, or end it"
    )


def _is_alive(driver: dict[str, Any]) -> bool:
    """Whether a driver has given a sign of life, and is there if it is one of this machine."""
    is_here = driver["host"] == socket.gethostname()
    return time.time() - driver["time"] < DRIVER_SILENT_SECONDS and not (
        is_here and not is_alive(int(driver["pid"]))
    )


def is_alive(pid: int) -> bool:
    """Whether there is a process of that id on this machine."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
