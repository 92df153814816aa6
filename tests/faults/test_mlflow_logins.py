"""A login that a store of MLflow declines is one line, costs no trial, and shows no password."""

import os
import signal
import tempfile
from socket import create_server
from unittest.mock import patch

import pytest
from mlflow.server import get_app_client
from mlflow.tracking import MlflowClient

from tests.cli.planned import train_all
from tests.faults.mlflow_server import Proxy, content, start_server
from tests.faults.postgresql import LOGIN, Postgresql
from tests.faults.watched import (
    RUNS,
    SECRET,
    STUDY,
    command_lines_with_the_secret,
    finish,
    lines_on_mlflow,
    secrets_in,
)
from tests.s3_server import failure
from tests.workbench import Workbench, wait_until

pytestmark = pytest.mark.fault

ADMIN = "admin"
AUTH = """
[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/users.db
admin_username = {user}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 600
"""
LOGIN_VARIABLES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
BY_VARIABLES = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
BY_ADDRESS = "USER:PASSWORD@ before the host in MLFLOW_TRACKING_URI"
FAILED = "password authentication failed for user"
ROOT = "MLFLOW_DEFAULT_ARTIFACT_ROOT"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A trained study."""
    bench = Workbench(tmp_path_factory.mktemp("bench"))
    bench.write_study(STUDY.format(epochs=4))
    train_all(bench.folder)
    return bench


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The port of a server that asks for the password SECRET of the user `admin`."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "auth.ini").write_text(AUTH.format(folder=folder, user=ADMIN, password=SECRET))
    process, port = start_server(
        folder,
        f"sqlite:///{folder}/server.db",
        *("--artifacts-destination", str(folder / "artifacts"), "--app-name", "basic-auth"),
        MLFLOW_AUTH_CONFIG_PATH=str(folder / "auth.ini"),
        MLFLOW_FLASK_SERVER_SECRET_KEY="any",
    )
    yield port
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def proxy(guarded):
    proxy = Proxy(guarded)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def postgresql():
    server = Postgresql(SECRET)
    server.start()
    server.create(LOGIN)
    yield server
    server.remove()


def asked(s3, path):
    """How many requests were about addresses that begin so."""
    return sum(each.startswith(path) for _, each in s3.requests)


def same_trials(bench, name):
    """Another study of the trained trials: nothing to train, all to be told."""
    bench.write_study(STUDY.format(epochs=4), name)


def sync(bench, study, status=0, **environment):
    """`gmm-study sync STUDY`; it adds the claim to its name alone, and shows no secret."""
    same_trials(bench, study)
    before = bench.files()
    bench.environment = environment
    # MLflow keeps a client of S3, with its key, as long as the process lasts.
    start = bench.run if "AWS_ENDPOINT_URL" in environment else bench.call
    with patch.dict(os.environ, environment):
        done = start("sync", study, status=status)
    assert bench.files() <= before | {f"reports/{study}/study.json"}
    assert SECRET not in done.stdout + done.stderr
    return done


def is_declined(bench, study, says, how, **environment):
    """A sync ends with one line, which says what is wrong and how to give what is right."""
    done = sync(bench, study, status=1, **environment)
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith(f"MLflow: {says}")
    assert how in line
    assert len(line) < 200


def with_login(port, user, password):
    return f"http://{user}:{password}@127.0.0.1:{port}"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"MLFLOW_TRACKING_USERNAME": ADMIN, "MLFLOW_TRACKING_PASSWORD": f"{SECRET}-no"},
        {"MLFLOW_TRACKING_URI": f"{ADMIN}:{SECRET}-no@"},
    ],
    ids=["missing", "wrong", "wrong-in-the-address"],
)
def test_a_password_that_a_server_declines_is_one_line_after_one_request(
    bench, proxy, fault, given, request
):
    uri = proxy.uri.replace("://", f"://{given.get('MLFLOW_TRACKING_URI', '')}")
    environment = {**given, "MLFLOW_TRACKING_URI": uri}
    is_declined(
        bench, "no", "its server declined the user or the password", BY_VARIABLES, **environment
    )
    assert len(proxy.asked) == 1
    fault(f"the MLflow server declining a password ({request.node.callspec.id})")


def test_a_server_is_told_the_same_with_the_password_in_either_place(bench, guarded):
    address = with_login(guarded, ADMIN, SECRET)
    login = dict(zip(LOGIN_VARIABLES, (ADMIN, SECRET), strict=True))
    sync(bench, "inside", MLFLOW_TRACKING_URI=address)
    sync(bench, "beside", MLFLOW_TRACKING_URI=f"http://127.0.0.1:{guarded}", **login)
    told = content(address, "inside")
    assert len(told) == RUNS
    assert any("checkpoint" in files for *_, files in told)
    assert content(address, "beside") == told
    assert secrets_in(bench.folder) == []


def test_a_server_that_permits_a_user_to_read_alone(bench, guarded, proxy, fault):
    admin = dict(zip(LOGIN_VARIABLES, (ADMIN, SECRET), strict=True))
    uri = f"http://127.0.0.1:{guarded}"
    with patch.dict(os.environ, admin):
        MlflowClient(uri).create_experiment("foreign")
        get_app_client("basic-auth", uri).create_user("reader", f"{SECRET}-reader")
    reader = dict(zip(LOGIN_VARIABLES, ("reader", f"{SECRET}-reader"), strict=True))
    words = "its server does not permit this to the user (403)"
    is_declined(bench, "foreign", words, BY_VARIABLES, MLFLOW_TRACKING_URI=proxy.uri, **reader)
    assert sum(path.endswith("runs/create") for path in proxy.asked) == 1
    fault("the MLflow server permitting a user to read alone")


@pytest.mark.parametrize(
    ("wrong", "says", "how"),
    [
        (
            {"password": f"{SECRET}-no"},
            f'{FAILED} "{LOGIN}"',
            BY_ADDRESS,
        ),
        ({"user": "nobody"}, f'{FAILED} "nobody"', BY_ADDRESS),
        ({"password": ""}, "no password supplied", BY_ADDRESS),
        ({"database": "none"}, 'database "none" does not exist', "in MLFLOW_TRACKING_URI"),
    ],
    ids=["wrong-password", "wrong-user", "missing-password", "missing-database"],
)
def test_a_login_that_postgresql_declines_is_one_line_after_one_connection(
    bench, postgresql, fault, wrong, says, how, request
):
    before = postgresql.log().count("connection received")
    is_declined(bench, "no", says, how, MLFLOW_TRACKING_URI=postgresql.uri(**wrong))
    wait_until(lambda: postgresql.log().count("connection received") > before)
    assert postgresql.log().count("connection received") == before + 1
    fault(f"PostgreSQL declining a login ({request.node.callspec.id})")


def test_a_database_whose_server_does_not_answer(bench, fault):
    with create_server(("127.0.0.1", 0)) as silent:
        uri = f"postgresql://{LOGIN}:{SECRET}@127.0.0.1:{silent.getsockname()[1]}/{LOGIN}"
        environment = {"MLFLOW_TRACKING_URI": uri, "PGCONNECT_TIMEOUT": "2"}
        done = sync(bench, "silent", status=1, **environment)
    (line,) = done.stdout.splitlines()
    assert line.startswith("MLflow: its server takes too long to answer (MLFLOW_TRACKING_URI=")
    fault("PostgreSQL's server taking a connection and saying nothing")


def test_postgresql_has_what_a_server_has_and_the_password_nowhere(bench, postgresql, guarded):
    with tempfile.TemporaryDirectory() as root:
        uri = postgresql.uri()
        same_trials(bench, "direct")
        bench.environment = {"MLFLOW_TRACKING_URI": uri, ROOT: root}
        ended = bench.run("run", "direct")
        assert not lines_on_mlflow(ended), ended.stdout
        sync(bench, "served", MLFLOW_TRACKING_URI=with_login(guarded, ADMIN, SECRET))
        told = content(uri, "direct")
        assert told == content(with_login(guarded, ADMIN, SECRET), "served")
        assert len(told) == RUNS
        assert os.listdir(root) == ["direct"]
        assert SECRET not in ended.stdout + ended.stderr + postgresql.dump()
        assert secrets_in(root) == secrets_in(bench.folder) == []
    assert not (bench.folder / "mlruns").exists()


def test_a_database_without_a_place_for_artifacts_is_one_line(bench, postgresql, fault):
    postgresql.create("empty")
    uri = postgresql.uri(database="empty")
    is_declined(bench, "placeless", "there is no place", f"{ROOT} must be", MLFLOW_TRACKING_URI=uri)
    first = MlflowClient(uri).get_experiment_by_name("Default")
    assert str(bench.folder) not in first.artifact_location
    fault("a database of MLflow without a place for artifacts")


def test_artifacts_go_to_the_bucket_of_the_database(bench, postgresql, s3):
    postgresql.create("bucket")
    uri = postgresql.uri(database="bucket")
    environment = {**s3.environment, "MLFLOW_TRACKING_URI": uri}
    sync(bench, "first", **environment, **{ROOT: "s3://studies/mlflow"})
    sync(bench, "second", **environment)
    for study in ("first", "second"):
        assert asked(s3, f"/studies/mlflow/{study}/")
        with patch.dict(os.environ, environment):
            told = content(uri, study)
        assert any("checkpoint" in files for *_, files in told)
    assert s3.environment["AWS_SECRET_ACCESS_KEY"] not in postgresql.dump("bucket")


@pytest.mark.parametrize("wrong", ["key", "secret", "bucket"])
def test_a_bucket_that_declines_artifacts_is_one_line_after_one_request(
    bench, s3, fault, tmp_path, wrong
):
    given = {"AWS_ACCESS_KEY_ID": "AKIAWRONG"} if wrong == "key" else {}
    if wrong == "secret":
        given = {"AWS_SECRET_ACCESS_KEY": SECRET}
        s3.answers = lambda request: failure("403 Forbidden", "SignatureDoesNotMatch")
    bucket = "missing" if wrong == "bucket" else "studies"
    says, how = {
        "key": ("InvalidAccessKeyId", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        "secret": ("SignatureDoesNotMatch", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        "bucket": ("NoSuchBucket", "create the bucket"),
    }[wrong]
    environment = {
        **s3.environment,
        **given,
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        ROOT: f"s3://{bucket}/{wrong}",
    }
    is_declined(bench, "no", says, how, **environment)
    assert asked(s3, f"/{bucket}/{wrong}/") == 1
    fault(f"a bucket that declines MLflow's artifacts (wrong {wrong})")


def test_a_study_trains_on_while_a_password_is_declined(bench, postgresql, fault):
    bench.write_study(STUDY.format(epochs=401), "declined")
    before = postgresql.log().count("connection received")
    others = len(bench.results())
    with tempfile.TemporaryDirectory() as temporary:  # a short path, as sockets have to be there
        uri = postgresql.uri(password=f"{SECRET}-no")
        bench.environment = {"MLFLOW_TRACKING_URI": uri, "RAY_TMPDIR": temporary}
        running = bench.start("run", "declined")
        seen, said = set(), ""
        while not said.startswith("MLflow: "):
            said = running.stdout.readline()
            assert said, running.stderr.read()
            seen.update(command_lines_with_the_secret())
        assert len(bench.results()) < others + 2  # it is said while the study trains
        ended = finish(running)
        assert secrets_in(temporary) == secrets_in(bench.folder) == []
    assert f'{FAILED} "{LOGIN}"' in said
    assert "`gmm-study sync` adds" in said
    assert not lines_on_mlflow(ended)
    assert not seen
    assert SECRET not in said + ended.stdout + ended.stderr
    assert len(bench.results()) == others + 2
    assert postgresql.log().count("connection received") == before + 1
    fault("PostgreSQL declining a password while a study trains")


def test_a_database_server_that_crashes_in_the_middle_and_comes_back(bench, postgresql, fault):
    bench.write_study(STUDY.format(epochs=402), "crash")
    with tempfile.TemporaryDirectory() as root:
        uri = postgresql.uri()
        bench.environment = {"MLFLOW_TRACKING_URI": uri, ROOT: root}
        others = len(bench.statuses())
        running = bench.start("run", "crash")
        wait_until(lambda: len(bench.statuses()) > others)
        running.send_signal(signal.SIGSTOP)  # so that it cannot end before the server is back
        wait_until(lambda: content(uri, "crash"))
        postgresql.stop(signal.SIGQUIT)
        postgresql.start()
        running.send_signal(signal.SIGCONT)
        ended = finish(running)
        assert not lines_on_mlflow(ended), ended.stdout
        told = content(uri, "crash")
        assert len(told) == RUNS
        bench.environment = {"MLFLOW_TRACKING_URI": uri, ROOT: root}
        bench.run("sync", "crash")
        assert content(uri, "crash") == told
    fault("PostgreSQL crashing in the middle, and coming back")
