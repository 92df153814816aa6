"""MLflow's mirror while a study runs: what goes wrong there costs neither a trial nor a figure."""

import json
import os
import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue

import pytest
from mlflow.tracking import MlflowClient

from gmm_study.orchestration.mirror import CLOSE, FLUSH, Copier, Mirror, assignment
from gmm_study.study import Plan, PlannedTrial, Study
from gmm_study.tracking.runs import StudyRuns
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import RecordStore
from gmm_study.trials.run import TrialRun
from tests.training.small import a_dataset, some_hyperparameters
from tests.workbench import wait_until

pytestmark = pytest.mark.process

SHUTDOWN = """
import threading, ray
from gmm_study.orchestration.cluster import ray_at
from gmm_study.study.schema import Resources

class Knot:
    def __init__(self, content=None):
        self.itself, self.content = self, content

def make_garbage():
    while not ended.is_set():
        for number in range(100):
            Knot(references.pop() if references and number % 10 == 0 else None)
        ended.wait(0.001)

ended = threading.Event()
with ray_at(None, Resources(), None):
    references = [ray.put(number) for number in range(10_000)]
    thread = threading.Thread(target=make_garbage)
    thread.start()
ended.set()
thread.join()
print("went on")
"""


DRIVER = """
import sys
from types import SimpleNamespace
from gmm_study.orchestration import mirror
mirror.assignment = lambda plan, store, command: mirror.json.loads(sys.stdin.readline())
child = mirror.Mirror(SimpleNamespace(x=None), None)
print(child._process.pid, flush=True)
for line in sys.stdin:
    child.tell(line.strip())
"""


def alive(pid):
    """Whether the process is there and more than an entry that nobody has collected."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.fixture
def trial(tmp_path, monkeypatch):
    """A complete trial of two replicates: its plan, its store and an MLflow database."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    dataset = a_dataset()
    hyperparameters = some_hyperparameters(max_epochs=3, evaluation_samples=2)
    config = TrialConfig(hyperparameters, dataset.name, dataset.sha256)
    store = RecordStore(str(tmp_path / "results"))
    run = TrialRun(config, dataset, range(2), store.record(config.trial_id))
    while not run.finished:
        run.advance()
    study = Study(name="a study", question="why?", datasets=["d"], methods=["gmm"], replicates=2)
    places = (PlannedTrial(config, {}),)
    return Plan(study, places, places), store


def database():
    return Path(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///"))


def all_runs():
    if not database().exists():  # asked for now, MLflow would make it
        return []
    client = MlflowClient()
    experiment = client.get_experiment_by_name("a study")
    return client.search_runs([experiment.experiment_id]) if experiment else []


def test_a_request_that_fails_half_way_leaves_no_figure_twice(trial, monkeypatch):
    plan, store = trial
    set_status, failures = StudyRuns._set_status, []

    def failing_once(self, *arguments):
        if not failures:
            failures.append(arguments)
            raise ConnectionError("gone")
        set_status(self, *arguments)

    monkeypatch.setattr(StudyRuns, "_set_status", failing_once)
    news = SimpleQueue()
    copier = Copier(assignment(plan, store), news)
    for line in (plan.trials[0].config.trial_id, FLUSH, CLOSE):
        news.put(line)
    copier.run()
    assert failures
    assert copier.problem is None
    runs = all_runs()
    assert [run.info.status for run in runs] == ["FINISHED"] * 3
    client = MlflowClient()
    for run in (run for run in runs if "replicate" in run.data.tags):
        history = client.get_metric_history(run.info.run_id, "valid/bound")
        assert [point.step for point in history] == [1, 2, 3]


def test_news_is_copied_while_the_study_runs(trial):
    plan, store = trial
    with Mirror(plan, store) as mirror:
        mirror.tell(plan.trials[0].config.trial_id)
        mirror.flush()
        wait_until(lambda: [run.info.status for run in all_runs()] == ["FINISHED"] * 3)
        mirror.close()
    assert mirror.problem is None


def test_a_mirror_that_is_left_without_being_closed_ends(trial):
    with Mirror(*trial) as mirror:
        process = mirror._process
        assert process.poll() is None
    assert process.poll() is not None


def test_a_mirror_whose_process_dies_costs_nothing_and_says_so(trial):
    plan, store = trial
    with Mirror(plan, store) as mirror:
        mirror._process.kill()
        mirror._process.wait()
        mirror.tell(plan.trials[0].config.trial_id)
        mirror.close()
    assert mirror.problem == "MLflow: the process that copies was killed by signal 9"
    assert not Path(mirror._scratch.name).exists()


def test_sigterm_is_the_drivers_to_handle(trial):
    with Mirror(*trial) as mirror:
        mirror.flush()
        wait_until(lambda: database().exists())
        mirror._process.terminate()
        mirror.close()
    assert mirror.problem is None
    assert len(all_runs()) == 3


def test_what_mlflow_cannot_do_is_told(trial, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://somewhere")
    with Mirror(*trial) as mirror:
        mirror.close()
    assert "nonsense" in mirror.problem


def test_the_process_ends_and_leaves_nothing_when_the_driver_is_killed(trial, tmp_path):
    plan, store = trial
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    print(json.dumps(assignment(plan, store)), file=driver.stdin, flush=True)
    child = int(driver.stdout.readline())
    print(plan.trials[0].config.trial_id, file=driver.stdin, flush=True)
    wait_until(lambda: database().exists())
    assert alive(child)
    assert list(tmp_path.glob("gmm-study-mlflow-*"))
    driver.kill()
    driver.wait()
    wait_until(lambda: not alive(child))
    assert not list(tmp_path.glob("gmm-study-mlflow-*"))


def test_garbage_of_ray_in_another_thread_does_not_end_the_driver_as_ray_shuts_down():
    command = [sys.executable, "-c", SHUTDOWN]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "went on" in ended.stdout, ended.stderr
