"""What some folders of a bucket hold at one moment, read from the user's cache where it can be.

A list says the version of every object. The content of a version never changes, so what was read
before is not fetched again. Every listing asks the bucket anew, so nothing that is read is older
than the listing.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property

from gmm_study.storage.bucket import Bucket
from gmm_study.storage.cache import this_users_cache
from gmm_study.storage.stamp import Stamp
from gmm_study.storage.together import read_together


class Listing:
    """The objects in the folders `names` inside the folder at the path `BUCKET/KEY`.

    Methods raise `OSError` if the bucket fails.
    """

    def __init__(self, bucket: Bucket, path: str, names: Iterable[str]) -> None:
        self._bucket = bucket
        self._path = path
        self._cache = this_users_cache()
        self._stamps = _list(bucket, sorted(f"{path}/{name}/" for name in names))

    @cached_property
    def folders(self) -> set[str]:
        """The names of the folders that hold an object."""
        start = len(self._path) + 1
        return {path[start:].partition("/")[0] for path in self._stamps}

    def stamp(self, path: str) -> Stamp | None:
        """The stamp of an object, None if there is none."""
        return self._stamps.get(path)

    def read(self, path: str) -> bytes | None:
        """The content of an object, as listed or newer; None if there is none."""
        stamp = self._stamps.get(path)
        if stamp is None or stamp.tag is None:
            return None
        address = f"{self._bucket.address}/{path}"
        content = self._cache.get(address, stamp.tag)
        if content is not None:
            return content
        found = self._bucket.read(path)
        if found is None:
            return None
        self._cache.put(address, found.tag, found.content)
        return found.content


def _list(bucket: Bucket, places: Sequence[str]) -> dict[str, Stamp]:
    """The objects in some places of a bucket, which are sorted and end with a slash.

    The first page tells how many places fit into a page; the others are listed by as many at a
    time. So there are about as many requests as there are pages of all objects, and never many more
    than places, however many other objects are in between.
    """
    if not places:
        return {}
    stamps, done = _page(bucket, places, places[0])
    at_a_time = max(1, done)
    parts = [places[at : at + at_a_time] for at in range(done, len(places), at_a_time)]
    for found in read_together(lambda part: _all_pages(bucket, part), parts):
        stamps |= found
    return stamps


def _all_pages(bucket: Bucket, places: Sequence[str]) -> dict[str, Stamp]:
    stamps: dict[str, Stamp] = {}
    after = places[0]
    while places:
        found, done = _page(bucket, places, after)
        stamps |= found
        places = places[done:]
        after = max([after, *places[:1], *found])
    return stamps


def _page(bucket: Bucket, places: Sequence[str], after: str) -> tuple[dict[str, Stamp], int]:
    """The first objects after a path, and how many of the places they complete."""
    folder = places[0][:-1].rpartition("/")[0]
    page = bucket.page(places[0] if len(places) == 1 else f"{folder}/", after)
    if not page.has_more:
        return page.stamps, len(places)
    last = max(page.stamps)
    begun = bisect_right(places, last)
    is_within = begun > 0 and last.startswith(places[begun - 1])
    return page.stamps, begun - is_within
