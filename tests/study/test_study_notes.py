"""A study that can be run, but not as it is probably meant, says so in one line for each fact."""

from pathlib import Path

import pytest

from gmm_study.study import load_study
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.inert import inert_settings
from gmm_study.training.schedule import learning_rate

STUDIES = sorted(path.stem for path in Path("studies").glob("*.yaml"))
STAGED = "per_method: {vae: {stages: [{max_epochs: 5}, {max_epochs: 3, samples: 3}]}}\n"


@pytest.mark.parametrize("schedule", ["cosine", "linear", "exponential", "step"])
@pytest.mark.parametrize("warm_up", [0, 2, 9])
@pytest.mark.parametrize("hold", [0, 3, 4, 9])
@pytest.mark.parametrize("max_epochs", [1, 5, 6, 7])
def test_a_schedule_is_named_if_and_only_if_no_epoch_has_a_fallen_rate(
    schedule, warm_up, hold, max_epochs
):
    lengths = {"max_epochs": max_epochs, "warm_up_epochs": warm_up, "hold_epochs": hold}
    settings = Hyperparameters(schedule=schedule, step_epochs=2, **lengths)
    after_warm_up = range(warm_up + 1, max_epochs + 1)
    falls = any(learning_rate(settings, e) < settings.learning_rate for e in after_warm_up)
    assert bool(list(inert_settings(settings))) == (not falls)


@pytest.mark.parametrize(("first", "named"), [(5, False), (6, True)])
def test_an_average_is_named_if_it_begins_after_the_last_epoch(first, named):
    chosen = {"parameter_average": "uniform", "average_from_epoch": first}
    (*lines,) = inert_settings(Hyperparameters(max_epochs=5, **chosen))
    expected = f"average_from_epoch: {first} leaves no epoch of 5 to average over"
    assert lines == ([expected] if named else [])


@pytest.mark.parametrize(("warm_up", "named"), [(4, False), (5, True)])
def test_a_warm_up_of_the_divergence_is_named_if_it_never_ends(warm_up, named):
    (*lines,) = inert_settings(
        Hyperparameters(method="vae", max_epochs=5, kl_warm_up_epochs=warm_up)
    )
    expected = f"kl_warm_up_epochs: {warm_up} leaves no epoch of 5 with the whole KL divergence"
    assert lines == ([expected] if named else [])
    assert not list(inert_settings(Hyperparameters(max_epochs=5, kl_warm_up_epochs=warm_up)))


def test_what_never_acts_is_said_once_for_all_trials_and_changes_none(load):
    text = "fixed: {schedule: cosine, hold_epochs: 10}\nspace: {samples: {grid: [2, 5, 9]}}"
    assert load(text).notes == ()
    assert load(text, "max_epochs=2").notes == (
        "hold_epochs: 10 leaves no epoch of 2 in which the learning rate falls",
    )


def test_what_never_acts_names_the_methods_and_variations_where_it_does_not(load):
    text = """
fixed: {max_epochs: 3}
per_method: {vae: {kl_warm_up_epochs: 3}}
variations: {one: {}, two: {schedule: cosine, hold_epochs: 3}}
"""
    assert load(text).notes == (
        "hold_epochs: 3 leaves no epoch of 3 in which the learning rate falls "
        "(gmm with 'two', rws with 'two', vae with 'two')",
        "kl_warm_up_epochs: 3 leaves no epoch of 3 with the whole KL divergence (vae)",
    )


def test_a_stage_that_is_too_short_is_named_by_its_number(load):
    text = "fixed: {stages: [{}, {schedule: step, max_epochs: 3}]}"
    (line,) = load(text).notes
    assert line.startswith("stages.1: step_epochs: 100 leaves no epoch of 3")


def test_an_override_that_all_stages_of_a_method_set_names_the_method(load):
    line = "max_epochs: has no effect on vae, whose stages all set it"
    assert load(STAGED, "max_epochs=9").notes == (line,)
    assert load(STAGED).notes == ()
    assert load(STAGED, "samples=9").notes == ()


def test_an_override_that_the_stages_of_a_variation_set_names_the_variation(load):
    text = "variations: {one: {}, two: {stages: [{max_epochs: 5}, {max_epochs: 3}]}}"
    (line,) = load(text, "max_epochs=9").notes
    assert line.startswith("max_epochs: has no effect on gmm with 'two', rws with 'two',")


@pytest.mark.parametrize("kind", ["asha", "median"])
@pytest.mark.parametrize(("epochs", "longer"), [(5, 1), (6, 1), (5, 2)])
@pytest.mark.parametrize("stages", ["[]", "[{max_epochs: 2}, {max_epochs: 4}]"])
def test_a_scheduler_is_named_if_and_only_if_it_can_stop_no_trial(
    load, kind, epochs, longer, stages
):
    text = f"""
fixed: {{max_epochs: {epochs}, stages: {stages}}}
space: {{samples: {{grid: [2, 5]}}}}
scheduler: {{kind: {kind}, grace_epochs: 5}}
longer: {longer}
"""
    last = (epochs if stages == "[]" else 6) * longer
    grace = f"scheduler.grace_epochs: {5 * longer}"
    line = f"{grace} leaves no epoch of {last} at which a trial may be stopped"
    assert load(text).notes == ((line,) if last <= 5 * longer else ())


def test_a_scheduler_that_acts_for_one_method_is_not_named(load):
    text = """
fixed: {max_epochs: 3}
per_method: {vae: {max_epochs: 20}}
space: {samples: {grid: [2, 5]}}
scheduler: {kind: asha, grace_epochs: 5}
"""
    assert load(text).notes == ()


def test_the_small_variant_may_be_too_short_but_an_override_without_effect_is_named(load):
    text = f"""
fixed: {{schedule: cosine, hold_epochs: 10}}
space: {{samples: {{grid: [2, 5]}}}}
scheduler: {{kind: asha, grace_epochs: 10}}
small: {{fixed: {{max_epochs: 2}}}}
{STAGED}"""
    line = "max_epochs: has no effect on vae, whose stages all set it"
    assert load(text, small=True).notes == ()
    assert load(text, "max_epochs=2", small=True).notes == (line,)
    whole = load(text, "max_epochs=2").notes
    assert whole[0] == line
    assert [each.partition(": ")[0] for each in whole[1:]] == [
        "hold_epochs",
        "stages.0",
        "stages.1",
        "scheduler.grace_epochs",
    ]


@pytest.mark.parametrize("name", STUDIES)
def test_the_shipped_studies_have_nothing_to_note(name):
    assert load_study(name).notes == ()
