"""MLflow's store, opened with one attempt, and where it keeps the artifacts of a new experiment."""

import os
from pathlib import Path

from mlflow.tracking import MlflowClient
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from gmm_study.tracking.database import DEFAULT_ARTIFACTS, SQLITE, environment
from gmm_study.tracking.mlflow_internals import ARTIFACT_ROOT
from gmm_study.tracking.refusals import RefusedError

ROOT = "MLFLOW_DEFAULT_ARTIFACT_ROOT"
"""The setting of the folder or address below which artifacts go, as for `mlflow server`."""
SERVED = "mlflow-artifacts:/"
"""The address of artifacts that only an MLflow server can read and write."""
DATABASES = ("postgresql", "mysql", "mssql")
FIRST_EXPERIMENT, ITS_FOLDER = "Default", "/0"
"""The experiment that every database has, and how the address of its artifacts ends."""


def open_store(uri: str) -> MlflowClient:
    """A client of a store. A database server is asked once; its error says why it cannot be used.

    MLflow itself would try ten times, for a hundred seconds, and print each error.
    """
    if not _is_database_server(uri):
        return MlflowClient(tracking_uri=uri)
    create_engine(uri, poolclass=NullPool).connect().close()
    # An empty database becomes one that `mlflow server` could have made.
    with environment({ARTIFACT_ROOT: os.environ.get(ROOT) or SERVED}):
        return MlflowClient(tracking_uri=uri)


def artifact_location(client: MlflowClient, uri: str, study: str) -> str | None:
    """Where the artifacts of a study's new experiment go; None if the server at `uri` decides.

    For a database they go below `MLFLOW_DEFAULT_ARTIFACT_ROOT`. Without it, they go beside a sqlite
    database; for a database server, below the bucket in which the first experiment of the database
    has its artifacts. Raises `RefusedError` if there is no such bucket.
    """
    if not (_is_database_server(uri) or uri.startswith(SQLITE)):
        return None
    root = os.environ.get(ROOT)
    if not root and uri.startswith(SQLITE):
        root = str(Path(uri.removeprefix(SQLITE).partition("?")[0]).parent / DEFAULT_ARTIFACTS)
    root = root or _bucket_of(client)
    if root is None:
        raise RefusedError(
            f"there is no place for the artifacts of '{study}'; {ROOT} must be a folder or an "
            "address such as s3://BUCKET/mlflow"
        )
    place = root if "://" in root else Path(root).resolve().as_uri()
    return f"{place.rstrip('/')}/{study}"


def _bucket_of(client: MlflowClient) -> str | None:
    """Where the server that made the database keeps artifacts, if that is a bucket.

    A folder may be one of another machine.
    """
    first = client.get_experiment_by_name(FIRST_EXPERIMENT)
    place = str(first.artifact_location) if first else ""
    is_bucket = "://" in place and not place.startswith(("file:", SERVED))
    return place.removesuffix(ITS_FOLDER) if is_bucket else None


def _is_database_server(uri: str) -> bool:
    return uri.partition("://")[0].partition("+")[0] in DATABASES
