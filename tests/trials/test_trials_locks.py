"""A trial is trained by one process at a time, and a study has one driver in a store."""

import os
import socket
import subprocess
import sys
import time

import pytest

from gmm_study.errors import InputError
from gmm_study.training.state import TrialState
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore


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


@pytest.mark.process
@pytest.mark.parametrize("study", ["tiny", "of/../all", "größe"])
def test_a_study_has_one_driver_at_a_time_in_a_store_and_others_run_side_by_side(tmp_path, study):
    drive = """
import sys
from gmm_study.trials.record_store import RecordStore
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
        store.folder.write_json(f".drivers/{study}.json", sign)

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
