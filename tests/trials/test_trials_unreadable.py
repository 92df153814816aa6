"""A file that cannot be read costs its own trial, and only what the file holds."""

import math

import pyarrow.fs
import pytest

from gmm_study.errors import InputError
from gmm_study.storage.reach import check_writable
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore
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
    record.write_config(CONFIG)
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
        check_writable(record, str(record.path))
    check_writable(Record.at(str(tmp_path / "new")), "new")
    assert list((tmp_path / "new").iterdir()) == []
