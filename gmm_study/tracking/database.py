"""Where the runs go, and the sqlite database that they go to by default."""

import logging
import os
import sqlite3
import tempfile
from contextlib import closing
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


@cache
def _new_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "mlflow.db"
        MlflowClient(tracking_uri=f"{SQLITE}{made}").search_experiments(max_results=1)
        return made.read_bytes()


def is_missing(uri: str) -> bool:
    """Whether it is the address of a sqlite database that is not there."""
    return uri.startswith(SQLITE) and "?" not in uri and not Path(uri.removeprefix(SQLITE)).exists()


def lock_of(uri: str, study: str, folder: str) -> FileLock:
    """What those hold, one after another, who make runs of a study."""
    digest = sha256(f"{uri} {study}".encode()).hexdigest()[:16]
    path = Path(folder) / f"gmm-study-{os.getuid()}-{digest}.lock"
    return FileLock(path, timeout=LOCKED_FOR)
