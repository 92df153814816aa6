"""Whatever MLflow does: no trial is lost, the study ends well, and a sync makes MLflow complete."""

import os
import signal
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from mlflow.tracking import MlflowClient

from tests.cli.planned import train_all
from tests.faults.mlflow_server import Proxy, content, start_server
from tests.faults.watched import (
    RUNS,
    SECRET,
    STUDY,
    command_lines_with_the_secret,
    finish,
    lines_on_mlflow,
    secrets_in,
)
from tests.workbench import Workbench, wait_until

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def empty(folder):
    """A database without a study; MLflow takes seconds to make one."""
    MlflowClient(f"sqlite:///{folder}/empty.db").search_experiments()
    return folder / "empty.db"


@pytest.fixture(scope="module")
def server(folder, empty):
    (folder / "server.db").write_bytes(empty.read_bytes())
    process, port = start_server(folder, f"sqlite:///{folder}/server.db")
    yield port
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def proxy(server):
    proxy = Proxy(server)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def bench(folder, server):
    """A trained study, and the server that was told of it as `tiny` without any trouble."""
    bench = Workbench(folder)
    bench.write_study(STUDY.format(epochs=4))
    train_all(folder)
    assert len(sync(bench, "tiny", server)) == RUNS
    return bench


def undisturbed(server, study="tiny"):
    return content(f"http://127.0.0.1:{server}", study)


def long_study(bench, name):
    """A study that trains long enough for things to happen meanwhile, and trials of its own."""
    number = len(name)  # so that no two of these studies share a trial
    bench.write_study(STUDY.format(epochs=400 + number), name)


def same_trials(bench, name):
    """Another study of the trained trials: nothing to train, all to be told."""
    bench.write_study(STUDY.format(epochs=4), name)


def says_so_shortly(ended, cause):
    (line,) = lines_on_mlflow(ended)
    assert line.startswith(f"MLflow: {cause}")
    assert "`gmm-study sync` adds" in line
    assert len(line) < 200
    assert "Traceback" not in ended.stderr


