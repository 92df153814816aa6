"""A file that names the process that owns something, where there are no locks of the kernel.

In an S3 bucket the file is created, and taken over from a process that is gone, by conditional
writes, so that of two processes in the same instant only one succeeds. In other file systems (HDFS,
Google Cloud Storage, Azure, fsspec) a process looks first and then writes: two processes that start
within the time of one request then both count themselves as the owner.
"""

import json
import os
import random
import socket
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from gmm_study.storage.folder import Folder

TRIES = 10
"""How often to try again when the owner changes in between."""
ENDED = "ZX"
"""States of a process that has ended and of which its parent has not taken notice yet."""
FORGOTTEN = 10
"""So many times as long may a living process of this machine be silent."""
MOST_PAUSE = 0.5
"""The longest pause before that, in seconds."""


@dataclass(frozen=True)
class Owner:
    """A process, since when it owns something, and the time of its last sign of life (s)."""

    host: str
    pid: int
    since: float
    time: float
    machine: str = ""
    """The running system to which the process id belongs; empty if it is unknown."""
    started: str = ""
    """When the process started, as that system counts."""

    @classmethod
    def this_process(cls) -> "Owner":
        """This process, from now on."""
        now, pid = time.time(), os.getpid()
        return cls(socket.gethostname(), pid, now, now, _this_machine(), _start_of(pid))

    @property
    def is_this_process(self) -> bool:
        """Whether it is the process that asks."""
        return self._process == Owner.this_process()._process

    def is_gone(self, silent_seconds: float) -> bool:
        """Whether it has ended: known of a process of this machine, else supposed after silence.

        A living process of this machine that is silent for much longer owns nothing any more: it
        could not remove its sign when it ended its work.
        A host's name does not make it one of this machine, because containers and copies of a
        machine may share it.
        """
        silence = time.time() - self.time
        if self.machine and self.machine == _this_machine():
            return _start_of(self.pid) != self.started or silence >= FORGOTTEN * silent_seconds
        return silence >= silent_seconds

    @property
    def _process(self) -> tuple[str, int, str, str]:
        return self.host, self.pid, self.machine, self.started


@dataclass(frozen=True)
class Sign:
    """The file `name` in a folder, which names an owner. Methods raise `OSError`.

    An owner of another machine is gone after `silent_seconds` without a sign of life. A sign that
    is `urgent` gives up on a server that does not answer after seconds, not minutes.
    """

    folder: Folder
    name: str
    silent_seconds: float
    urgent: bool = False

    def read(self) -> Owner | None:
        """The owner that it names; None if there is no such file, or if it is damaged."""
        owner, _ = self._read()
        return owner

    def living(self) -> Owner | None:
        """The owner that it names; None if there is none, or if that is gone."""
        owner = self.read()
        return None if owner is None or owner.is_gone(self.silent_seconds) else owner

    def take(self) -> Owner | None:
        """Make this process the owner; returns the present owner if that is another one.

        An owner that is gone is replaced. Raises `OSError` if the owner keeps changing.
        """
        me = Owner.this_process()
        for _ in range(TRIES):
            owner, tag = self._read()
            if owner and owner.is_this_process:
                return None
            if owner and not owner.is_gone(self.silent_seconds):
                return owner
            if self._write(me, tag):
                return None
            time.sleep(random.uniform(0.0, MOST_PAUSE))
        raise OSError(f"'{self.path}' keeps changing its owner")

    def write(self) -> None:
        """Name this process, whatever the file says; for a process that holds a lock."""
        self._write(Owner.this_process(), None)

    def renew(self) -> bool:
        """Give a sign of life; False if this process is not the owner any more."""
        owner, tag = self._read()
        if owner is None or not owner.is_this_process:
            return False
        return self._write(replace(owner, time=time.time()), tag)

    def leave(self) -> None:
        """Remove the file if it names this process."""
        self._remove_if(lambda owner: owner.is_this_process)

    def remove_of(self, processes: Collection[tuple[str | None, int | None]]) -> None:
        """Remove the file if it names one of these processes: (host, pid)."""
        self._remove_if(lambda owner: (owner.host, owner.pid) in processes)

    @property
    def path(self) -> str:
        """The path of the file."""
        return f"{self.folder.path}/{self.name}"

    def _read(self) -> tuple[Owner | None, str | None]:
        """The owner, and the tag of this version of the file."""
        found = self.folder.read_tagged(self.name, self.urgent)
        return (_owner(found.content), found.tag) if found else (None, None)

    def _write(self, owner: Owner, tag: str | None) -> bool:
        content = json.dumps(asdict(owner)).encode()
        return self.folder.write_if_unchanged(self.name, content, tag, self.urgent) is not None

    def _remove_if(self, is_meant: Callable[[Owner], bool]) -> None:
        owner, tag = self._read()
        if owner is None or not is_meant(owner):
            return
        bucket = self.folder.bucket(self.urgent)
        if bucket is not None and tag is not None:
            bucket.delete(self.path, tag)
        else:
            self.folder.delete_file(self.name)


def _owner(content: bytes) -> Owner | None:
    try:
        said: dict[str, Any] = json.loads(content)
        return Owner(
            str(said["host"]),
            int(said["pid"]),
            float(said["since"]),
            float(said["time"]),
            str(said.get("machine", "")),
            str(said.get("started", "")),
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


@cache
def _this_machine() -> str:
    """The running system, and the container, to which process ids belong here."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _start_of(pid: int) -> str:
    """When a process of this machine started; empty if there is none, or if it has ended."""
    with suppress(OSError, IndexError):
        # After the name in brackets, which may hold anything: the state first, the start as 20th.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state in ENDED else fields[18]
    return ""
