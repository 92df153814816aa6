"""MLflow follows the records while a study runs; what goes wrong there costs no trial."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from gmm_study.orchestration import sync_process
from gmm_study.orchestration.sync_process import SyncProcess
from gmm_study.orchestration.views import update_views
from gmm_study.study import load_study, make_plan
from gmm_study.trials.record_store import RecordStore
from tests.cli.planned import finish, open_runs, train_all
from tests.workbench import Workbench, wait_until

pytestmark = pytest.mark.process

SHUTDOWN = """
import threading, ray
from tempfile import TemporaryDirectory
from gmm_study.trials.record_store import RecordStore
from gmm_study.orchestration.cluster import ray_at
from gmm_study.study.sections import Resources

class Knot:
    def __init__(self, content=None):
        self.itself, self.content = self, content

def make_garbage():
    while not ended.is_set():
        for number in range(100):
            Knot(references.pop() if references and number % 10 == 0 else None)
        ended.wait(0.001)

ended = threading.Event()
with TemporaryDirectory() as folder, ray_at(None, Resources(), RecordStore(folder)):
    references = [ray.put(number) for number in range(10_000)]
    thread = threading.Thread(target=make_garbage)
    thread.start()
ended.set()
thread.join()
print("went on")
"""
DRIVER = """
import sys
from gmm_study.orchestration.sync_process import SyncProcess
from gmm_study.trials.record_store import RecordStore

with SyncProcess(["tiny"], "results") as syncing, RecordStore("results").the_only_driver("tiny"):
    syncing.start()
    sys.stdin.read()
