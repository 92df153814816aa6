"""The first contact with a storage: whether it answers, accepts the credentials and has the folder.

It is tried for seconds only, so that a wrong address is reported at once; later requests are more
patient.
"""

import re
from pathlib import Path

import pyarrow.fs

from gmm_study.addresses import redact
from gmm_study.errors import InputError
from gmm_study.storage.bucket import NoBucketError
from gmm_study.storage.file_systems import as_os_errors, first_line, shortened, within
from gmm_study.storage.folder import Folder

GCS_FIRST_SECONDS = 5
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
    try:
        bucket = folder.bucket(urgent=True)
        return _is_listed(folder) if bucket is None else bucket.holds(folder.path)
    except OSError as error:
        raise refusal_of(error, folder, address, "reached") from None


def check_writable(folder: Folder, address: str) -> None:
    """Raise `InputError` if no file can be written into a folder."""
    try:
        folder.try_to_write()
    except OSError as error:
        raise refusal_of(error, folder, address, "written") from None


def refusal_of(
    error: OSError, folder: Folder, address: str, what: str, field: str = "storage"
) -> InputError:
    """Why a folder cannot be reached, read or written, in a line that says what would be right."""
    shown, kind = redact(address), folder.file_system.type_name
    reason = redact(shortened(first_line(error)))
    if isinstance(error, NoBucketError) or "NO_SUCH_BUCKET" in reason:
        bucket = folder.path.partition("/")[0]
        return InputError(
            f"{field}: there is no bucket '{bucket}'; create it, or correct '{shown}'"
        )
    if kind in CREDENTIALS and (isinstance(error, PermissionError) or _DECLINED.search(reason)):
        return InputError(
            f"{field}: '{shown}' needs credentials, or different ones; give "
            f"{CREDENTIALS[kind]} ({reason})"
        )
    advice = ""
    if isinstance(error, ConnectionError):
        advice = "; AWS_ENDPOINT_URL must be the address of the server, unless it is Amazon's"
    elif isinstance(error, BlockingIOError):
        advice = "; try again later"
    return InputError(f"{field}: '{shown}' cannot be {what}: {reason}{advice}")


def _is_listed(folder: Folder) -> bool:
    file_system = within(folder.file_system, GCS_FIRST_SECONDS)
    with as_os_errors():
        found = file_system.get_file_info(folder.path)
    return bool(found.type == pyarrow.fs.FileType.Directory)
