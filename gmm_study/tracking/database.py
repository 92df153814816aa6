"""MLflow's address and waiting times, and the sqlite database that is used by default."""

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

from gmm_study.tracking.address import checked
from gmm_study.trials.record import Record

SQLITE = "sqlite:///"
DEFAULT_DATABASE = "mlflow.db"
DEFAULT_ARTIFACTS = "mlartifacts"
LOCKED_FOR = 20.0
"""Seconds to wait for another process that has locked the database or is creating runs of the
study."""
SHORT_WAITS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "PGCONNECT_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Settings of MLflow and PostgreSQL for how long a request waits for a server. They are short,
because what is missing can be added later. The last one keeps MLflow from printing links."""

for chatty in ("alembic", "mlflow.store.db.utils"):
    logging.getLogger(chatty).setLevel(logging.WARNING)


def tracking_uri() -> str:
    """The address of MLflow: `MLFLOW_TRACKING_URI`, or a database in the current folder.

    The path is absolute, because MLflow keeps one connection per address, and a notebook may change
    its folder. Raises `RefusedError` if the variable cannot be an address of MLflow's.
    """
    here = f"{SQLITE}{Path(DEFAULT_DATABASE).absolute()}"
    given = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    return checked(given) if given else here


def prepare() -> None:
    """Do in advance, without writing anything, what takes seconds when runs are first created."""
    if is_missing(tracking_uri()):
        _new_database()


def make_database(uri: str) -> None:
    """Create a sqlite database, completely or not at all: MLflow cannot use a partial one."""
    if is_missing(uri):
        path = Path(uri.removeprefix(SQLITE)).absolute()
        Record.at(str(path.parent)).write_file(path.name, _new_database())


def await_database(uri: str) -> None:
    """Raise `OperationalError` if another process keeps the database locked.

    MLflow itself would retry for minutes.
    """
    if uri.startswith(SQLITE) and "?" not in uri:
        path = uri.removeprefix(SQLITE)
        with closing(sqlite3.connect(path, LOCKED_FOR, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set some environment variables inside the context."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


def short_waits() -> AbstractContextManager[None]:
    """Make MLflow wait only briefly for a server, unless the user has set its waiting times."""
    return environment({name: os.environ.get(name, value) for name, value in SHORT_WAITS.items()})


@cache
def _new_database() -> bytes:
    # The name lets `orchestration/sync_process.py` remove it if it has to kill this process.
    with tempfile.TemporaryDirectory(prefix=f"gmm-study-new-{os.getpid()}-") as folder:
        made = Path(folder) / "mlflow.db"
        MlflowClient(tracking_uri=f"{SQLITE}{made}").search_experiments(max_results=1)
        return made.read_bytes()


def is_missing(uri: str) -> bool:
    """Whether this is the address of a sqlite database that does not exist."""
    return uri.startswith(SQLITE) and "?" not in uri and not Path(uri.removeprefix(SQLITE)).exists()


def lock_of(uri: str, study: str) -> FileLock:
    """The lock under which the processes of this machine create runs of a study, one at a time."""
    digest = sha256(f"{uri} {study}".encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"gmm-study-{os.getuid()}-{digest}.lock"
    return FileLock(path, timeout=LOCKED_FOR)
