"""A package that a store of MLflow needs, and that is not installed, is named with its extra."""

import os
import sys
from unittest.mock import patch

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import OperationalError

from analysis import load_from_mlflow
from gmm_study.errors import InputError
from gmm_study.tracking.refusals import refusal_of
from tests.cli.planned import train_all
from tests.workbench import Workbench

pytestmark = pytest.mark.process

STUDY = """
question: Is a package missing?
datasets: [data.npz]
methods: [gmm]
replicates: 1
fixed: {max_epochs: 1, batch_size: 50, layers: [6]}
evaluation: {samples: 20}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = Workbench(tmp_path_factory.mktemp("bench"))
    bench.write_study(STUDY)
    train_all(bench.folder)
    return bench


@pytest.mark.parametrize(
    ("package", "extra", "environment"),
    [
        ("psycopg", "postgres", {"MLFLOW_TRACKING_URI": "postgresql+psycopg://127.0.0.1:1/none"}),
        ("psycopg2", "postgres", {"MLFLOW_TRACKING_URI": "postgresql+psycopg2://127.0.0.1:1/none"}),
        ("boto3", "s3", {"MLFLOW_DEFAULT_ARTIFACT_ROOT": "s3://bucket/mlflow"}),
        ("google.cloud.storage", "gcs", {"MLFLOW_DEFAULT_ARTIFACT_ROOT": "gs://bucket/mlflow"}),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_installs_it(
    bench, tmp_path, monkeypatch, package, extra, environment
):
    monkeypatch.setitem(sys.modules, package, None)
    database = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    with patch.dict(os.environ, database | environment):
        done = bench.call("sync", "tiny", status=1)
    (line,) = (done.stdout + done.stderr).splitlines()
    name = package.partition(".")[0]
    assert line.startswith(f"MLflow: the package {name} is not installed; ")
    assert f"pip install 'gmm-study[{extra}]'" in line


@pytest.mark.parametrize(
    ("uri", "says"),
    {
        "htp://me:TOPSECRET@x": "begins with 'htp'; did you mean 'http'?",
        "postgres://me:TOPSECRET@h/x": "begins with 'postgres'; did you mean 'postgresql'?",
        "s3://bucket/x": "begins with 's3'; known: ",
        "localhost:5000": "has no scheme; give http://localhost:5000",
        "127.0.0.1:5000": "has no scheme; give http://127.0.0.1:5000",
        "http:/127.0.0.1:5000": "names no host; it must be like http://HOST:5000",
        "http://127.0.0.1:99999": "cannot be read; it must be like http://HOST:5000",
        "http://[::1": "cannot be read; it must be like http://HOST:5000",
        "http://me:TOPSECRET/x@host:5000": "cannot be read; it must be like http://HOST:5000",
        "http//me:TOPSECRET@host:5000": "is a folder, into which MLflow writes no more; give",
        "/no/folder": "is a folder, into which MLflow writes no more; give the address of a "
        "database, sqlite:////no/folder/mlflow.db, or of a server, http://HOST:5000",
        "file:///no/folder": "is a folder, into which MLflow writes no more; give",
        "sqlite://mlflow.db": "it must be like sqlite:///mlflow.db",
        "sqlite:////no/folder/mlflow.db": "needs the folder '/no/folder', which is missing",
        "sqlite:mlflow.db": "it must be like sqlite:///mlflow.db",
        "http:/me:TOPSECRET@host:5000": "names no host; it must be like http://HOST:5000",
        "me:TOPSECRET@host:5000": "begins with 'me'; known: ",
        "mysql:me:TOPSECRET@h": "it must be like mysql://USER:PASSWORD@HOST/DATABASE",
    }.items(),
)
def test_an_address_that_is_none_of_mlflow_is_refused_at_once_in_one_line(
    bench, monkeypatch, uri, says
):
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    done = bench.call("sync", "tiny", status=1)
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("MLflow: MLFLOW_TRACKING_URI: '")
    assert says in line
    assert uri in line or "TOPSECRET" in uri
    assert "TOPSECRET" not in line


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "sqlite:////proc/mlflow.db"])
def test_a_store_that_fails_is_named_with_its_variable(bench, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    done = bench.call("sync", "tiny", status=1)
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.endswith(f" (MLFLOW_TRACKING_URI={uri})")


def test_artifacts_of_a_sqlite_database_lie_beside_it_or_where_a_setting_says(bench, tmp_path):
    files = bench.files()
    for name, root in {"beside": "", "set": str(tmp_path / "elsewhere")}.items():
        folder = tmp_path / name
        folder.mkdir()
        uri = f"sqlite:///{folder}/mlflow.db"
        settings = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_DEFAULT_ARTIFACT_ROOT": root}
        with patch.dict(os.environ, settings):
            bench.call("sync", "tiny")
        found = MlflowClient(uri).get_experiment_by_name("tiny").artifact_location
        place = tmp_path / "elsewhere" if root else folder / "mlartifacts"
        assert found == (place / "tiny").as_uri()
        assert [*(place / "tiny").rglob("config.json")]
    assert bench.files() <= files | {"reports/tiny/study.json"}


def test_a_notebook_is_told_in_a_line_why_a_store_cannot_be_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError) as told:
        load_from_mlflow("tiny", "postgresql+psycopg://me:TOPSECRET@127.0.0.1:1/none")
    assert "the package psycopg is not installed" in str(told.value)
    assert "TOPSECRET" not in str(told.value)


def import_error(statement):
    with pytest.raises(ImportError) as raised:
        exec(statement, {})
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        import_error("from mlflow.tracking import no_such_name"),
        ImportError("this build lacks something"),
        OSError("AccessDenied"),
        RuntimeError("the log says: (AccessDenied), (NoSuchBucket)"),
    ],
)
def test_an_error_of_something_else_is_no_refusal(error):
    assert refusal_of(error) is None


def test_a_package_that_is_missing_in_a_namespace_is_named(tmp_path, monkeypatch):
    (tmp_path / "google").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "google"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    words = refusal_of(import_error("from google import cloud"))
    assert words.startswith("the package google is not installed")


@pytest.mark.parametrize(
    ("text", "says", "how"),
    [
        (
            "(1045, \"Access denied for user 'me'@'10.0.0.7' (using password: YES)\")",
            "Access denied for user 'me'@'10.0.0.7'; ",
            "USER:PASSWORD@ before the host",
        ),
        (
            "(1044, \"Access denied for user 'me'@'%' to database 'mlflow'\")",
            "Access denied for user 'me'@'%' to database 'mlflow'; ",
            "administrator",
        ),
        ("(1049, \"Unknown database 'mlflow'\")", "Unknown database 'mlflow'; ", "create it"),
    ],
)
def test_what_mysql_declines_is_said_with_what_would_be_right(text, says, how):
    words = refusal_of(OperationalError("connect", {}, Exception(text)))
    assert words.startswith(says)
    assert how in words
    assert "PGUSER" not in words


def test_an_action_that_a_bucket_does_not_permit_is_said_with_who_can_permit_it():
    refused = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
    assert refusal_of(refused).startswith("AccessDenied; the owner of the bucket")
    failed = S3UploadFailedError(f"Failed to upload a to b: {refused}")
    assert refusal_of(failed) == refusal_of(refused)


def test_a_notebook_waits_for_a_server_only_briefly(monkeypatch):
    waits = []

    def open_store(uri):
        waits.append(os.environ.get("PGCONNECT_TIMEOUT"))
        raise InputError("no")

    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
    monkeypatch.setattr("gmm_study.tracking.reading.open_store", open_store)
    with pytest.raises(InputError):
        load_from_mlflow("tiny", "postgresql+psycopg://me@127.0.0.1:1/none")
    assert waits == ["20"]
