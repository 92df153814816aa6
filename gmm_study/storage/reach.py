"""The first contact with a storage: whether it answers, accepts the credentials and has the folder.

It is tried for seconds only, so that a wrong address is reported at once; later requests are more
patient.
"""

import re
from pathlib import Path

import pyarrow.fs

from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.storage.bucket import Bucket, NoBucketError
from gmm_study.storage.file_systems import as_os_errors, first_line, with_retries
from gmm_study.storage.folder import Folder

S3_ATTEMPTS, S3_SECONDS = 3, 4
"""How often S3 is tried, and how long each time."""
GCS_SECONDS = 5
"""Seconds in which Google Cloud Storage is tried; in fact it takes about twice as long."""
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials",
    "gcs": "GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`",
    "abfs": "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or run `az login`",
}
"""How to give credentials, by the type of the file system."""
_DECLINED = re.compile(r"credential|access token|denied|forbidden|permission", re.IGNORECASE)


def is_there(folder: Folder, address: str) -> bool:
    """Whether a folder exists, whose address is shown in errors.

    Raises `InputError` if the storage does not answer, if it does not accept the credentials, and
    if it has no such bucket.
    """
    if folder.is_local:
        return Path(folder.path).is_dir()
    shown, kind = redact(address), folder.file_system.type_name
    try:
        return _is_in_bucket(folder) if kind == "s3" else _is_listed(folder)
    except NoBucketError:
        bucket = folder.path.partition("/")[0]
        raise InputError(
            f"storage: there is no bucket '{bucket}'; create it, or correct '{shown}'"
        ) from None
    except OSError as error:
        reason = redact(first_line(error)).partition(" error_info=")[0]
        if kind in CREDENTIALS and (isinstance(error, PermissionError) or _DECLINED.search(reason)):
            raise InputError(
                f"storage: '{shown}' needs credentials, or different ones; give "
                f"{CREDENTIALS[kind]} ({reason})"
            ) from None
        raise InputError(f"storage: '{shown}' cannot be reached: {reason}") from None


def _is_in_bucket(folder: Folder) -> bool:
    return Bucket.of(folder.file_system, S3_ATTEMPTS, S3_SECONDS).holds(folder.path)


def _is_listed(folder: Folder) -> bool:
    file_system = with_retries(folder.file_system, seconds=GCS_SECONDS)
    with as_os_errors():
        found = file_system.get_file_info(folder.path)
    return bool(found.type == pyarrow.fs.FileType.Directory)
