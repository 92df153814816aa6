"""Who has an MLflow server alone reads from it what the records say, bit for bit."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient

from analysis import load, load_from_mlflow
from gmm_study.errors import InputError
from gmm_study.tracking.account import account_of
from gmm_study.tracking.notes import Facts
from gmm_study.tracking.reading import read_study
from gmm_study.tracking.runs import StudyRuns
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.run import TrialRun
from tests.training.small import a_dataset

pytestmark = pytest.mark.process

DATA = a_dataset()
SETTINGS = Hyperparameters(layers=(4, 2), max_epochs=3, evaluation_samples=5)
WILD = replace(SETTINGS, learning_rate=1e38, optimizer="sgd", max_epochs=50, patience=50)
STUDY = "read back"


def train(store, hyperparameters, replicates=2, epochs=1000):
    """Train a trial, to its end unless after so many epochs it is left as it is."""
    config = TrialConfig(hyperparameters, DATA.name, DATA.sha256)
    run = TrialRun(config, DATA, range(replicates), store.record(config.trial_id))
    while not run.finished and epochs:
        run.advance()
        epochs -= 1
    if not run.finished:
        run.pause()
    return config


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Records of all kinds of trials, and the address of an MLflow database that was told."""
    folder = tmp_path_factory.mktemp("read")
    store = RecordStore(str(folder / "results"))
    uri = f"sqlite:///{folder}/mlflow.db"
    methods = [replace(SETTINGS, method=method, learning_rate=0.1 / 3) for method in ("rws", "vae")]
    complete = [train(store, each) for each in (SETTINGS, *methods)]
    diverged = train(store, WILD)
    stopped = train(store, replace(SETTINGS, seed=1), epochs=1)
    store.record(stopped.trial_id).write_status(TrialState.STOPPED)
    failed = train(store, replace(SETTINGS, seed=2), epochs=2)
    store.record(failed.trial_id).write_status(TrialState.FAILED, error="RuntimeError: no memory")
    more = train(store, replace(SETTINGS, seed=3), replicates=1)
    train(store, replace(SETTINGS, seed=3), replicates=3, epochs=1)
    store.record(more.trial_id).write_status(TrialState.FAILED, error="the third is no good")
    runs = StudyRuns(Facts(STUDY, "why?"), uri)
    for config in (*complete, diverged, stopped, failed):
        runs.sync("label", config, account_of(store.record(config.trial_id), 2))
    runs.sync("label", more, account_of(store.record(more.trial_id), 1))
    return store, uri


def test_a_variant_is_read_alone_and_all_of_them_when_asked_for(told, tmp_path):
    store, _ = told
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    trial_ids = list(load(store).trials.query("state == 'complete'")["trial_id"])[:3]
    own = {"": trial_ids[:2], "small,max_epochs=5": trial_ids[1:]}
    for variant, ids in own.items():
        runs = StudyRuns(Facts(STUDY, "why?", variant), uri)
        for trial_id in ids:
            record = store.record(trial_id)
            runs.sync("label", record.config(), account_of(record, 1))

    def ids_of(**variant):
        records = load_from_mlflow(STUDY, uri, **variant)
        ids = set(records.trials["trial_id"])
        assert ids == set(records.replicates["trial_id"]) == set(records.curves()["trial_id"])
        return ids

    assert ids_of() == ids_of(variant="declared") == set(own[""])
    assert ids_of(variant="small,max_epochs=5") == set(own["small,max_epochs=5"])
    assert ids_of(variant=None) == set(trial_ids)
    with pytest.raises(InputError, match="variant: 'small' must be 'declared' or 'small,max_ep"):
        load_from_mlflow(STUDY, uri, variant="small")


def the_same(one, other):
    both_nan = isinstance(one, float) and math.isnan(one) and math.isnan(other)
    other = other.item() if isinstance(other, np.generic) else other
    return both_nan or (one == other and type(one) is type(other))


def assert_same_rows(rows, frame):
    """Rows say what a frame does: where one has no value the other has none either."""
    expected = [
        {name: value for name, value in row.items() if value is not None}
        for row in frame.astype(object).where(frame.notna(), None).to_dict("records")
    ]
    known = [
        {name: value for name, value in row.items() if value == value and value is not None}
        for row in rows
    ]
    assert len(known) == len(expected) > 0
    for one, other in zip(known, expected, strict=True):
        assert set(one) == set(other)
        assert all(the_same(one[name], other[name]) for name in one), (one, other)


