"""The page of the records names what a real record has, all of it and nothing else."""

import json

import pytest

from gmm_study.data import load_dataset
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.state import Ending, TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import METRICS_SCHEMA, Record
from gmm_study.trials.result import ReplicateResult
from gmm_study.trials.run import TrialRun
from tests.docs.tables import names, rows

PAGE = "docs/reference/records.md"


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """The folder of a trial of gmm on pictures."""
    folder = tmp_path_factory.mktemp("record")
    data = load_dataset("digits")
    settings = Hyperparameters(layers=(4,), max_epochs=3, evaluation_samples=4)
    run = TrialRun(TrialConfig(settings, data.name, data.sha256), data, [0], Record.at(str(folder)))
    while not run.finished:
        run.advance()
    return folder


def document(record, name):
    return json.loads((record / name).read_text())


def test_it_names_every_file(record):
    found = {str(path.relative_to(record)) for path in record.rglob("*") if path.is_file()}
    assert {row[0].strip("`") for row in rows(PAGE, "Records")} == found - {".lock"}


@pytest.mark.parametrize("name", ["config.json", "status.json", "checkpoint/meta.json"])
def test_it_names_every_key(record, name):
    assert names(PAGE, name) == list(document(record, name))


def test_it_names_every_key_and_figure_of_a_result(record):
    result, said = document(record, "result.json"), names(PAGE, "result.json")
    (replicate,) = result["replicates"].values()
    full = ReplicateResult(TrialState.COMPLETE, 1, 1, 0.5, {}, None, Ending.EPOCHS, "raw", True)
    keys = full.to_json()
    assert set(replicate) <= set(keys)
    assert said == [*result, *keys, *replicate["metrics"]]
    text = (rows(PAGE, "result.json"))[5:7]
    for row, key in zip(text, ("versions", "machine"), strict=True):
        assert set(result[key]) <= {name.strip("`,.") for name in row[1].split()}


def test_it_names_every_column_of_the_curves():
    columns = [(row[0].strip("`"), row[1]) for row in rows(PAGE, "metrics.parquet")]
    assert columns == [(field.name, str(field.type)) for field in METRICS_SCHEMA]


def test_it_names_every_curve(record):
    curves = Record.at(str(record)).metrics().to_pylist()
    (row,) = (row for row in rows(PAGE, "metrics.parquet") if row[0] == "`metric`")
    assert {name.strip("`,()") for name in row[2].split()} >= {row["metric"] for row in curves}
