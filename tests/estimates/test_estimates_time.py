"""The estimated time of the missing trials goes by counted work and by the pace that was seen."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from gmm_study.cli.estimate import lines_of
from gmm_study.data import Dataset
from gmm_study.estimates import estimate
from gmm_study.estimates.cost import Workload, epoch_work, evaluation_work
from gmm_study.estimates.training import training_work
from gmm_study.study import load_study, make_plan
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.state import TrialState
from gmm_study.trials.continuable import add_to_index
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.result import ReplicateResult, TrialResult
from gmm_study.trials.standing import Standing
from gmm_study.trials.status import TrialStatus

STUDY = """
question: Which?
datasets: [digits]
methods: [gmm, rws]
replicates: 2
fixed: {max_epochs: 100, patience: 100, layers: [6]}
space: {learning_rate: {grid: [1e-3, 1e-2, 1e-1]}}
evaluation: {samples: 20}
resources: {concurrent: 1}
"""
LONG = 1e5
"""Seconds beside which starting a run, and training one of these tiny models, hardly count."""


def bits(rows=2000, dims=12):
    random = np.random.default_rng(rows * dims).integers(0, 2, (rows, dims))
    return Dataset.from_splits("bits", {"train": random, "valid": random[:9], "test": random[:9]})


def ended(seconds, epochs=100, on_gpu=False):
    """The standing of a trial whose two replicates have trained so long."""
    replicate = ReplicateResult(TrialState.COMPLETE, epochs, epochs, seconds, {})
    machine = {"gpu": "some GPU"} if on_gpu else {}
    result = TrialResult("id", {0: replicate, 1: replicate}, finished=0.0, machine=machine)
    return Standing(TrialState.COMPLETE, result=result)


def half_way(seconds_left):
    """The standing of a trial that runs, at epoch 50 of 100."""
    state = TrialState.RUNNING
    status = TrialStatus(state, epoch=50, max_epochs=100, seconds_left=seconds_left)
    return Standing(state, state, status=status)


class PlannedStudy:
    """A study with some standings, in the order of its trials: rates, at each gmm and rws."""

    def __init__(self, folder, *overrides, datasets=1):
        (folder / "which.yaml").write_text(STUDY)
        self.study = load_study(str(folder / "which.yaml"), overrides, False)
        data = dict(zip(self.study.datasets, (bits(), bits(1000)), strict=False))
        self.datasets = {each.sha256: each for each in data.values()}
        self.plan = make_plan(self.study, {name: each.sha256 for name, each in data.items()})
        self.store = RecordStore(str(folder / "results"))

    def estimate(self, *standings, **options):
        """Of all trials but those that have ended."""
        ids = [trial.config.trial_id for trial in self.plan.trials]
        by_id = dict.fromkeys(ids, Standing()) | dict(zip(ids, standings, strict=False))
        missing = [t for t in self.plan.trials if not by_id[t.config.trial_id].state.has_result]
        return estimate(self.plan, missing, by_id, self.datasets, self.store, **options)


@pytest.fixture
def planned(tmp_path):
    return lambda *overrides: PlannedStudy(tmp_path, *overrides)


def close(seconds, relative=0.1):
    return pytest.approx(seconds, rel=relative)


def test_equal_trials_take_as_long_as_those_that_have_ended(planned):
    found = planned("methods=[gmm]").estimate(ended(LONG))
    assert found.worker_seconds == found.seconds - 12 == close(2 * 2 * LONG)
    assert found.source == "this study's own pace"


def test_each_method_and_data_set_goes_by_its_own_pace(planned):
    study = planned("datasets=[digits, mushrooms]", "space.learning_rate.grid=[1e-3]")
    gmm, rws, _, _ = (trial.config for trial in study.plan.trials)
    assert (gmm.hyperparameters.method, rws.hyperparameters.method) == ("gmm", "rws")
    slow_rws = study.estimate(ended(LONG), ended(9 * LONG)).worker_seconds
    of_gmm = study.estimate(ended(LONG), ended(LONG), ended(LONG)).worker_seconds
    assert slow_rws > 2 * of_gmm


def test_without_a_record_of_a_method_the_others_tell_its_pace(planned):
    found = planned("space.learning_rate.grid=[1e-3]").estimate(ended(LONG))
    assert 2 * LONG < found.worker_seconds < 6 * LONG  # rws does more work than gmm


def test_records_of_another_kind_of_device_tell_no_pace(planned):
    found = planned().estimate(ended(LONG, on_gpu=True))
    assert found.seconds is found.worker_seconds is None
    assert found.source == "as no trial has finished yet"
    assert found.memory_bytes > 0


def test_trials_that_share_a_gpu_are_said_with_their_share_as_in_a_run(planned, monkeypatch):
    monkeypatch.setattr("gmm_study.estimates.remaining.usable_gpus", lambda: 1)
    monkeypatch.setattr("gmm_study.estimates.remaining.usable_cpus", lambda: 8)
    study = planned("resources.gpus=0.25", "resources.concurrent=4")
    first, *_ = lines_of(study.estimate(ended(LONG, on_gpu=True)), cpus=1)
    assert "4 trials at a time on 0.25 of a GPU each" in first


def test_trials_that_run_tell_a_pace_before_any_has_ended(planned):
    found = planned("methods=[gmm]").estimate(half_way(2 * LONG))
    assert found.worker_seconds == close(2 * LONG + 2 * 4 * LONG)


def test_epochs_that_a_trial_has_reached_are_not_counted_again(planned):
    study = planned("methods=[gmm]", "space.learning_rate.grid=[1e-3, 1e-2]")
    paused = Standing(status=TrialStatus(epoch=75))
    assert study.estimate(ended(LONG), paused).worker_seconds == close(2 * LONG / 4)


def test_trials_stop_as_early_as_those_that_have_ended(planned):
    study = planned("methods=[gmm]", "patience=10")
    assert study.estimate(half_way(LONG)).at_most
    found = study.estimate(ended(LONG, epochs=40))
    assert not found.at_most
    assert found.worker_seconds == close(2 * 2 * LONG)


def test_trials_of_a_scheduler_take_at_most_what_is_estimated(planned):
    assert not planned().estimate(ended(LONG), ended(LONG)).at_most
    scheduled = planned("scheduler.kind=asha")
    assert scheduled.estimate(ended(LONG), ended(LONG)).at_most


def test_workers_share_the_trials(planned, monkeypatch):
    monkeypatch.setattr("gmm_study.estimates.remaining.usable_cpus", lambda: 4)
    alone = planned("methods=[gmm]").estimate(ended(LONG))
    together = planned("methods=[gmm]", "resources.concurrent=3").estimate(ended(LONG))
    assert (alone.workers, together.workers) == (1, 2)  # as many as trials are missing
    assert together.worker_seconds == alone.worker_seconds
    assert together.seconds == close(alone.seconds / 2)


def test_a_calibration_tells_the_pace_of_the_methods_without_records_alone(planned):
    found = planned().estimate(ended(LONG), calibrating=nullcontext())
    assert found.source == "a short calibration"
    assert found.worker_seconds == close(2 * 2 * LONG)


@pytest.mark.parametrize(
    "more",
    [
        {"layers": (6, 6)},
        {"layers": (60,)},
        {"samples": 20},
        {"deterministic_layers": 1},
        {"method": "rws"},
        {"batch_size": 10},
    ],
)
def test_more_work_is_counted_for_larger_models_and_more_samples(more):
    least = {"method": "gmm", "layers": (6,)}
    small, large = (Hyperparameters.from_mapping(each) for each in (least, least | more))
    assert epoch_work(Workload.of(large, bits())) > epoch_work(Workload.of(small, bits()))


def test_more_work_is_counted_for_more_data_and_for_more_samples_of_the_evaluation():
    few, many = (Hyperparameters(evaluation_samples=each) for each in (1000, 9000))
    assert epoch_work(Workload.of(few, bits(9000))) > epoch_work(Workload.of(few, bits()))
    assert epoch_work(Workload.of(few, bits(dims=90))) > epoch_work(Workload.of(few, bits()))
    assert evaluation_work(Workload.of(many, bits())) > evaluation_work(Workload.of(few, bits()))


def test_the_work_of_stages_is_counted_with_the_samples_and_batches_of_each():
    stages = [{"max_epochs": 100}, {"max_epochs": 20, "samples": 50}, {"batch_size": 1}]
    settings = Hyperparameters.from_mapping({"layers": [6], "max_epochs": 5, "stages": stages})
    of_one = [epoch_work(Workload.of(stage, bits())) for stage in settings.stage_list]
    assert of_one[1] > 2 * of_one[0] < of_one[2]
    expected = 100 * of_one[0] + 20 * of_one[1] + 5 * of_one[2]
    assert training_work(settings, bits(), 0, 125) == pytest.approx(expected)
    expected = 10 * of_one[0] + 5.5 * of_one[1]
    assert training_work(settings, bits(), 90, 105.5) == pytest.approx(expected)
    assert training_work(settings, bits(), 125, 125) == 0


def test_a_limit_of_training_time_limits_the_estimate(planned):
    free, limited = (planned("methods=[gmm]", *more) for more in ((), ("max_seconds=5",)))
    seconds = [study.estimate(ended(LONG)).worker_seconds for study in (free, limited)]
    assert seconds[0] - seconds[1] == close(2 * 2 * LONG)


@pytest.mark.parametrize(
    ("earlier", "left"),
    [
        ([(25, {"max_epochs": 25}), (75, {"max_epochs": 75}), (300, {"max_epochs": 300})], 1 / 4),
        ([(60, {"patience": 9}), (80, {"patience": 101})], 2 / 5),
        ([(60, {"evaluation_samples": 9})], 0),
        ([(60, {"max_epochs": 300})], 0),
    ],
)
def test_epochs_of_an_earlier_trial_are_not_counted_again(planned, earlier, left):
    study = planned("methods=[gmm]", "space.learning_rate.grid=[1e-3, 1e-2]")
    whole = study.estimate(ended(LONG)).worker_seconds
    config = study.plan.trials[1].config
    for reached, settings in earlier:
        other = replace(config, hyperparameters=replace(config.hyperparameters, **settings))
        add_to_index(study.store.folder, other, [reached, 9])
    seconds = study.estimate(ended(LONG)).worker_seconds
    assert seconds == pytest.approx(left * whole, abs=0.02 * whole)
    scheduled = planned("methods=[gmm]", "scheduler.kind=median")
    assert scheduled.estimate(ended(LONG)).worker_seconds > whole
