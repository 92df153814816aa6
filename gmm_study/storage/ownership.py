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
from gmm_study.storage.locks import is_alive

TRIES = 10
"""How often to try again when the owner changes in between."""
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

    @property
    def has_died(self) -> bool:
        """Whether it is known to have ended; only a process of this machine can be known.

        A host's name is not enough, because containers and copies of a machine may share it.
        """
        if not self.machine or self.machine != _this_machine():
            return False
        return not is_alive(self.pid) or _start_of(self.pid) != self.started

    @property
    def _process(self) -> tuple[str, int, str, str]:
        return self.host, self.pid, self.machine, self.started


@dataclass(frozen=True)
class Sign:
    """The file `name` in a folder, which names an owner. Methods raise `OSError`.

    A sign that is `urgent` gives up on a server that does not answer after seconds, not minutes.
    """

    folder: Folder
    name: str
    urgent: bool = False

    def read(self) -> Owner | None:
        """The owner that it names; None if there is no such file, or if it is damaged."""
        owner, _ = self._read()
        return owner

    def take(self, is_gone: Callable[[Owner], bool]) -> Owner | None:
        """Make this process the owner; returns the present owner if that is another one.

        An owner is replaced if it has died, or if it `is_gone`. Raises `OSError` if the owner keeps
        changing.
        """
        me = Owner.this_process()
        for _ in range(TRIES):
            owner, tag = self._read()
            if owner and owner.is_this_process:
                return None
            if owner and not (owner.has_died or is_gone(owner)):
                return owner
            if self._write(me, tag):
                return None
            time.sleep(random.uniform(0.0, MOST_PAUSE))
        raise OSError(f"'{self._path}' keeps changing its owner")

    def write(self) -> None:
        """Name this process, whatever the file says; for a process that holds a lock."""
        self._write(Owner.this_process(), None)

    def renew(self) -> Owner | None:
        """Give a sign of life, if this process is still the owner; else returns the owner."""
        owner, tag = self._read()
        if owner is None or not owner.is_this_process:
            return owner
        self._write(replace(owner, time=time.time()), tag)
        return None

    def leave(self) -> None:
        """Remove the file if it names this process."""
        self._remove_if(lambda owner: owner.is_this_process)

    def remove_of(self, processes: Collection[tuple[str | None, int | None]]) -> None:
        """Remove the file if it names one of these processes: (host, pid)."""
        self._remove_if(lambda owner: (owner.host, owner.pid) in processes)

    @property
    def _path(self) -> str:
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
            bucket.delete(self._path, tag)
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
    """When a process of this machine started; empty if there is none."""
    with suppress(OSError, IndexError):
        # After the name in brackets, which may hold anything, the start is the 20th field.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""
