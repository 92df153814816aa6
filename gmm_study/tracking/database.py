"""Where the runs go, and the sqlite database that they go to by default."""

import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

from filelock import FileLock
from mlflow.tracking import MlflowClient

from gmm_study.trials.record import Record

SQLITE = "sqlite:///"
DEFAULT_URI = f"{SQLITE}mlflow.db"
DEFAULT_ARTIFACTS = "mlartifacts"
LOCKED_FOR = 20.0
"""Seconds to wait for another process that has the database or makes runs of the same study."""
SHORT_WAITS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Settings of MLflow: a server is not waited for long, as what is missing can be added later, and
is not asked for links to print."""

for chatty in ("alembic", "mlflow.store.db.utils"):
    logging.getLogger(chatty).setLevel(logging.WARNING)


def tracking_uri() -> str:
    """Where the runs go: `MLFLOW_TRACKING_URI`, or a database in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def prepare() -> None:
    """Do ahead what takes seconds when the first runs are opened, and leave no trace yet."""
    if is_missing(tracking_uri()):
        _new_database()


def make_database(uri: str) -> None:
    """Make a new sqlite database whole or not at all: MLflow cannot go on with half of one."""
    if is_missing(uri):
        path = Path(uri.removeprefix(SQLITE)).absolute()
        Record.at(str(path.parent)).write_file(path.name, _new_database())


def await_database(uri: str) -> None:
    """Raise `OperationalError` if another process keeps the database to itself.

    MLflow would try for minutes.
    """
    if uri.startswith(SQLITE) and "?" not in uri:
        path = uri.removeprefix(SQLITE)
        with closing(sqlite3.connect(path, LOCKED_FOR, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Have some environment variables set for a while."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


def short_waits() -> AbstractContextManager[None]:
    """Have MLflow wait shortly for a server, unless the user says otherwise."""
    return environment({name: os.environ.get(name, value) for name, value in SHORT_WAITS.items()})


@cache
def _new_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "mlflow.db"
        MlflowClient(tracking_uri=f"{SQLITE}{made}").search_experiments(max_results=1)
        return made.read_bytes()


def is_missing(uri: str) -> bool:
    """Whether it is the address of a sqlite database that is not there."""
    return uri.startswith(SQLITE) and "?" not in uri and not Path(uri.removeprefix(SQLITE)).exists()


def lock_of(uri: str, study: str) -> FileLock:
    """What those hold, one after another, who make runs of a study."""
    digest = sha256(f"{uri} {study}".encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"gmm-study-{os.getuid()}-{digest}.lock"
    return FileLock(path, timeout=LOCKED_FOR)