def sync(bench, study, server):
    with patch.dict(os.environ, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{server}"):
        bench.call("sync", study)
    return undisturbed(server, study)


def is_completed_by_a_sync(bench, study, server):
    """A sync, with a server that is well, gives what an untroubled sync of the records gives."""
    told = sync(bench, study, server)
    assert len(told) == RUNS
    for *_, histories, _ in told:
        for history in histories.values():
            assert len({step for step, _ in history}) == len(history) > 0
    text = (bench.folder / "studies" / f"{study}.yaml").read_text()
    if text == STUDY.format(epochs=4):
        assert told == undisturbed(server)
    else:
        bench.write_study(text, f"{study}-again")
        assert told == sync(bench, f"{study}-again", server)


def use(bench, proxy):
    bench.environment = {
        "MLFLOW_TRACKING_URI": proxy.uri,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    }


def test_a_server_that_is_down_from_the_start(bench, proxy, server, fault):
    use(bench, proxy)
    same_trials(bench, "down")
    ended = bench.run("run", "down")
    says_so_shortly(ended, "its server cannot be reached")
    proxy.start()
    is_completed_by_a_sync(bench, "down", server)
    fault("the MLflow server down when a study starts, and until it ends", 1)


def test_a_server_that_goes_down_in_the_middle_and_comes_back(bench, proxy, server, fault):
    use(bench, proxy)
    long_study(bench, "middle")
    proxy.start()
    others = len(bench.results())
    running = bench.start("run", "middle")
    wait_until(lambda: any(path.endswith("runs/log-batch") for path in proxy.asked))
    proxy.stop()
    wait_until(lambda: len(bench.results()) > others)
    proxy.start()
    ended = finish(running)
    assert not lines_on_mlflow(ended), ended.stdout
    assert len(undisturbed(server, "middle")) == RUNS
    is_completed_by_a_sync(bench, "middle", server)
    fault("the MLflow server going down in the middle, coming back before the end", 1)


def test_a_server_that_goes_down_in_the_middle_and_stays_so(bench, proxy, server, fault):
    use(bench, proxy)
    long_study(bench, "gone")
    proxy.start()
    running = bench.start("run", "gone")
    wait_until(lambda: any(path.endswith("runs/log-batch") for path in proxy.asked))
    proxy.stop()
    says_so_shortly(finish(running), "its server cannot be reached")
    is_completed_by_a_sync(bench, "gone", server)
    fault("the MLflow server going down in the middle, coming back after the end", 1)


def test_a_server_that_takes_long_for_every_answer(bench, proxy, server, fault, times):
    use(bench, proxy)
    same_trials(bench, "slow")
    proxy.delay = times(2, 1)
    proxy.start()
    ended = bench.run("run", "slow")
    for line in lines_on_mlflow(ended):
        assert line.startswith("MLflow: it made no progress in the 60 s that a run waits for it;")
    is_completed_by_a_sync(bench, "slow", server)
    fault(f"the MLflow server taking {proxy.delay} s for each answer", 1)


@pytest.mark.parametrize(
    "which",
    [
        "all",
        *(
            pytest.param(f"runs/{path}", marks=pytest.mark.slow)
            for path in ("create", "log-batch", "update")
        ),
    ],
)
def test_answers_that_are_cut_off_on_the_way(bench, proxy, server, fault, which):
    use(bench, proxy)
    study = f"cut-{which.replace('/', '-')}"
    same_trials(bench, study)
    cut = []

    def cuts(path, number):
        hit = number % 3 == 0 if which == "all" else path.endswith(which) and number % 2 == 0
        cut.extend([path] if hit else [])
        return hit

    proxy.cuts = cuts
    proxy.start()
    ended = bench.run("run", study)
    if lines_on_mlflow(ended):  # unless one more look has added the rest
        says_so_shortly(ended, "its server did not complete a response")
    assert cut
    is_completed_by_a_sync(bench, study, server)
    fault(f"answers of the MLflow server cut off on their way ({which})", len(cut))


def test_several_that_tell_mlflow_of_the_same_trials_at_a_time(bench, server, fault, times):
    bench.environment = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{server}"}
    count = times(4, 1)
    for number in range(count):
        study = f"together{number}"
        same_trials(bench, study)
        commands = (
            ["run", study],
            ["sync", study],
            ["sync", study, "--set", "layers=[6]"],
            ["run", study, "--set", "replicates=1"],
        )
        for process in [bench.start(*words) for words in commands]:
            out, err = process.communicate(timeout=600)
            assert "Traceback" not in out + err
            lines = lines_on_mlflow(SimpleNamespace(stdout=out))  # of a machine that is too busy
            assert all("longer" in line or "for a long time" in line for line in lines), lines
        assert len(undisturbed(server, study)) <= RUNS
        is_completed_by_a_sync(bench, study, server)
    fault("two runs and two syncs telling MLflow of the same trials at a time", count)


def of_its_own(bench, empty, study):
    """A database of this study's, without a server."""
    database = bench.folder / f"{study}.db"
    database.write_bytes(empty.read_bytes())
    bench.environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{database}"}
    same_trials(bench, study)
    return database


def locked(database):
    """The database, kept by this process alone."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return closing(connection)


def is_complete(bench, database, study, server):
    told = content(f"sqlite:///{database}", study)
    assert told == undisturbed(server)


def test_a_database_that_another_process_locks_for_long(bench, empty, server, fault):
    database = of_its_own(bench, empty, "locked")
    with locked(database):
        ended = bench.run("run", "locked")
    says_so_shortly(ended, "another process keeps its database locked")
    bench.run("sync", "locked")
    is_complete(bench, database, "locked", server)
    fault("MLflow's sqlite database locked by another process as long as a study runs", 1)


def test_a_database_that_another_process_locks_for_a_while(bench, empty, server, fault):
    database = of_its_own(bench, empty, "while")
    with locked(database):
        running = bench.start("run", "while")
        wait_until(lambda: (bench.folder / "reports" / "while" / "table.md").exists())
    assert not lines_on_mlflow(finish(running))
    is_complete(bench, database, "while", server)
    fault("MLflow's sqlite database locked by another process for a while", 1)


def syncing_of(pid):
    """The process beside a driver that copies to MLflow."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for child in children.read_text().split():
        if b"--follow" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    return None


def test_a_process_that_copies_killed_in_the_middle(bench, proxy, server, fault):
    use(bench, proxy)
    proxy.start()
    long_study(bench, "killed")
    running = bench.start("run", "killed")
    wait_until(lambda: any(path.endswith("runs/log-batch") for path in proxy.asked))
    os.kill(syncing_of(running.pid), signal.SIGKILL)
    says_so_shortly(finish(running), "the sync process was killed by signal 9")
    is_completed_by_a_sync(bench, "killed", server)
    fault("the process that copies to MLflow killed with SIGKILL in the middle", 1)


def test_secrets_in_addresses_are_neither_printed_nor_written(bench, proxy, server, fault):
    long_study(bench, "secrets")
    with tempfile.TemporaryDirectory() as temporary:  # a short path, as sockets have to be there
        bench.environment = {
            "MLFLOW_TRACKING_URI": proxy.uri.replace("://", f"://user:{SECRET}@"),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
            "RAY_TMPDIR": temporary,
        }
        storage = f"file://{bench.folder}/elsewhere?secret_key={SECRET}"
        running = bench.start("run", "secrets", "--storage", storage)
        seen = set()

        def is_over():
            seen.update(command_lines_with_the_secret())
            return running.poll() is not None

        wait_until(is_over, 600)
        ended = finish(running)
        proxy.start()
        synced = bench.run("sync", "secrets", "--storage", storage)
        assert len(undisturbed(server, "secrets")) == RUNS
        assert len(seen) == 1  # what the user typed
        says_so_shortly(ended, "its server cannot be reached")
        for said in (ended, synced):
            assert SECRET not in said.stdout + said.stderr
        assert (bench.folder / "elsewhere").is_dir()
        assert "secret_key=***" in (bench.folder / "reports" / "secrets" / "table.md").read_text()
        assert secrets_in(bench.folder) == []
        assert secrets_in(temporary) == []
    fault("a password in each address, looked for in all that is printed and written", 1)
