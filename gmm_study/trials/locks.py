"""Locks: one process at a time trains a trial, and one runs a study.

The kernel holds these locks and releases them when the process dies. A second run therefore waits
for a trial that a living process is training, and can take over a trial as soon as its process has
died. The locks work in a local folder, and in a shared folder if its file system passes them on to
other machines, as NFS does.

A bucket has no locks, and some shared folders do not pass them on. In their place, the host and
process in a trial's `status.json` tell who is training it; two runs that start a trial at the same
instant then both train it. For a study, the driver rewrites a file every 20 s, and counts as gone
after 120 s without it; two drivers that start within the time of one request then both run.

A study has one driver per store, by a lock in `.drivers/`. A second `run` or `sync` refuses to
start, because two would create MLflow's runs twice. `sync --follow` takes
no such lock, so that a killed run can be started again at once; the runs it creates in MLflow are
under a lock of the machine.
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
"""The folder under a store's root with the lock of each study, and who holds it."""
BEAT_EVERY = 20.0
"""Seconds between two signs of life of a driver, if there are no locks."""
DRIVER_SILENT_SECONDS = 120.0
"""Seconds without a sign of life after which such a driver counts as gone."""


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


@contextmanager
def the_only_driver(file_system: pyarrow.fs.FileSystem, root: str, study: str) -> Iterator[None]:
    """Be the only process that runs a study in a store.

    Raises `InputError` if another process is running it; the message names the process.
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
    """`host`, `pid`, `since` and `time` of the process that runs a study; None if there is none.

    Empty if there is such a process but it is unknown which. Raises `OSError` if this cannot be
    determined.
    """
    sign = _sign(file_system, root, study)
    if isinstance(file_system, pyarrow.fs.LocalFileSystem):
        held = held_elsewhere(sign.lock_path)
        if held is None and Path(sign.lock_path).exists():
            raise OSError(f"{sign.lock_path} cannot be locked")
        return sign.read() if held else None
    if file_system.get_file_info(sign.path).type == pyarrow.fs.FileType.NotFound:
        return None
    driver = sign.read()
    return driver if not driver or _is_alive(driver) else None


def _sign(file_system: pyarrow.fs.FileSystem, root: str, study: str) -> "_Sign":
    return _Sign(file_system, f"{root}/{DRIVERS}/{quote(study, safe='')}.json")


@contextmanager
def _by_lock(sign: "_Sign", study: str) -> Iterator[None]:
    if sign.lock_path in _held or not take(sign.lock_path, 0.5):
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
    """The file that names the driver of a study: host, pid, start, and time of the last sign."""

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
        """The content; empty if the file cannot be read."""
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
        f"study: '{study}' is being run by {who}; wait for it or stop it; "
        f"`gmm-study status {study}` shows its progress"
    )


def _is_alive(driver: dict[str, Any]) -> bool:
    """Whether a driver gave a sign of life recently and, if on this machine, its process exists."""
    is_here = driver["host"] == socket.gethostname()
    return time.time() - driver["time"] < DRIVER_SILENT_SECONDS and not (
        is_here and not is_alive(int(driver["pid"]))
    )


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists on this machine."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