"""
RUNS = ["FINISHED"] * 3
"""Of one trial of two replicates."""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A folder with a study of one trial, in which this process is, and an MLflow database."""
    bench = Workbench(tmp_path)
    text = (tmp_path / "studies" / "tiny.yaml").read_text()
    bench.write_study(text.replace("[gmm, vae]", "[gmm]").replace("[[6], [6, 3]]", "[[6]]"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # so that this process looks there, too
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "temporary").mkdir()
    return bench


@contextmanager
def running():
    """This process runs the study; gives a list that has what went wrong with MLflow at the end."""
    problems = []
    with SyncProcess(["tiny"], "results") as syncing:
        with RecordStore("results").the_only_driver("tiny"):
            syncing.start()
            yield problems
        problems.append(syncing.close())


def statuses():
    """MLflow's word on each run."""
    if not Path("mlflow.db").exists():  # MLflow would make it
        return []
    client = MlflowClient()
    experiment = client.get_experiment_by_name("tiny")
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    return [run.info.status for run in runs]


def child_of(pid):
    """The process that copies for a driver."""
    listed, found = Path(f"/proc/{pid}/task/{pid}/children"), []

    def is_there():
        pids = listed.read_text().split()
        found[:] = [one for one in pids if b"--follow" in Path(f"/proc/{one}/cmdline").read_bytes()]
        return found

    wait_until(is_there)
    return int(found[0])


def alive(pid):
    """Whether the process is there and more than an entry that nobody has collected."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def left_behind():
    """What is in the folder for temporary files, but locks."""
    return [path for path in Path("temporary").iterdir() if path.suffix != ".lock"]


def test_records_are_copied_while_the_study_runs(bench):
    (run,) = open_runs(bench.folder)
    run.advance()
    with running() as problems:
        wait_until(lambda: statuses() == ["RUNNING"] * 3)
        finish(run)
        wait_until(lambda: statuses() == RUNS)
    assert problems == [None]
    assert left_behind() == []


def test_a_request_that_fails_half_way_leaves_no_figure_twice(bench, monkeypatch):
    train_all(bench.folder)
    set_terminated, failures = MlflowClient.set_terminated, []

    def failing_once(self, *arguments):
        if not failures:
            failures.append(arguments)
            raise ConnectionError("gone")
        set_terminated(self, *arguments)

    monkeypatch.setattr(MlflowClient, "set_terminated", failing_once)
    store = RecordStore("results")
    (trial_id,) = store.trial_ids()
    config = store.record(trial_id).config()
    plan = make_plan(load_study("tiny"), {config.dataset: config.dataset_sha256})
    assert update_views(lambda: plan, store) is None
    assert failures
    assert statuses() == RUNS
    client = MlflowClient()
    runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    for run in (run for run in runs if "replicate" in run.data.tags):
        history = client.get_metric_history(run.info.run_id, "valid/bound")
        assert [point.step for point in history] == [1, 2, 3, 4]


@pytest.mark.parametrize("seconds", [5.0, 0.0], ids=["interrupted", "killed"])
@pytest.mark.parametrize("creating", [False, True], ids=["at its start", "at its new database"])
def test_a_process_of_a_run_that_is_refused_ends_at_once_and_leaves_nothing(
    bench, monkeypatch, seconds, creating
):
    monkeypatch.setattr(sync_process, "STOPPING_WAIT", seconds)
    before = bench.files()
    driving = RecordStore("results").the_only_driver("tiny")
    with SyncProcess(["tiny"], "results") as syncing, driving:  # left without `close`
        syncing.start()
        child = child_of(os.getpid())
        if creating:
            wait_until(lambda: any(Path("temporary").glob(f"gmm-study-new-{child}-*/mlflow.db")))
    assert not alive(child)
    assert bench.files() == before


def test_a_process_that_is_killed_costs_nothing_and_is_reported(bench):
    with running() as problems:
        child = child_of(os.getpid())
        os.kill(child, signal.SIGKILL)
    assert problems == ["MLflow: the sync process was killed by signal 9"]


def test_sigterm_to_all_processes_of_a_run_is_the_drivers_to_handle(bench):
    with running() as problems:
        child = child_of(os.getpid())
        os.kill(child, signal.SIGTERM)
        train_all(bench.folder)
    assert problems == [None]
    assert statuses() == RUNS


def test_what_mlflow_cannot_do_is_reported(bench, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://somewhere")
    train_all(bench.folder)
    with running() as problems:
        pass
    assert problems[0].startswith("MLflow: ")
    assert "nonsense" in problems[0]


def test_a_trial_whose_curves_cannot_be_read_is_named_and_costs_nothing_else(bench):
    train_all(bench.folder)
    (curves,) = bench.folder.glob("results/*/metrics.parquet")
    whole = curves.read_bytes()
    curves.write_bytes(b"not a table")
    for _ in range(2):  # with an experiment that is there as well
        output = bench.run("sync", "tiny", status=1)
        assert output.stdout.startswith("MLflow: ")
        assert f"{curves.parent.name}/metrics.parquet cannot be read: " in output.stdout
        assert statuses() == []
    curves.write_bytes(whole)
    bench.run("sync", "tiny")
    assert statuses() == RUNS


def test_the_process_ends_and_leaves_nothing_when_its_driver_is_killed_and_another_starts(bench):
    train_all(bench.folder)
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], stdin=subprocess.PIPE)
    wait_until(lambda: statuses() == RUNS)
    child = child_of(driver.pid)
    assert alive(child)
    driver.kill()
    driver.communicate()
    with RecordStore("results").the_only_driver("tiny"):
        wait_until(lambda: not alive(child))
    assert left_behind() == []
    assert statuses() == RUNS


def test_who_follows_a_run_by_hand_is_no_driver_and_ends_with_the_run(bench):
    with RecordStore("results").the_only_driver("tiny"):
        bench.environment = {"MLFLOW_TRACKING_URI": os.environ["MLFLOW_TRACKING_URI"]}
        follower = bench.start("sync", "--follow", "studies/tiny.yaml")
        train_all(bench.folder)
        wait_until(lambda: statuses() == RUNS)
        assert follower.poll() is None
    out, err = follower.communicate(timeout=120)
    assert follower.returncode == 0, err
    assert "MLflow is up to date; tiny: 1 trial of 2 replicates: 1 complete" in out


def test_garbage_of_ray_in_another_thread_does_not_end_the_driver_as_ray_shuts_down():
    command = [sys.executable, "-c", SHUTDOWN]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "went on" in ended.stdout, ended.stderr
