"""By what a program sees that a file has changed, without reading it."""

from typing import NamedTuple


class Stamp(NamedTuple):
    """When a file was written, in ns since 1970, its size in bytes, and its version in a bucket."""

    mtime_ns: int | None
    size: int | None
    tag: str | None = None
    """The ETag of S3; other file systems have none."""
