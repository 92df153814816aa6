"""The driver of a study: at most one process runs a study in a store.

A second `run` or `sync` refuses to start, because two would create MLflow's runs twice. `sync
--follow` may start beside the driver, so that a killed run can be started again at once; the runs
it creates in MLflow are under a lock of the machine.

    .drivers/STUDY.lock    locked by the driver, in a local folder
    .drivers/STUDY.json    who the driver is

Without locks, the driver renews the second file every `BEAT_EVERY` seconds, and counts as gone
after `DRIVER_SILENT_SECONDS` without it. A driver that wakes after that may have been replaced; it
ends as soon as it looks at the file.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from urllib.parse import quote

from gmm_study.errors import InputError
from gmm_study.storage import holding, locks
from gmm_study.storage.folder import Folder
from gmm_study.storage.ownership import Owner, Sign
from gmm_study.storage.reach import refusal_of

DRIVERS = ".drivers"
"""The folder under a store's root with the lock of each study, and who holds it."""
BEAT_EVERY = 20.0
"""Seconds between two signs of life of a driver, if there are no locks."""
DRIVER_SILENT_SECONDS = 120.0
"""Seconds without a sign of life after which such a driver counts as gone."""
UNKNOWN = Owner("an unknown host", 0, 0.0, 0.0)
"""A driver that holds the lock, but whose file cannot be read."""

_driving: set[tuple[str, str]] = set()
"""Path of the store and study of every driver in this process."""


@contextmanager
def the_only_driver(store: Folder, study: str, address: str) -> Iterator[None]:
    """Be the only process that runs a study in a store, which has this address.

    Raises `InputError` if another process is running it; the message names the process. Without
    locks, another process takes the study over if this one cannot give signs of life; this one is
    then interrupted, as by Ctrl-C.
    """
    sign = _sign(store, study)
    if (store.path, study) in _driving:
        raise _declined(study, Owner.this_process())
    with ExitStack() as held:
        _driving.add((store.path, study))
        held.callback(_driving.discard, (store.path, study))
        try:
            held.enter_context(_locked(sign, study) if store.is_local else _signed(store, study))
        except OSError as error:
            raise refusal_of(error, store, address, "written") from None
        yield


def ends_if_replaced(store: Folder, study: str) -> bool:
    """Whether another process runs a study, or has run it, that this one was running.

    A driver that was replaced is interrupted, as by Ctrl-C. Raises `OSError` if this cannot be
    determined.
    """
    owner = _sign(store, study).read()
    if owner is not None and owner.is_this_process:
        return False
    _end(store, study, owner)
    return True


def driver_of(store: Folder, study: str) -> Owner | None:
    """The process that runs a study; None if there is none.

    `UNKNOWN` if there is such a process but it is unknown which. Raises `OSError` if this cannot be
    determined.
    """
    sign = _sign(store, study)
    if not store.is_local:
        return sign.living()
    held = locks.held_elsewhere(_lock_of(sign))
    if held is None and store.is_file(f"{DRIVERS}/{_file_name(study)}.lock"):
        raise OSError(f"{_lock_of(sign)} cannot be locked")
    return (sign.read() or UNKNOWN) if held else None


def _file_name(study: str) -> str:
    return quote(study, safe="")


def _sign(store: Folder, study: str) -> Sign:
    name = f"{_file_name(study)}.json"
    return Sign(store.inside(DRIVERS), name, DRIVER_SILENT_SECONDS, urgent=True)


def _lock_of(sign: Sign) -> str:
    return f"{sign.folder.path}/{sign.name.removesuffix('json')}lock"


@contextmanager
def _locked(sign: Sign, study: str) -> Iterator[None]:
    sign.folder.create()
    if not locks.take(_lock_of(sign), 0.5):
        raise _declined(study, sign.read() or UNKNOWN)
    try:
        sign.write()
        yield
    finally:
        with suppress(OSError):
            sign.leave()
        locks.give_back(_lock_of(sign))


@contextmanager
def _signed(store: Folder, study: str) -> Iterator[None]:
    sign = _sign(store, study)
    other = holding.take(sign, BEAT_EVERY, on_loss=lambda: _end(store, study, sign.read()))
    if other is not None:
        raise _declined(study, other)
    try:
        yield
    finally:
        holding.give_back(sign)


def _end(store: Folder, study: str, next_one: Owner | None) -> None:
    """Say once that another driver has replaced this one, and interrupt it as Ctrl-C does.

    Also where a shell has made the process ignore Ctrl-C.
    """
    try:
        _driving.remove((store.path, study))
    except KeyError:
        return
    line = _declined(study, next_one) if next_one else _taken_over(study)
    print(f"gmm-study: {line}", file=sys.stderr, flush=True)
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    os.kill(os.getpid(), signal.SIGTERM if ignored else signal.SIGINT)


def _declined(study: str, driver: Owner) -> InputError:
    who = "another process"
    if driver != UNKNOWN:
        since = datetime.fromtimestamp(driver.since).isoformat(" ", "seconds")
        who = f"process {driver.pid} on {driver.host} since {since}"
    return InputError(
        f"study: '{study}' is being run by {who}; wait for it or stop it; "
        f"`gmm-study status {study}` shows its progress"
    )


def _taken_over(study: str) -> InputError:
    return InputError(
        f"study: '{study}' was taken over by another process, which has ended, or its folder "
        f"'{DRIVERS}' was removed; run it again"
    )
