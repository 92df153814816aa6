"""Reading many files of a storage at a time, because a bucket takes long to answer."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

READERS = 16
"""The most files that are read at a time."""

Name = TypeVar("Name")
Content = TypeVar("Content")


def read_ahead(read: Callable[[Name], Content], names: Iterable[Name]) -> Generator[Content]:
    """What `read` returns for each name, in order, while the next few are being read.

    It raises the first exception of `read`.
    """
    rest = iter(names)
    with ThreadPoolExecutor(READERS) as readers:
        reading = deque(readers.submit(read, name) for name in islice(rest, READERS))
        try:
            while reading:
                yield reading.popleft().result()
                reading.extend(readers.submit(read, name) for name in islice(rest, 1))
        finally:
            readers.shutdown(cancel_futures=True)


def read_together(read: Callable[[Name], Content], names: Iterable[Name]) -> list[Content]:
    """What `read` returns for each name, in order. It raises the first exception of `read`."""
    return list(read_ahead(read, names))
