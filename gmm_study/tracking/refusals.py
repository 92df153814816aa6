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
_LOGIN = "give the user and the password as USER:PASSWORD@ before the host in MLFLOW_TRACKING_URI"
_OF_POSTGRESQL = f"{_LOGIN}, or as PGUSER and PGPASSWORD"
_ANOTHER = "create it, or name another one in MLFLOW_TRACKING_URI"
_BY_ADMINISTRATOR = "the administrator of the database can permit it"
_OF_BUCKET = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_KEY = f"give the key to the artifacts as {_OF_BUCKET}"
_DECLINED = r"(?<=\()(?:InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken)(?=\))"
TEXTS = {
    r'password authentication failed for user "[^"]*"': _OF_POSTGRESQL,
    r"no password supplied": _OF_POSTGRESQL,
    r'(?:role|database) "[^"]*" does not exist': _ANOTHER,
    r"no pg_hba.conf entry for [^\n]*": _BY_ADMINISTRATOR,
    r"permission denied for (?:schema|table|sequence|database) \S+": _BY_ADMINISTRATOR,
    r"Access denied for user '[^']*'@'[^']*' to database '[^']*'": _BY_ADMINISTRATOR,
    r"Access denied for user '[^']*'@'[^']*'": _LOGIN,  # MySQL's error 1045
    r"Unknown database '[^']*'": _ANOTHER,
    r"Unable to locate credentials": _KEY,
    _DECLINED: _KEY,
    r"(?<=\()AccessDenied(?=\))": "the owner of the bucket of the artifacts can permit it, or give "
    f"another key as {_OF_BUCKET}",
    r"(?<=\()NoSuchBucket(?=\))": "create the bucket of the artifacts",
    r"mlflow-artifacts URI was supplied": "a server keeps the artifacts of this experiment; "
    "give its http address as MLFLOW_TRACKING_URI",
}
"""By a text of the error, which is shown before them."""
LIBRARIES = ("boto3", "botocore", "mlflow", "sqlalchemy")
"""Those whose errors have these texts; in any other error they may be about something else."""
PACKAGES = {
    "psycopg": "pip install 'gmm-study[postgres]'",
    "psycopg2": "pip install 'gmm-study[postgres]', and begin MLFLOW_TRACKING_URI with "
    "postgresql+psycopg:",
    "boto3": "pip install 'gmm-study[s3]'",
    "google": "pip install 'gmm-study[gcs]'",
    "MySQLdb": "pip install pymysql, and begin MLFLOW_TRACKING_URI with mysql+pymysql:",
    "pymysql": "pip install pymysql",
}
"""By the package that is not installed."""


class RefusedError(InputError):
    """MLflow's store cannot be used as it is set up, and another attempt would not help."""


def refusal_of(error: Exception) -> str | None:
    """The words for an error that another attempt would not change; None for any other error."""
    if isinstance(error, RefusedError):
        return str(error)
    if package := _missing_package(error):
        missing = f"the package {package} is not installed"
        return f"{missing}; {PACKAGES[package]}" if package in PACKAGES else missing
    if (status := _status(error)) in STATUS:
        return STATUS[status]
    texts = TEXTS if type(error).__module__.partition(".")[0] in LIBRARIES else {}
    for sign, words in texts.items():
        if found := re.search(sign, str(error)):
            return f"{found[0]}; {words}"
    return None


def _missing_package(error: Exception) -> str | None:
    """The package that an import lacks; None if its error is another one.

    A package inside a namespace, such as google.cloud, has no file, and its name is not found.
    """
    if not isinstance(error, ImportError) or not error.name:
        return None
    if not isinstance(error, ModuleNotFoundError) and error.path is not None:
        return None
    package = error.name.partition(".")[0]
    return package if package in PACKAGES else error.name


def _status(error: Exception) -> int | None:
    """The status of the HTTP response that an error is about."""
    if ask := getattr(error, "get_http_status_code", None):  # of MLflow's client
        return int(ask())
    return getattr(getattr(error, "response", None), "status_code", None)  # of `requests`
