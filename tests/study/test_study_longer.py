"""`longer: N` is the same study with every duration of its training N times as long."""

from dataclasses import fields

import pytest

from gmm_study.study import make_plan
from gmm_study.training.hyperparameters import Hyperparameters

CHECKSUMS = {"digits": "d" * 64}
STUDY = """
fixed: {schedule: cosine, hold_epochs: 20, max_epochs: 80, patience: 80}
per_method:
  vae: {max_epochs: 200, patience: 30, kl_warm_up_epochs: 10}
space: {learning_rate: {grid: [1e-2, 3e-2]}}
"""
WRITTEN_OUT = """
fixed: {schedule: cosine, hold_epochs: 100, max_epochs: 400, patience: 400}
per_method:
  vae: {max_epochs: 1000, patience: 150, kl_warm_up_epochs: 50}
space: {learning_rate: {grid: [1e-2, 3e-2]}}
"""


def plan_of(study):
    return make_plan(study, CHECKSUMS)


def test_its_trials_are_those_of_the_study_with_the_durations_written_out(load):
    longer, written_out = plan_of(load(STUDY, "longer=5")), plan_of(load(WRITTEN_OUT))
    assert [t.config.trial_id for t in longer.trials] == [
        t.config.trial_id for t in written_out.trials
    ]
    assert longer.study.variant == "longer=5"


def test_defaults_are_longer_too_and_the_settings_of_every_stage(load):
    stages = "[{max_epochs: 20}, {max_epochs: 4, patience: 3, learning_rate: 1e-4}]"
    longer = load(f"fixed: {{max_seconds: 7, stages: {stages}}}", "longer=3")
    first, second = plan_of(longer).trials[0].config.hyperparameters.stage_list
    assert (first.max_epochs, first.patience, first.max_seconds) == (60, 30, 21)
    assert (second.max_epochs, second.patience, second.learning_rate) == (12, 9, 1e-4)
    plain = plan_of(load("", "longer=2")).trials[0].config.hyperparameters
    assert plain == Hyperparameters(method=plain.method).prolonged(2)
    assert (plain.max_epochs, plain.patience, plain.max_seconds) == (2000, 20, None)


def test_a_longer_training_has_all_that_is_counted_in_epochs_or_seconds(load):
    durations = {spec.name for spec in fields(Hyperparameters) if spec.metadata["duration"]}
    counted = {
        spec.name
        for spec in fields(Hyperparameters)
        if spec.name.endswith(("_epochs", "_epoch", "_seconds"))
    }
    assert durations == counted | {"patience"}


def test_the_scheduler_waits_longer_and_a_longer_search_starts_anew(load):
    text = """
space: {max_epochs: {choice: [40, 60]}, learning_rate: {log_uniform: [1e-3, 1e-1]}}
search: {kind: tpe, trials: 4}
scheduler: {kind: asha, grace_epochs: 6, reduction_factor: 3}
"""
    study, longer = load(text), load(text, "longer=2")
    assert study.scheduler.milestones(60) == [6, 18, 54]
    assert longer.scheduler.milestones(120) == [12, 36, 108]
    assert not plan_of(study).cells.keys() & plan_of(longer).cells.keys()
    without = text.replace("asha, grace_epochs: 6, reduction_factor: 3", "none")
    assert not plan_of(load(without)).cells.keys() & plan_of(load(without, "longer=2")).cells.keys()


@pytest.mark.parametrize("value", ["0", "1.5", "long"])
def test_it_must_be_a_whole_number(refusal, value):
    line = refusal("", f"longer={value}")
    assert "longer" in line
    assert value in line
