"""Reading many files of a storage at a time, because a bucket takes long to answer."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

READERS = 16
"""The most files that are read at a time."""

Name = TypeVar("Name")
Content = TypeVar("Content")


def read_together(read: Callable[[Name], Content], names: Iterable[Name]) -> list[Content]:
    """What `read` returns for each name, in order. It raises the first exception of `read`."""
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(read, names))
