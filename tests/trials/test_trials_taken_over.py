"""A process whose trial another one has taken over, in a bucket, writes nothing more."""

import json
import time

import pytest

from gmm_study.orchestration.trainable import TrialTrainable
from gmm_study.storage.ownership import Owner
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.run import TrainedElsewhereError, TrialRun
from gmm_study.trials.status import WAITING
from tests.s3_server import failure
from tests.training.small import a_dataset, some_hyperparameters
from tests.workbench import wait_until

pytestmark = pytest.mark.process

DATA = a_dataset()
CONFIG = TrialConfig(some_hyperparameters(max_epochs=3), DATA.name, DATA.sha256)


@pytest.fixture
def record(s3):
    return RecordStore("s3://studies/results").record(CONFIG.trial_id)


def take_over(record):
    """Another machine owns the trial from now on."""
    now = time.time()
    owner = Owner("another-machine", 1, now, now)
    record.write_file(".owner", json.dumps(vars(owner)).encode())


def test_a_trial_that_ends_while_records_are_looked_at_has_ended(record, s3):
    run = TrialRun(CONFIG, DATA, range(1), record)
    look = RecordStore("s3://studies/results").listed([CONFIG.trial_id])
    to_its_end(run)
    assert look.record(CONFIG.trial_id).state(1) is TrialState.COMPLETE


def contents(record):
    return {
        entry.name: record.read_file(entry.name)
        for entry in record.entries(recursive=True)
        if entry.is_file
    }


def to_its_end(run):
    while not run.finished:
        run.advance()


@pytest.mark.parametrize("seconds", [0.0, 1000.0], ids=["at a checkpoint", "at the end"])
def test_a_trial_that_was_taken_over_is_not_written_any_more(record, seconds):
    run = TrialRun(CONFIG, DATA, range(1), record, checkpoint_seconds=seconds)
    run.advance()
    take_over(record)
    before = contents(record)
    with pytest.raises(TrainedElsewhereError):
        to_its_end(run)
    run.pause()
    assert contents(record) == before


@pytest.fixture
def worker(s3):
    """A worker as Ray Tune has it, in this process."""
    worker = TrialTrainable.__new__(TrialTrainable)
    job = {"trial": CONFIG.to_json(), "replicates": 1, "milestones": [1]}
    worker.setup(
        {"job": job},
        datasets={DATA.sha256: DATA},
        storage="s3://studies/results",
        threads=1,
        gpu_share=0.0,
        admission_file=None,
        chunk_rows=100,
        checkpoint_seconds=0.0,
        heartbeat_seconds=3600.0,
        time_limit_seconds=None,
    )
    return worker


def test_a_worker_whose_checkpoint_fails_after_its_trial_was_taken_over_leaves_that(
    record, worker, s3
):
    def refuse(request):
        if request["REQUEST_METHOD"] != "PUT" or "checkpoint" not in request["PATH_INFO"]:
            return None
        take_over(record)
        return failure("403 Forbidden", "AccessDenied")

    wait_until(lambda: worker.step()["epoch"] == 1)
    before = record.status()
    s3.answers = refuse
    wait_until(lambda: worker.step()["state"] == WAITING)
    assert record.trained_elsewhere()
    assert record.status().state == before.state


def test_a_worker_whose_trial_was_taken_over_waits_for_it_and_goes_on_when_it_is_free(
    record, worker
):
    wait_until(lambda: worker.step()["epoch"] == 1)
    take_over(record)
    assert worker.step()["state"] == WAITING
    assert record.trained_elsewhere()
    record.delete_file(".owner")
    wait_until(lambda: worker.step()["done"])
    assert not record.trained_elsewhere()
    assert record.result().complete.keys() == {0}
