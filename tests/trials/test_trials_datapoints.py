"""log p of every test datapoint is kept in the record, and never costs a result."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from gmm_study.trials.config import TrialConfig
from gmm_study.trials.datapoints import DATAPOINTS_SCHEMA
from gmm_study.trials.record import Record
from gmm_study.trials.run import TrialRun
from tests.training.small import METHODS, a_dataset, some_hyperparameters

DATA = a_dataset()
FILE = "datapoints.parquet"


def a_config(**settings):
    return TrialConfig(some_hyperparameters(max_epochs=2, **settings), DATA.name, DATA.sha256)


def finish(record, replicates=2, config=None):
    run = TrialRun(config or a_config(), DATA, range(replicates), record)
    while not run.finished:
        run.advance()
    return record


def same(one, other):
    assert one.keys() == other.keys()
    return all(np.array_equal(one[number], other[number]) for number in one)


@pytest.mark.parametrize("method", METHODS)
def test_their_mean_is_the_figure_of_the_result(tmp_path, method):
    record = finish(Record.at(str(tmp_path)), config=a_config(method=method))
    values = record.datapoints()
    assert list(values) == [0, 1]
    for number, replicate in record.result().replicates.items():
        own = values[number]
        assert (own.shape, own.dtype) == ((len(DATA.test),), np.float32)
        assert own.mean() == pytest.approx(replicate.metrics["test/log_p"], rel=1e-6)
        error = own.std(ddof=1) / len(own) ** 0.5
        assert error == pytest.approx(replicate.metrics["test/log_p_se"], rel=1e-4)


def test_the_file_has_a_row_for_every_replicate_and_datapoint(tmp_path):
    table = pyarrow.parquet.read_table(tmp_path / finish(Record.at(str(tmp_path))).path / FILE)
    assert table.schema.equals(DATAPOINTS_SCHEMA)
    assert table["replicate"].to_pylist() == [0] * 12 + [1] * 12
    assert table["datapoint"].to_pylist() == [*range(12), *range(12)]


def test_values_of_earlier_replicates_are_kept_when_more_are_trained(tmp_path):
    record = finish(Record.at(str(tmp_path / "a")), 1)
    finish(record, 3)
    assert same(record.datapoints(), finish(Record.at(str(tmp_path / "b")), 3).datapoints())


def test_a_trial_killed_during_its_evaluation_has_the_same_values_in_the_end(tmp_path):
    record = Record.at(str(tmp_path / "killed"))
    run = TrialRun(a_config(), DATA, range(2), record)
    while not run.datapoints:
        run.advance()
    run.save()
    run.leave()
    finish(record)
    assert same(record.datapoints(), finish(Record.at(str(tmp_path / "whole"))).datapoints())


def test_a_record_of_an_older_version_has_none_and_gets_those_of_new_replicates(tmp_path):
    record = finish(Record.at(str(tmp_path)), 1)
    (tmp_path / FILE).unlink()
    assert record.datapoints() == {}
    finish(record, 2)
    assert list(record.datapoints()) == [1]


def test_a_file_that_cannot_be_written_costs_a_warning_and_not_the_result(
    tmp_path, monkeypatch, caplog
):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(Record, "write_datapoints", full)
    with caplog.at_level(logging.WARNING):
        record = finish(Record.at(str(tmp_path)))
    assert set(record.result().replicates) == {0, 1}
    assert record.datapoints() == {}
    assert "log p of the test datapoints was not written: no space left" in caplog.text
    assert "no space left" in record.read_json("status.json")["warning"]


def damaged(tmp_path, columns):
    record = Record.at(str(tmp_path))
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.table(columns), sink)
    record.write_file(FILE, sink.getvalue().to_pybytes())
    return record


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"replicate": [0], "log_p": [1.0]}, "datapoint"),
        ({"replicate": [0], "datapoint": ["a"], "log_p": [1.0]}, ""),
        ({"replicate": [0, 0], "datapoint": [0, 2], "log_p": [1.0, 2.0]}, "replicate 0 are not 0"),
        ({"replicate": [0, 0], "datapoint": [1, 1], "log_p": [1.0, 2.0]}, "replicate 0 are not 0"),
        ({"replicate": [None], "datapoint": [0], "log_p": [1.0]}, "null"),
    ],
)
def test_an_unreadable_file_is_named_in_one_line(tmp_path, columns, said):
    with pytest.raises(ValueError, match=r"datapoints\.parquet cannot be read: ") as refusal:
        damaged(tmp_path, columns).datapoints()
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_cut_short_is_unreadable_and_does_not_stop_more_replicates(tmp_path, caplog):
    record = finish(Record.at(str(tmp_path)), 1)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:40])
    with pytest.raises(ValueError, match="cannot be read"):
        record.datapoints()
    finish(record, 2)
    assert list(record.datapoints()) == [1]
    assert "cannot be read" in caplog.text


def test_an_error_of_reading_that_may_pass_does_not_cost_the_values(tmp_path, monkeypatch):
    record = finish(Record.at(str(tmp_path)))
    before, read = record.datapoints(), Record.read_file

    def busy(record, name):
        if name == FILE:
            raise OSError("the server is busy")
        return read(record, name)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "read_file", busy)
        with pytest.raises(OSError, match="busy"):
            finish(record, 3)
    finish(record, 3)
    after = record.datapoints()
    assert list(after) == [0, 1, 2]
    assert same({number: after[number] for number in before}, before)


def test_rows_in_any_order_are_read_in_the_order_of_the_data(tmp_path):
    columns = {
        "replicate": [1, 0, 1, 0],
        "datapoint": [1, 0, 0, 1],
        "log_p": [11.0, 0.0, 10.0, 1.0],
    }
    values = damaged(tmp_path, columns).datapoints()
    assert {number: own.tolist() for number, own in values.items()} == {
        0: [0.0, 1.0],
        1: [10.0, 11.0],
    }


def test_the_file_is_small(tmp_path):
    record = Record.at(str(tmp_path))
    random = np.random.default_rng(0)
    values = {number: random.normal(-20, 5, 20_000).astype(np.float32) for number in range(3)}
    record.write_datapoints(values)
    assert same(record.datapoints(), values)
    assert (tmp_path / FILE).stat().st_size < 1.05 * 4 * 60_000
