"""A file that names the process that owns something, where there are no locks of the kernel.

In an S3 bucket the file is created, and taken over from a process that is gone, by conditional
writes, so that of two processes in the same instant only one succeeds. In other file systems (HDFS,
Google Cloud Storage, Azure, fsspec) a process looks first and then writes: two processes that start
within the time of one request then both count themselves as the owner.
"""

import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from gmm_study.storage.folder import Folder
from gmm_study.storage.locks import is_alive

TRIES = 5
"""How often to try again when the owner changes in between."""


@dataclass(frozen=True)
class Owner:
    """A process, since when it owns something, and the time of its last sign of life (s)."""

    host: str
    pid: int
    since: float
    time: float

    @classmethod
    def this_process(cls) -> "Owner":
        """This process, from now on."""
        now = time.time()
        return cls(socket.gethostname(), os.getpid(), now, now)

    @property
    def is_this_process(self) -> bool:
        """Whether it is the process that asks."""
        return (self.host, self.pid) == (socket.gethostname(), os.getpid())

    @property
    def has_died(self) -> bool:
        """Whether it is known to have ended; only a process of this machine can be known."""
        return self.host == socket.gethostname() and not is_alive(self.pid)


@dataclass(frozen=True)
class Sign:
    """The file `name` in a folder, which names an owner. Methods raise `OSError`."""

    folder: Folder
    name: str

    def read(self) -> Owner | None:
        """The owner that it names; None if there is no such file, or if it is damaged."""
        content = self.folder.read_file(self.name)
        return None if content is None else _owner(content)

    def take(self, is_gone: Callable[[Owner], bool]) -> Owner | None:
        """Make this process the owner; returns the present owner if that is another one.

        An owner is replaced if it has died, or if it `is_gone`.
        """
        me = Owner.this_process()
        for _ in range(TRIES):
            owner, version = self._read()
            if owner and owner.is_this_process:
                return None
            if owner and not (owner.has_died or is_gone(owner)):
                return owner
            if self._write(me, version):
                return None
        return self.read()

    def write(self) -> None:
        """Name this process, whatever the file says; for a process that holds a lock."""
        self._write(Owner.this_process(), None)

    def renew(self) -> None:
        """Give a sign of life, if this process is still the owner."""
        owner, version = self._read()
        if owner and owner.is_this_process:
            self._write(replace(owner, time=time.time()), version)

    def leave(self) -> None:
        """Remove the file if it names this process."""
        self.remove_of(socket.gethostname(), os.getpid())

    def remove_of(self, host: str | None, pid: int | None) -> None:
        """Remove the file if it names this process of a host."""
        owner = self.read()
        if owner and (owner.host, owner.pid) == (host, pid):
            self.folder.delete_file(self.name)

    @property
    def _path(self) -> str:
        return f"{self.folder.path}/{self.name}"

    def _read(self) -> tuple[Owner | None, str | None]:
        """The owner, and the version of the file where there are versions."""
        bucket = self.folder.bucket
        if bucket is None:
            return self.read(), None
        found = bucket.read(self._path)
        return (_owner(found.content), found.tag) if found else (None, None)

    def _write(self, owner: Owner, version: str | None) -> bool:
        content = json.dumps(asdict(owner)).encode()
        bucket = self.folder.bucket
        if bucket is not None:
            return bucket.write(self._path, content, version)
        self.folder.write_file(self.name, content)
        return True


def _owner(content: bytes) -> Owner | None:
    try:
        said: dict[str, Any] = json.loads(content)
        names = ("since", "time")
        return Owner(str(said["host"]), int(said["pid"]), *(float(said[name]) for name in names))
    except (ValueError, LookupError, TypeError):
        return None
