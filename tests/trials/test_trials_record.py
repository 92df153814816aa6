"""A record is one folder, and every file in it is replaced whole or not at all."""

import math
import resource
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.status import TrialStatus
from tests.training.small import a_dataset, some_hyperparameters
from tests.trials.results import result_of

CONFIG = TrialConfig(some_hyperparameters(), "bits", a_dataset().sha256)

RESULT = result_of(CONFIG.trial_id, {"valid/bound": -3.5}, {"valid/bound": -3.25})

ROWS = [
    {"replicate": 0, "epoch": 1, "split": "train", "metric": "bound", "value": -4.5},
    {"replicate": 0, "epoch": 1, "split": "valid", "metric": "bound", "value": math.inf},
]


@contextmanager
def a_full_disk(room: int):
    """Every file that is written ends after `room` bytes, with an OSError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_written_is_read_back(tmp_path):
    record = RecordStore(str(tmp_path)).record(CONFIG.trial_id)
    record.write_config(CONFIG)
    record.write_metrics(ROWS)
    record.write_result(RESULT)
    record.write_checkpoint({"meta.json": b"{}", "model.safetensors": bytes(300)})
    again = RecordStore(str(tmp_path)).record(CONFIG.trial_id)
    assert again.config().trial_id == CONFIG.trial_id
    assert again.metrics().to_pylist() == ROWS
    assert again.result() == RESULT
    assert again.read_file("checkpoint/model.safetensors") == bytes(300)


def test_a_record_that_does_not_exist_is_empty_and_reading_it_creates_nothing(tmp_path):
    record = Record.at(str(tmp_path / "nowhere"))
    assert record.config() is None
    assert record.result() is None
    assert record.status() == TrialStatus()
    assert record.metrics().num_rows == 0
    assert record.read_file("checkpoint/meta.json") is None
    assert record.state(1) is TrialState.PENDING
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_half_way_leaves_every_file_as_it_was(tmp_path):
    record = Record.at(str(tmp_path))
    record.write_config(CONFIG)
    record.write_status(TrialState.RUNNING, epoch=3)
    record.write_metrics(ROWS)
    record.write_checkpoint({"training.safetensors": bytes(1000)})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for write in (
        lambda: record.write_config(CONFIG),
        lambda: record.write_status(TrialState.RUNNING, epoch=4),
        lambda: record.write_metrics(ROWS * 5),
        lambda: record.write_checkpoint({"training.safetensors": b"1" * 2000}),
        lambda: record.write_result(RESULT),
    ):
        with a_full_disk(20), pytest.raises(OSError, match="large"):
            write()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert record.result() is None
    assert record.status().epoch == 3


def test_a_reader_during_a_write_sees_the_old_content_or_the_new(tmp_path):
    record = Record.at(str(tmp_path))
    versions = [letter * 400_000 for letter in (b"a", b"b", b"c")]
    record.write_file("metrics.parquet", versions[0])
    stop, seen = Event(), []

    def read():
        while not stop.is_set():
            seen.append(record.read_file("metrics.parquet"))

    reader = Thread(target=read)
    reader.start()
    for turn in range(60):
        record.write_file("metrics.parquet", versions[turn % 3])
    stop.set()
    reader.join()
    assert len(seen) > 1
    assert all(content in versions for content in seen)


def test_another_kind_of_file_system_keeps_the_same_record():
    store = RecordStore("mock:///results")
    assert store.trial_ids() == []
    record = store.record(CONFIG.trial_id)
    assert record.result() is None
    record.write_config(CONFIG)
    record.write_checkpoint({"meta.json": b"{}"})
    record.write_file("status.json", b'{"state": "running", "time": 0}')
    record.write_file("status.json", b'{"state": "failed"}')
    assert store.trial_ids() == [CONFIG.trial_id]
    assert record.config().trial_id == CONFIG.trial_id
    assert record.status() == TrialStatus(TrialState.FAILED)


def test_a_trial_is_pending_then_running_then_complete(tmp_path):
    record = Record.at(str(tmp_path))
    assert record.state(2) is TrialState.PENDING
    record.write_status(TrialState.RUNNING, epoch=1)
    assert record.state(2) is TrialState.RUNNING
    record.write_result(RESULT)
    assert record.state(2) is TrialState.COMPLETE
    assert record.state(1) is TrialState.COMPLETE
    assert record.state(3) is TrialState.RUNNING


def test_a_trial_whose_replicates_all_diverged_is_diverged(tmp_path):
    record = Record.at(str(tmp_path))
    record.write_result(result_of(CONFIG.trial_id, None, None))
    assert record.state(2) is TrialState.DIVERGED


def test_a_failed_trial_says_why_until_it_runs_again(tmp_path):
    record = Record.at(str(tmp_path))
    record.write_status(TrialState.FAILED, error="out of memory")
    assert record.state(1) is TrialState.FAILED
    assert record.status().error == "out of memory"
    record.write_status(TrialState.RUNNING, epoch=0)
    assert record.state(1) is TrialState.RUNNING


def test_a_file_that_is_replaced_can_be_kept_under_another_name(tmp_path):
    for record in (Record.at(str(tmp_path)), RecordStore("mock:///results").record("trial")):
        for content in (b"1", b"2", b"3"):
            record.write_checkpoint({"now": content}, {"now": "before"})
        assert record.read_file("checkpoint/now") == b"3"
        assert record.read_file("checkpoint/before") == b"2"