def test_the_trials_are_those_of_the_records(told):
    store, uri = told
    rows, frame = read_study(STUDY, uri).trials, load(store).trials
    assert set(frame["state"]) >= {"complete", "diverged", "stopped", "failed"}
    finished = [row.pop("finished") for row in rows]
    expected = [store.record(trial_id).result() for trial_id in frame["trial_id"]]
    assert finished == [result.finished if result else None for result in expected]
    assert_same_rows(rows, frame.drop(columns="finished"))


def test_the_replicates_are_those_of_the_records(told):
    store, uri = told
    frame = load(store).replicates.sort_values(["trial_id", "replicate"])
    assert_same_rows(read_study(STUDY, uri).replicates, frame)


@pytest.mark.parametrize("bulk", [True, False])
def test_the_curves_are_those_of_the_records(told, bulk, monkeypatch):
    store, uri = told
    study = read_study(STUDY, uri)
    if not bulk:  # as over HTTP
        monkeypatch.delattr(SqlAlchemyStore, "get_metric_history_bulk")
    texts = dict.fromkeys(("trial_id", "split", "metric"), "string")  # categories sort otherwise
    frame = load(store).curves().astype(texts)
    frame = frame.sort_values(["trial_id", "replicate", "epoch", "split", "metric"])
    rows = study.curves()
    # The replicates that no study asked for so far, and that have not ended, are not told of.
    asked = {(row["trial_id"], row["replicate"]) for row in rows}
    frame = frame[
        [pair in asked for pair in zip(frame["trial_id"], frame["replicate"], strict=True)]
    ]
    assert len(asked) == 6 * 2 + 1
    assert_same_rows(rows, frame)
    some = frame["trial_id"].iloc[0]
    assert study.curves([some]) == [row for row in rows if row["trial_id"] == some]


def test_a_view_from_before_there_were_kinds_is_completed_by_a_sync(told, tmp_path):
    store, uri = told
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(STUDY)
    before = read_study(STUDY, uri)
    (parent, *_) = client.search_runs(
        [experiment.experiment_id], "tags.kind = 'trial' and tags.state = 'complete'"
    )
    trial_id = parent.data.tags["trial_id"]
    runs = client.search_runs([experiment.experiment_id], f"tags.trial_id = '{trial_id}'")
    for run in runs:
        for tag in ("kind", "variants", "versions", "machine", "finished"):
            if tag in run.data.tags:
                client.delete_tag(run.info.run_id, tag)
    record = store.record(trial_id)
    replicates = len(runs) - 1
    StudyRuns(Facts(STUDY, "why?"), uri).sync(
        "label", record.config(), account_of(record, replicates)
    )
    after = read_study(STUDY, uri)
    assert after.trials == before.trials
    assert repr(after.curves()) == repr(before.curves())  # by which NaN is itself
    again = client.get_run(parent.info.run_id)
    assert again.data.tags["kind"] == "trial"
    assert again.data.tags["variants"] == "|declared|"


def test_what_is_not_there_is_said_in_a_line(told, tmp_path):
    with pytest.raises(InputError, match="creates it"):
        read_study(STUDY, f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(InputError, match=r"other: MLflow at .* has no such experiment"):
        read_study("other", told[1])


def test_the_frames_of_a_notebook_are_those_of_the_records(told):
    store, uri = told
    records, view = load(store), load_from_mlflow(STUDY, uri)
    for name in ("trials", "replicates"):
        ours, others = (
            getattr(frames, name).set_index("trial_id").sort_index() for frames in (records, view)
        )
        assert sorted(ours) == sorted(others)
        pd.testing.assert_frame_equal(ours, others[list(ours)])
    ids = list(view.trials["trial_id"])[:2]
    keys = ["trial_id", "replicate", "split", "metric", "epoch"]
    ours, others = (
        frames.curves(ids).astype(dict.fromkeys(("trial_id", "split", "metric"), str))
        for frames in (records, view)
    )
    both = [curves.sort_values(keys).reset_index(drop=True) for curves in (ours, others)]
    pd.testing.assert_frame_equal(*both)
