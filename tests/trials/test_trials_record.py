"""A record is one folder, and every file in it is replaced whole or not at all."""

import json
import math
import os
import resource
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from threading import Event, Thread

import pyarrow.fs
import pytest

from gmm_study.errors import InputError
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record, RecordStore
from gmm_study.trials.status import TrialStatus
from gmm_study.trials.survey import survey
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


def test_a_store_that_does_not_exist_yet_holds_nothing(tmp_path):
    assert RecordStore(str(tmp_path / "not" / "yet")).trial_ids() == []
    assert list(tmp_path.iterdir()) == []


def test_a_store_lists_the_trials_that_have_a_folder_and_no_stray_files(tmp_path):
    store = RecordStore(str(tmp_path))
    other = TrialConfig(some_hyperparameters(seed=1), "bits", CONFIG.dataset_sha256)
    for config in (CONFIG, other):
        store.record(config.trial_id).write_config(config)
    (tmp_path / "notes.txt").write_text("mine")
    assert store.trial_ids() == sorted([CONFIG.trial_id, other.trial_id])


@pytest.mark.parametrize("name", ["results", "./results", "sub/../results", "~/results"])
def test_a_relative_place_and_the_home_folder_mean_what_a_shell_means(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    store = RecordStore(name)
    monkeypatch.chdir("/")
    store.record(CONFIG.trial_id).write_config(CONFIG)
    assert (tmp_path / "results" / CONFIG.trial_id / "config.json").is_file()
    assert RecordStore(store.storage).trial_ids() == [CONFIG.trial_id]


@pytest.mark.parametrize("name", ["with space", "100%25 sure", "größe", "a#b?c=d", "a:b", "trail/"])
def test_a_folder_may_have_any_name(tmp_path, name):
    folder = tmp_path / name
    store = RecordStore(str(folder))
    store.record(CONFIG.trial_id).write_config(CONFIG)
    assert (folder / CONFIG.trial_id / "config.json").is_file()
    assert RecordStore(store.storage).trial_ids() == [CONFIG.trial_id]


NO_BUCKET = ["s3://", "s3://?region=eu-west-1", "gs://", "file:///", "/"]


@pytest.mark.parametrize(
    "storage", ["nosuch://bucket/results", "file://", "no scheme://here", *NO_BUCKET]
)
def test_an_address_that_is_none_is_refused_in_one_line(storage):
    with pytest.raises(InputError) as refusal:
        RecordStore(storage)
    assert "\n" not in str(refusal.value)
    assert storage in str(refusal.value)


def test_a_file_is_no_place_for_records(tmp_path):
    (tmp_path / "results.txt").write_text("mine")
    for build in (RecordStore, Record.at):
        with pytest.raises(InputError, match=r"results\.txt' is a file"):
            build(str(tmp_path / "results.txt"))


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


@pytest.fixture
def said_by(monkeypatch):
    """Write that a trial runs, as another process or another machine would."""

    def write(record, pid=None, host=None):
        with monkeypatch.context() as elsewhere:
            if pid is not None:
                elsewhere.setattr(os, "getpid", lambda: pid)
            if host is not None:
                elsewhere.setattr(socket, "gethostname", lambda: host)
            record.write_status(TrialState.RUNNING, epoch=5)

    return write


@pytest.mark.process
def test_a_trial_runs_as_long_as_the_process_that_trains_it(tmp_path, said_by):
    record = Record.at(str(tmp_path))
    said_by(record, pid=os.getppid())
    assert record.state(1) is TrialState.RUNNING
    assert record.trained_elsewhere()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    said_by(record, pid=ended.pid)
    assert record.state(1) is TrialState.PENDING
    assert not record.trained_elsewhere()


@pytest.mark.process
def test_a_trial_is_taken_up_by_one_process_at_a_time_and_freed_by_its_death(
    tmp_path, another_process
):
    record = Record.at(str(tmp_path))
    with another_process(tmp_path) as other:
        assert not record.take_up()
        assert record.trained_elsewhere()
        assert record.state(1) is TrialState.RUNNING
        other.kill()
        other.wait()
        assert not record.trained_elsewhere()
        assert record.state(1) is TrialState.PENDING
    assert record.take_up()
    assert record.take_up(), "a process may take up its own trial again"
    assert not record.trained_elsewhere()
    record.release()


def test_a_lock_tells_a_living_trainer_from_another_process_that_has_its_id(tmp_path, said_by):
    record = Record.at(str(tmp_path))
    assert record.take_up()
    record.release()
    said_by(record, pid=os.getppid())
    assert not record.trained_elsewhere()
    assert record.state(1) is TrialState.PENDING


def test_what_a_writer_that_died_left_half_written_goes_when_the_trial_is_taken_up(tmp_path):
    record = Record.at(str(tmp_path))
    record.write_checkpoint({"meta.json": b"{}"})
    for name in ("status.json.12345678.partial", "checkpoint/meta.json.12345678.partial"):
        (tmp_path / name).write_bytes(b"{")
    assert record.take_up()
    record.release()
    assert not list(tmp_path.rglob("*.partial"))
    assert record.read_file("checkpoint/meta.json") == b"{}"


def test_a_file_that_is_replaced_can_be_kept_under_another_name(tmp_path):
    for record in (Record.at(str(tmp_path)), RecordStore("mock:///results").record("trial")):
        for content in (b"1", b"2", b"3"):
            record.write_checkpoint({"now": content}, {"now": "before"})
        assert record.read_file("checkpoint/now") == b"3"
        assert record.read_file("checkpoint/before") == b"2"


@pytest.mark.process
@pytest.mark.parametrize("study", ["tiny", "of/../all", "größe"])
def test_a_study_has_one_driver_at_a_time_in_a_store_and_others_run_side_by_side(tmp_path, study):
    drive = """
import sys
from gmm_study.trials.record import RecordStore
with RecordStore(sys.argv[1]).the_only_driver(sys.argv[2]):
    print("driving", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", drive, str(tmp_path / "results"), study]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    store = RecordStore(str(tmp_path / "results"))
    with subprocess.Popen(command, text=True, **pipes) as other:
        assert other.stdout.readline() == "driving\n"
        with pytest.raises(InputError) as refusal, store.the_only_driver(study):
            pass
        assert "\n" not in str(refusal.value)
        for word in (study, f"process {other.pid}", socket.gethostname(), "gmm-study status"):
            assert word in str(refusal.value)
        with store.the_only_driver("another"):
            pass
        other.kill()
        other.wait()
    with store.the_only_driver(study):
        pass
    assert store.trial_ids() == []
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_where_there_are_no_locks_a_driver_is_known_by_its_heartbeat(said_elsewhere):
    store = RecordStore("mock:///results")
    with store.the_only_driver("tiny"):
        said_elsewhere(store, "tiny", seconds_ago=1.0)
        with pytest.raises(InputError, match="another-machine"), store.the_only_driver("tiny"):
            pass
    said_elsewhere(store, "tiny", seconds_ago=600.0)
    with store.the_only_driver("tiny"):
        pass


@pytest.fixture
def said_elsewhere():
    def write(store, study, seconds_ago):
        said_at = time.time() - seconds_ago
        sign = {"host": "another-machine", "pid": 1, "since": said_at, "time": said_at}
        path = f"{store.root}/.drivers/{study}.json"
        with store.file_system.open_output_stream(path) as stream:
            stream.write(json.dumps(sign).encode())

    return write


def test_a_trial_of_another_machine_runs_until_it_has_been_silent_for_a_day(
    tmp_path, said_by, monkeypatch
):
    record = Record.at(str(tmp_path))
    said_by(record, pid=1, host="another-machine")
    assert record.state(1) is TrialState.RUNNING
    assert record.trained_elsewhere()
    tomorrow = time.time() + 86_400.0
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    assert record.state(1) is TrialState.PENDING
    assert not record.trained_elsewhere()


GARBAGE = [b"", b'{"state": "comp', b"[]", b"null", b"3", b"\xff\xfe", b'{"state": "complete"}']
GARBAGE += [b'{"replicates": {"0": {}}}', b'{"state": 3, "replicates": []}']


@pytest.mark.parametrize("content", GARBAGE)
def test_a_result_that_cannot_be_read_counts_as_failed(tmp_path, content):
    (tmp_path / "result.json").write_bytes(content)
    record = Record.at(str(tmp_path))
    assert record.state(1) is TrialState.FAILED
    with pytest.raises(ValueError, match=r"result\.json"):
        record.result()


@pytest.mark.parametrize(
    "content", [*GARBAGE, b'{"state": "running"}', b'{"state": "running", "pid": "x"}']
)
def test_a_status_that_cannot_be_read_says_nothing(tmp_path, content):
    (tmp_path / "status.json").write_bytes(content)
    record = Record.at(str(tmp_path))
    assert record.state(1) is TrialState.PENDING
    assert not record.trained_elsewhere()


@pytest.mark.parametrize("content", [*GARBAGE[:-2], b'{"hyperparameters": {"layers": 0}}'])
def test_a_configuration_and_curves_that_cannot_be_read_are_said_to_be(tmp_path, content):
    record = Record.at(str(tmp_path))
    for name, read in (("config.json", record.config), ("metrics.parquet", record.metrics)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            read()
    record.mend_config(CONFIG)
    assert record.config().trial_id == CONFIG.trial_id


FILES = ("config.json", "status.json", "result.json", "metrics.parquet")


@pytest.mark.parametrize("name", FILES)
def test_a_folder_with_the_name_of_a_file_is_unreadable_and_costs_no_other_trial(tmp_path, name):
    store = RecordStore(str(tmp_path))
    for trial_id in ("bad", "good"):
        store.record(trial_id).write_config(CONFIG)
        store.record(trial_id).write_status(TrialState.COMPLETE)
        store.record(trial_id).write_metrics(ROWS)
        store.record(trial_id).write_result(RESULT)
    (tmp_path / "bad" / name).unlink()
    (tmp_path / "bad" / name / "mine").mkdir(parents=True)
    expected = TrialState.FAILED if name == "result.json" else TrialState.COMPLETE
    standings = survey(store, ["bad", "good"], 1)
    assert (standings["bad"].state, standings["good"].state) == (expected, TrialState.COMPLETE)
    bad = store.record("bad")
    assert (bad.status() == TrialStatus()) is (name == "status.json")
    for other, read in (
        ("config.json", bad.config),
        ("result.json", bad.result),
        ("metrics.parquet", bad.metrics),
    ):
        if name == other:
            with pytest.raises(ValueError, match=rf"{name} cannot be read: it is a folder"):
                read()
        else:
            assert read() is not None


@pytest.mark.parametrize("name", FILES)
def test_a_file_takes_the_place_of_a_folder_of_its_name_which_is_kept(tmp_path, name):
    record = Record.at(str(tmp_path))
    (tmp_path / name / "mine").mkdir(parents=True)
    record.write_file(name, b"{}")
    assert record.read_file(name) == b"{}"
    (kept,) = tmp_path.glob(f"{name}.*")
    assert [path.name for path in kept.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_trained(tmp_path):
    (tmp_path / "results.txt").write_text("mine")
    record = Record(pyarrow.fs.LocalFileSystem(), f"{tmp_path}/results.txt/trial")
    with pytest.raises(InputError, match=r"^storage: .*results\.txt"):
        record.check_writable()
    Record.at(str(tmp_path / "new")).check_writable()
    assert list((tmp_path / "new").iterdir()) == []
