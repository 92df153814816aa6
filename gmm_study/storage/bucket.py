"""Objects of an S3 bucket, through boto3, for what pyarrow cannot do there.

These are reads by a single request (pyarrow asks for the size first), lists with the version of
every object, and writes under a condition, so that one of many writers wins. A server that does not
know conditions (some older ones of MinIO and Ceph) writes without them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import pyarrow.fs

from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.storage.file_systems import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    first_line,
    options_of,
    shortened,
)
from gmm_study.storage.stamp import Stamp
from gmm_study.storage.together import READERS

LOST = ("PreconditionFailed", "ConditionalRequestConflict", "OperationAborted", "412", "409")
"""Codes of the error that another process has written the object first."""
MISSING = ("NoSuchKey", "404")
UNKNOWN = ("NotImplemented", "501")
"""Codes of the error that the server does not know conditions."""
URGENT, PATIENT = (3, 4), (8, ANSWER_SECONDS)
"""Attempts at a request that is urgent or not, and seconds to wait for an answer at each.

The pauses between eight attempts add up to about a minute.
"""
BREAKS = 4
"""How often an answer may break off before its end, which boto3 does not try again itself."""
NO_BUCKET = ("NoSuchBucket", "InvalidBucketName")
BUSY = ("SlowDown", "ServiceUnavailable", "InternalError", "503", "500")
"""Codes of the error that the server cannot answer now."""
DECLINED = (
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "403",
)
"""Codes of the error that the server does not accept the credentials."""


class NoBucketError(OSError):
    """The server has no bucket of this name."""


class Content(NamedTuple):
    """The content of an object, and the tag of this version of it."""

    content: bytes
    tag: str


class Page(NamedTuple):
    """A part of a list: the stamp of each object by its path, and whether more follow."""

    stamps: dict[str, Stamp]
    has_more: bool


class Bucket:
    """The S3 server of a pyarrow file system. Methods raise `OSError` if it fails."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    def of(cls, file_system: pyarrow.fs.S3FileSystem, urgent: bool = False) -> "Bucket":
        """The server of a file system. Raises `InputError` if boto3 is not installed.

        With `urgent`, a server that does not answer is given up after seconds, not minutes.
        """
        attempts, seconds = URGENT if urgent else PATIENT
        options = options_of(file_system)
        names = ("access_key", "secret_key", "session_token", "region", "scheme")
        given = [options[name] or None for name in (*names, "endpoint_override")]
        surroundings = tuple(item for item in os.environ.items() if item[0].startswith("AWS_"))
        return cls(_client(surroundings, attempts, seconds, *given))

    def holds(self, path: str) -> bool:
        """Whether there is an object below `BUCKET/KEY`."""
        bucket, _, key = path.partition("/")
        with _as_os_errors():
            found = self._client.list_objects_v2(
                Bucket=bucket, Prefix=f"{key}/" if key else "", MaxKeys=1
            )
        return bool(found.get("KeyCount"))

    @property
    def address(self) -> str:
        """The address of the server."""
        return str(self._client.meta.endpoint_url)

    def page(self, prefix: str, after: str) -> Page:
        """The first objects, up to a thousand, after a path that begin with a prefix.

        Both are paths, `BUCKET/...`, of the same bucket. Raises `OSError` if the server does not
        list objects in the order of their names, as S3's directory buckets do not.
        """
        bucket, _, key = prefix.partition("/")
        where = {"Bucket": bucket, "Prefix": key}
        with _as_os_errors():
            found = self._client.list_objects_v2(**where, StartAfter=after.partition("/")[2])
            while not found.get("Contents") and found["IsTruncated"]:
                token = found["NextContinuationToken"]
                found = self._client.list_objects_v2(**where, ContinuationToken=token)
        stamps = {
            f"{bucket}/{each['Key']}": Stamp(
                int(each["LastModified"].timestamp() * 1e9), each["Size"], each["ETag"]
            )
            for each in found.get("Contents", ())
        }
        if any(one >= next_one for one, next_one in pairwise([after, *stamps])):
            raise OSError("the server does not list objects in the order of their names")
        return Page(stamps, found["IsTruncated"])

    def read(self, path: str) -> Content | None:
        """An object at `BUCKET/KEY`; None if there is none."""
        try:
            with _as_os_errors():
                return self._read(path)
        except FileNotFoundError:
            return None

    def _read(self, path: str) -> Content:
        from botocore import exceptions

        broken_off = (
            exceptions.IncompleteReadError,
            exceptions.ReadTimeoutError,
            exceptions.ResponseStreamingError,
        )
        for _ in range(BREAKS):
            found = self._client.get_object(**_place(path))
            with suppress(*broken_off):
                return Content(found["Body"].read(), found["ETag"])
        found = self._client.get_object(**_place(path))
        return Content(found["Body"].read(), found["ETag"])

    def write(self, path: str, content: bytes, replaces: str | None = None) -> str | None:
        """Write an object that must not exist yet, or whose version must still be `replaces`.

        Returns the tag of the new version; None if another process was quicker.
        """
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
        try:
            return self._put(path, content, condition)
        except (FileExistsError, FileNotFoundError):
            # A first attempt may have succeeded although its answer was lost.
            found = self.read(path)
            return found.tag if found and found.content == content else None
        except NotImplementedError:
            return self._put(path, content, {})

    def delete(self, path: str, version: str) -> None:
        """Remove an object, if this is still its version."""
        try:
            with suppress(FileExistsError, FileNotFoundError), _as_os_errors():
                self._client.delete_object(**_place(path), IfMatch=version)
        except NotImplementedError:
            with _as_os_errors():
                self._client.delete_object(**_place(path))

    def _put(self, path: str, content: bytes, condition: dict[str, str]) -> str:
        with _as_os_errors():
            written = self._client.put_object(**_place(path), Body=content, **condition)
        return str(written["ETag"])


def _place(path: str) -> dict[str, str]:
    bucket, _, key = path.partition("/")
    return {"Bucket": bucket, "Key": key}


@cache
def _client(
    surroundings: tuple[tuple[str, str], ...],
    attempts: int,
    seconds: int,
    access_key: str | None,
    secret_key: str | None,
    session_token: str | None,
    region: str | None,
    scheme: str,
    endpoint: str | None,
) -> Any:
    """A boto3 client; with None, boto3 looks where pyarrow does: environment, files, machine.

    `surroundings` are the variables of the environment that it reads.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise InputError(
            "storage: a bucket of S3 needs another package: pip install 'gmm-study[s3]'"
        ) from None
    if endpoint and "://" not in endpoint:
        endpoint = f"{scheme}://{endpoint}"
    return boto3.session.Session().client(
        "s3",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=session_token,
        region_name=region,
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=seconds,
            max_pool_connections=READERS,
            # The standard mode has a budget of retries, which a long trouble exhausts.
            retries={"mode": "legacy", "total_max_attempts": attempts},
        ),
    )


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Raise errors of boto3 as `OSError`, and those that a condition can have as kinds of it."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        if code in LOST:
            raise FileExistsError(code) from None
        if code in MISSING:
            raise FileNotFoundError(code) from None
        if code in UNKNOWN:
            raise NotImplementedError(code) from None
        message = redact(first_line(error))
        kinds = ((NO_BUCKET, NoBucketError), (DECLINED, PermissionError), (BUSY, BlockingIOError))
        kind = next((kind for codes, kind in kinds if code in codes), OSError)
        raise kind(message) from None
    except NoCredentialsError as error:
        raise PermissionError(str(error)) from None
    except BotoCoreError as error:
        raise ConnectionError(redact(shortened(str(error)))) from None
