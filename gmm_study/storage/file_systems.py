"""The file system of a storage address: this machine's, or a bucket with bounded retries.

A request to S3 is tried up to `S3_ATTEMPTS` times, with growing pauses, so that a server that is
throttling (503) or restarting does not fail a trial. Google Cloud Storage would otherwise be tried
for a quarter of an hour.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.fs

from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.paths import expanded

S3_ATTEMPTS = 11
"""How often a request to S3 is tried; the pauses between them add up to about a minute."""
CONNECT_SECONDS, ANSWER_SECONDS = 5, 20
"""Seconds to wait at each attempt for a connection, and for an answer."""
GCS_SECONDS = 60
"""Seconds in which a request to Google Cloud Storage is tried, unless the address says it."""
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""How an address begins, also one that has lost a slash."""
MOST_CHARACTERS = 250
"""The most characters of a reason that are shown."""
AZURE = ("abfs:", "abfss:")
WITHOUT_AZ = ("AZURE_TOKEN_CREDENTIALS", "prod")
"""A setting of Azure's library that keeps it from calling `az`, whose absence a shell would print.

See `DefaultAzureCredential` of azure-identity: without the tools of developers.
"""
OBJECT_STORES = ("s3", "gcs", "abfs")
"""The types of file systems that need no folder for a file."""


def open_address(storage: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system and the path of an address. Raises `InputError` if it cannot be a folder."""
    shown = redact(storage)
    if ADDRESS.match(storage) and "://" not in storage:
        raise InputError(f"storage: '{shown}' must have two slashes, as in s3://BUCKET/results")
    if storage.startswith(AZURE) and not which("az"):
        os.environ.setdefault(*WITHOUT_AZ)
    address = _with_region(_quoted(storage))
    try:
        file_system, path = pyarrow.fs.FileSystem.from_uri(address)
    except ImportError as error:
        raise InputError(f"storage: '{shown}' needs another package: {error}") from None
    except OSError as error:
        reason = redact(shortened(first_line(error)))
        if storage.startswith("s3:"):
            reason += "; for a server that is not Amazon's, set AWS_ENDPOINT_URL"
        raise InputError(f"storage: '{shown}' cannot be reached: {reason}") from None
    except (pa.ArrowException, ValueError) as error:
        reason = redact(first_line(error))
        raise InputError(f"storage: '{shown}' is not a folder or an address: {reason}") from None
    if isinstance(file_system, pyarrow.fs.LocalFileSystem):
        _refuse_other_than_folder(Path(path), shown)
    if not path.strip("/"):
        wanted = (
            "it names no bucket and no folder; give one, such as results or s3://BUCKET/results"
        )
        raise InputError(f"storage: '{shown}' is not a folder or an address: {wanted}")
    return _with_bounded_retries(file_system), path.rstrip("/")


def _refuse_other_than_folder(path: Path, shown: str) -> None:
    """Raise `InputError` for a path of this machine that is a file or cannot be one of a folder."""
    try:
        is_file = path.is_file()
    except OSError as error:
        raise InputError(f"storage: '{shown}' cannot be reached: {error.strerror}") from None
    if is_file:
        raise InputError(f"storage: '{shown}' is a file; give a folder")


def _quoted(storage: str) -> str:
    """The URI of a storage in which spaces, `#` and letters beyond ASCII are percent-encoded."""
    escaped = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", address_of(storage))
    return quote(escaped, safe="%:/?&=@+,;!$'()*[]")


def _with_region(address: str) -> str:
    """The address with the region of the environment, which pyarrow would else ask Amazon for."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region or not address.startswith("s3://") or "region=" in address:
        return address
    return f"{address}{'&' if '?' in address else '?'}region={region}"


def address_of(storage: str) -> str:
    """A URI with the same meaning in every process, whatever its current folder."""
    return storage if "://" in storage else expanded(storage, "storage:").resolve().as_uri()


def options_of(file_system: pyarrow.fs.FileSystem) -> dict[str, Any]:
    """The arguments with which a file system was made, as pickle keeps them."""
    _, (options,) = file_system.__reduce__()
    return dict(options)


def within(file_system: pyarrow.fs.FileSystem, seconds: int) -> pyarrow.fs.FileSystem:
    """The same file system; Google's gives up a request after so many seconds."""
    if file_system.type_name != "gcs":
        return file_system
    limit = {"retry_time_limit": timedelta(seconds=seconds)}
    return pyarrow.fs.GcsFileSystem(**options_of(file_system) | limit)


def _with_bounded_retries(file_system: pyarrow.fs.FileSystem) -> pyarrow.fs.FileSystem:
    if file_system.type_name == "s3":
        # Not the standard strategy, whose budget of retries a server that throttles for minutes
        # exhausts, so that a later request then fails at once.
        strategy = pyarrow.fs.AwsDefaultS3RetryStrategy(max_attempts=S3_ATTEMPTS)
        # A small file is then written by one request in place of three.
        better = {
            "retry_strategy": strategy,
            "connect_timeout": CONNECT_SECONDS,
            "request_timeout": ANSWER_SECONDS,
            "allow_delayed_open": True,
        }
        return pyarrow.fs.S3FileSystem(**options_of(file_system) | better)
    if file_system.type_name == "gcs" and not options_of(file_system)["retry_time_limit"]:
        return within(file_system, GCS_SECONDS)
    return file_system


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Raise errors of a file system that are not `OSError`, such as Azure's, as `OSError`."""
    try:
        yield
    except pa.ArrowException as error:
        raise OSError(first_line(error)) from None


def shortened(reason: str) -> str:
    """A reason without the query of an address and what a library adds for its own developers."""
    plain = re.sub(r"\?[\w-]+=[^\s\"']*", "", reason.partition(" error_info=")[0])
    return plain if len(plain) <= MOST_CHARACTERS else f"{plain[:MOST_CHARACTERS]}…"


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
