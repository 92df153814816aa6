"""A record is one folder, and every file in it is replaced whole or not at all."""

import math
import time
from pathlib import Path

import pyarrow.fs
import pytest

from gmm_study.errors import InputError
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record, RecordStore
from tests.training.small import a_dataset, some_hyperparameters

CONFIG = TrialConfig(some_hyperparameters(), "bits", a_dataset().sha256)
ROWS = [
    {"replicate": 0, "epoch": 1, "split": "train", "metric": "bound", "value": -4.5},
    {"replicate": 0, "epoch": 1, "split": "valid", "metric": "bound", "value": math.inf},
]


class BreakingDisk(pyarrow.fs.LocalFileSystem):
    """Writes half of every file, then fails."""

    def open_output_stream(self, path):
        return BreakingStream(pyarrow.fs.LocalFileSystem().open_output_stream(path))


class BreakingStream:
    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stream.close()

    def write(self, content):
        self.stream.write(content[: len(content) // 2])
        raise OSError("no space left on device")


def test_what_is_written_is_read_back(tmp_path):
    record = RecordStore(str(tmp_path)).record(CONFIG.trial_id)
    record.write_config(CONFIG)
    record.write_metrics(ROWS)
    record.write_result({"state": "complete", "replicates": {}})
    record.write_checkpoint({"meta.json": b"{}", "model.safetensors": bytes(300)})
    again = RecordStore(str(tmp_path)).record(CONFIG.trial_id)
    assert again.config().trial_id == CONFIG.trial_id
    assert again.metrics().to_pylist() == ROWS
    assert again.result() == {"state": "complete", "replicates": {}}
    assert again.read_file("checkpoint/model.safetensors") == bytes(300)


def test_a_record_that_does_not_exist_is_empty_and_reading_it_creates_nothing(tmp_path):
    record = Record.at(str(tmp_path / "nowhere"))
    assert record.config() is None
    assert record.result() is None
    assert record.status() == {}
    assert record.metrics().num_rows == 0
    assert record.read_file("checkpoint/meta.json") is None
    assert record.state(1) == "pending"
    assert list(tmp_path.iterdir()) == []


def contents(folder: Path) -> dict[str, bytes]:
    """What a reader finds under the names that a record has."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".partial"
    }


def test_a_write_that_fails_half_way_leaves_every_file_as_it_was(tmp_path):
    whole = Record.at(str(tmp_path))
    whole.write_config(CONFIG)
    whole.write_status("running", epoch=3)
    whole.write_metrics(ROWS)
    whole.write_checkpoint({"training.safetensors": bytes(1000)})
    before = contents(tmp_path)
    broken = Record(BreakingDisk(), whole.path)
    for write in (
        lambda: broken.write_config(CONFIG),
        lambda: broken.write_status("running", epoch=4),
        lambda: broken.write_metrics(ROWS * 5),
        lambda: broken.write_checkpoint({"training.safetensors": b"1" * 2000}),
        lambda: broken.write_result({"state": "complete", "replicates": {}}),
    ):
        with pytest.raises(OSError, match="no space"):
            write()
    assert contents(tmp_path) == before
    assert whole.result() is None
    assert whole.status()["epoch"] == 3


def test_a_reader_during_a_write_sees_the_old_content(tmp_path):
    record = Record.at(str(tmp_path))
    record.write_file("status.json", b"old")
    seen = []

    class SlowDisk(pyarrow.fs.LocalFileSystem):
        def open_output_stream(self, path):
            return SlowStream(pyarrow.fs.LocalFileSystem().open_output_stream(path))

    class SlowStream(BreakingStream):
        def write(self, content):
            for part in (content[:2], content[2:]):
                self.stream.write(part)
                self.stream.flush()
                seen.append(record.read_file("status.json"))

    Record(SlowDisk(), record.path).write_file("status.json", b"brand new")
    assert seen == [b"old", b"old"]
    assert record.read_file("status.json") == b"brand new"


def test_a_figure_that_is_no_number_is_never_written_as_one(tmp_path):
    record = Record.at(str(tmp_path))
    with pytest.raises(ValueError, match="JSON"):
        record.write_result({"replicates": {"0": {"metrics": {"test/log_p": math.nan}}}})
    assert record.result() is None


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


@pytest.mark.parametrize("storage", ["nosuch://bucket/results", "file://", "no scheme://here"])
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
    assert record.status() == {"state": "failed"}


class Moment:
    """The state of a trial of which nothing but the given is known."""

    def __init__(self, folder):
        self.record = Record.at(str(folder))

    def ended(self, state, *replicates):
        results = {str(index): {"state": state} for index in replicates}
        self.record.write_result({"state": state, "replicates": results})


def test_a_trial_is_pending_then_running_then_complete(tmp_path):
    moment = Moment(tmp_path)
    assert moment.record.state(2) == "pending"
    moment.record.write_status("running", epoch=1)
    assert moment.record.state(2) == "running"
    moment.ended("complete", 0, 1)
    assert moment.record.state(2) == "complete"
    assert moment.record.state(1) == "complete"
    assert moment.record.state(3) != "complete"


def test_a_trial_whose_replicates_all_diverged_is_diverged(tmp_path):
    moment = Moment(tmp_path)
    moment.ended("diverged", 0, 1)
    assert moment.record.state(2) == "diverged"


def test_a_failed_trial_says_why_until_it_runs_again(tmp_path):
    record = Record.at(str(tmp_path))
    record.write_status("failed", error="out of memory")
    assert record.state(1) == "failed"
    assert record.status()["error"] == "out of memory"
    record.write_status("running", epoch=0)
    assert record.state(1) == "running"


def test_a_trial_that_has_given_no_sign_of_life_for_a_day_is_pending(tmp_path, monkeypatch):
    record = Record.at(str(tmp_path))
    record.write_status("running", epoch=5)
    tomorrow = time.time() + 86_400.0
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    assert record.state(1) == "pending"
