"""`longer: N` is the same study with every duration of its training N times as long."""

import pytest

from gmm_study.study import make_plan
from gmm_study.training.hyperparameters import Hyperparameters, declared_settings, durations

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
    counted = {
        spec.name
        for spec in declared_settings().values()
        if spec.name.endswith(("_epochs", "_epoch", "_seconds"))
    }
    assert durations().keys() == counted | {"patience"}


@pytest.mark.parametrize(("first", "then"), [(1, 1), (2, 6), (11, 51)])
def test_an_average_leaves_out_longer_times_the_epochs_before_its_first(first, then):
    averaged = Hyperparameters(parameter_average="uniform", average_from_epoch=first)
    assert averaged.prolonged(5).average_from_epoch == then


def test_an_axis_over_a_duration_has_the_values_that_were_trained(load):
    text = """
fixed: {max_epochs: 60}
space: {patience: {grid: [10, 20]}}
longer: 5
"""
    plan = plan_of(load(text))
    assert [trial.axes for trial in plan.trials] == [{"patience": 50}] * 3 + [{"patience": 100}] * 3
    for trial in plan.trials:
        assert trial.config.hyperparameters.patience == trial.axes["patience"]


@pytest.mark.parametrize("kind", ["random", "tpe"])
def test_a_search_over_a_duration_proposes_what_the_study_gives_and_trains_longer(load, kind):
    text = f"""
space: {{patience: {{choice: [10, 20]}}}}
search: {{kind: {kind}, trials: 2}}
"""
    plan = plan_of(load(text, "longer=3"))
    trials = [*plan.trials, *plan.stand_ins()]
    assert trials
    for trial in trials:
        assert trial.axes["patience"] in (30, 60)
        assert trial.config.hyperparameters.patience == trial.axes["patience"]


def test_the_scheduler_waits_longer_and_a_longer_search_starts_anew(load):
    text = """
space: {max_epochs: {choice: [40, 60]}, learning_rate: {log_uniform: [1e-3, 1e-1]}}
search: {kind: tpe, trials: 4}
scheduler: {kind: asha, grace_epochs: 6, reduction_factor: 3}
"""
    study, longer = load(text), load(text, "longer=2")
    assert study.scheduler.milestones(60) == [6, 18, 54]
    assert longer.prolonged_scheduler.milestones(120) == [12, 36, 108]
    assert not plan_of(study).cells.keys() & plan_of(longer).cells.keys()
    without = text.replace("asha, grace_epochs: 6, reduction_factor: 3", "none")
    assert not plan_of(load(without)).cells.keys() & plan_of(load(without, "longer=2")).cells.keys()


@pytest.mark.parametrize("value", ["0", "1.5", "long"])
def test_it_must_be_a_whole_number(refusal, value):
    line = refusal("", f"longer={value}")
    assert "longer" in line
    assert value in line
