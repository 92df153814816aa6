"""What was read of buckets, in the user's cache folder: one file per object, with its version.

A file begins with a line of the version's tag and a checksum of the content; a file that does not
fit them counts as missing. The name is a digest of the object's address, so it has no credentials.
Only this user can read the files. A cache that cannot be written keeps nothing, which is no error.

Once the cache is full, those that nobody has used for a day are removed; what then still has no
room is not kept.
"""

import os
import tempfile
import time
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock

from gmm_study.cache_folder import cache_folder

LIMIT = 1 << 30
"""The most bytes of all files."""
LARGEST = 1 << 20
"""The most bytes of an object that is kept."""
UNUSED_SECONDS = 24 * 3600.0
"""After so many seconds without use, a file may have to make room."""


class Cache:
    """The versions of objects that are kept in a folder. No method raises an `OSError`.

    Their files take `limit` bytes at most, or more if several processes write at the same time.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._room: int | None = None
        self._has_cleared = False
        self._counting = Lock()

    def get(self, address: str, tag: str) -> bytes | None:
        """The content of this version of an object; None if it is not kept, or damaged."""
        path = self._path(address)
        with suppress(OSError):
            head, _, content = path.read_bytes().partition(b"\n")
            if head == _head(tag, content):
                with suppress(OSError):
                    os.utime(path)
                return content
        return None

    def put(self, address: str, tag: str, content: bytes) -> None:
        """Keep a version of an object in place of an earlier one, if there is room."""
        path, before = self._path(address), 0
        with suppress(OSError):
            before = path.stat().st_size
        with suppress(OSError):
            if len(content) <= LARGEST and self._has_room(len(content) - before):
                _replace(path, _head(tag, content) + b"\n" + content)

    def _path(self, address: str) -> Path:
        digest = sha256(address.encode()).hexdigest()
        return self._folder / digest[:2] / digest[2:]

    def _has_room(self, size: int) -> bool:
        with self._counting:
            if self._room is None:
                self._room = self._limit - self._size()
            if self._room < size and not self._has_cleared:
                self._remove_unused()
                self._room, self._has_cleared = self._limit - self._size(), True
            if self._room < size:
                return False
            self._room -= size
            return True

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        return [(path, path.stat()) for path in self._folder.glob("??/*")]

    def _size(self) -> int:
        return sum(found.st_size for _, found in self._files())

    def _remove_unused(self) -> None:
        for path, found in self._files():
            if found.st_mtime < time.time() - UNUSED_SECONDS:
                path.unlink(missing_ok=True)


def this_users_cache() -> Cache:
    """The cache of buckets of this user, one for all of the process."""
    return _cache_in(cache_folder() / "buckets")


@cache
def _cache_in(folder: Path) -> Cache:
    return Cache(folder)


def _head(tag: str, content: bytes) -> bytes:
    return f"{tag} {sha256(content).hexdigest()}".encode()


def _replace(path: Path, content: bytes) -> None:
    """Write a file in one piece; its content need not survive a crash of the machine."""
    path.parent.parent.mkdir(0o700, parents=True, exist_ok=True)
    path.parent.mkdir(0o700, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)
