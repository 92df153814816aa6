"""Whether `MLFLOW_TRACKING_URI` is an address at which MLflow can have a store."""

import os
import re
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gmm_study.addresses import HIDDEN, redact
from gmm_study.errors import did_you_mean
from gmm_study.tracking.refusals import RefusedError

SERVERS = ("http", "https")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
OTHERS = ("databricks", "databricks-uc", "uc")
FILES_ALLOWED = "MLFLOW_ALLOW_FILE_STORE"
"""MLflow's setting without which it refuses to write into a folder."""
PLUGINS = "mlflow.tracking_store"
"""The entry points of packages that add schemes to MLflow."""
_SERVER, _SQLITE = "http://HOST:5000", "sqlite:///mlflow.db"


def checked(uri: str) -> str:
    """The address itself. Raises `RefusedError` with what would be right if it cannot be one."""
    if problem := _problem(uri):
        raise RefusedError(f"MLFLOW_TRACKING_URI: '{_shown(uri)}' {problem}")
    return uri


def _shown(uri: str) -> str:
    """The address without its password, also where slashes are missing before it."""
    _, has_user, host = uri.rpartition("@")
    return f"{HIDDEN}@{host}" if has_user and "://" not in uri else redact(uri)


def _problem(uri: str) -> str:
    """What is wrong with an address; empty if nothing is."""
    scheme, has_scheme, _ = uri.partition(":")
    if re.fullmatch(r"[\w.-]+:\d+(/.*)?", uri):
        return f"has no scheme; give http://{uri}"
    if uri in OTHERS or (has_scheme and scheme in OTHERS):
        return ""
    if not re.match(r"[A-Za-z][\w.+-]+:", uri) or scheme == "file":
        return "" if os.environ.get(FILES_ALLOWED) else _of_a_folder(uri)
    kind = scheme.partition("+")[0]
    if kind in SERVERS:
        return _of_a_server(uri)
    if kind in DATABASES:
        return _of_a_database(uri, kind)
    added = [entry.name for entry in entry_points(group=PLUGINS)]
    known = [*SERVERS, *DATABASES, *OTHERS]
    return "" if kind in added else f"begins with '{scheme}'; {did_you_mean(kind, known)}"


def _of_a_folder(uri: str) -> str:
    folder = uri.removeprefix("file:").removeprefix("//").rstrip("/")
    database = _SQLITE if "@" in uri else f"sqlite:///{folder}/mlflow.db"
    return (
        "is a folder, into which MLflow writes no more; give the address of a database, "
        f"{database}, or of a server, {_SERVER}"
    )


def _of_a_server(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        named = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # which may quote a part of a password
        return f"cannot be read; it must be like {_SERVER}"
    return "" if named else f"names no host; it must be like {_SERVER}"


def _of_a_database(uri: str, kind: str) -> str:
    example = _SQLITE if kind == "sqlite" else f"{kind}://USER:PASSWORD@HOST/DATABASE"
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        return f"cannot be read as an address of a database; it must be like {example}"
    if kind != "sqlite":
        return ""
    if not url.database or url.host:
        return f"names no file; it must be like {_SQLITE}, with three slashes"
    folder = Path(url.database).parent
    is_there = folder.is_dir() or url.database.startswith("file:")
    return (
        "" if is_there else f"needs the folder '{folder}', which is missing; make it, or correct it"
    )
