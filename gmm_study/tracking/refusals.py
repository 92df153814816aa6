"""Errors of MLflow's stores that another attempt would not change, in words for the user.

They are a password that was declined, a database or a permission that does not exist, and a package
that is not installed.
"""

import re

from gmm_study.errors import InputError

_OF_SERVER = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
STATUS = {
    401: f"its server declined the user or the password (401); give them as {_OF_SERVER}",
    403: "its server does not permit this to the user (403); its administrator can permit it, or "
    f"give another user as {_OF_SERVER}",
}
"""By the status of an HTTP response."""
_OF_DATABASE = (
    "give the user and the password as USER:PASSWORD@ before the host in MLFLOW_TRACKING_URI, or "
    "as PGUSER and PGPASSWORD"
)
_ANOTHER = "create it, or name another one in MLFLOW_TRACKING_URI"
_BY_ADMINISTRATOR = "the administrator of the database can permit it"
_KEY = "give the key to the artifacts as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
TEXTS = {
    r'password authentication failed for user "[^"]*"': _OF_DATABASE,
    r"no password supplied": _OF_DATABASE,
    r'(?:role|database) "[^"]*" does not exist': _ANOTHER,
    r"no pg_hba.conf entry for [^\n]*": _BY_ADMINISTRATOR,
    r"permission denied for (?:schema|table|sequence|database) \S+": _BY_ADMINISTRATOR,
    r"Unable to locate credentials": _KEY,
    r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|AccessDenied": _KEY,
    r"NoSuchBucket": "create the bucket of the artifacts",
    r"mlflow-artifacts URI was supplied": "a server keeps the artifacts of this experiment; "
    "give its http address as MLFLOW_TRACKING_URI",
}
"""By a text of the error, which is shown before them."""
PACKAGES = {
    "psycopg": "pip install 'gmm-study[postgres]'",
    "psycopg2": "pip install 'gmm-study[postgres]', and begin MLFLOW_TRACKING_URI with "
    "postgresql+psycopg:",
    "boto3": "pip install 'gmm-study[s3]'",
    "google": "pip install 'gmm-study[gcs]'",
}
"""By the package that is not installed."""


class RefusedError(InputError):
    """MLflow's store cannot be used as it is set up, and another attempt would not help."""


def refusal_of(error: Exception) -> str | None:
    """The words for an error that another attempt would not change; None for any other error."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, ImportError):
        package = (error.name or str(error)).partition(".")[0]
        missing = f"the package {package} is not installed"
        return f"{missing}; {PACKAGES[package]}" if package in PACKAGES else missing
    if (status := _status(error)) in STATUS:
        return STATUS[status]
    for sign, words in TEXTS.items():
        if found := re.search(sign, str(error)):
            return f"{found[0]}; {words}"
    return None


def _status(error: Exception) -> int | None:
    """The status of the HTTP response that an error is about."""
    if ask := getattr(error, "get_http_status_code", None):  # of MLflow's client
        return int(ask())
    return getattr(getattr(error, "response", None), "status_code", None)  # of `requests`
