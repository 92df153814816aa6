"""A preset lies under all settings of a study, and under those of a single trial."""

import pytest

from gmm_study.study import make_plan
from gmm_study.training.hyperparameters import Hyperparameters, declared_settings
from gmm_study.training.methods import METHODS
from gmm_study.training.presets import PRESETS, preset_named

CHECKSUMS = {"digits": "d" * 64}


def settings_of(study):
    plan = make_plan(study, CHECKSUMS)
    return {
        trial.config.hyperparameters.method: trial.config.hyperparameters for trial in plan.trials
    }


def test_the_preset_of_the_authors_gives_each_method_what_their_code_does(load):
    found = settings_of(load("preset: authors"))
    for settings in found.values():
        assert (settings.learning_rate, settings.patience) == (0.001, 10)
        assert settings.max_epochs == 10_000
    assert (found["gmm"].q_baseline, found["rws"].q_baseline) == ("uniform", "none")
    assert found["gmm"].probability_clip == found["rws"].probability_clip == 1e-6
    assert (found["vae"].decoder_order, found["vae"].encoder_output) == ("same", "log_sigma")
    criteria = [found[method].criterion for method in ("gmm", "rws", "vae")]
    assert criteria == ["log_p", "bound", "bound"]
    assert [found[method].training_samples for method in ("gmm", "rws", "vae")] == [10, 10, 1]


def test_every_other_setting_lies_over_the_preset(load):
    text = """
preset: authors
fixed: {patience: 20, q_baseline: uniform}
per_method: {vae: {encoder_output: log_variance}}
space: {learning_rate: {grid: [1e-2]}}
"""
    found = settings_of(load(text))
    assert {settings.patience for settings in found.values()} == {20}
    assert {settings.learning_rate for settings in found.values()} == {0.01}
    assert found["rws"].q_baseline == "uniform"
    assert found["vae"].encoder_output == "log_variance"
    assert found["vae"].decoder_order == "same"


def test_a_trial_is_the_same_whether_its_settings_come_from_a_preset_or_from_the_file(load):
    written = ", ".join(f"{n}: {v}" for n, v in PRESETS["authors"].of_method("rws").items())
    preset = make_plan(load("preset: authors", "method=rws"), CHECKSUMS)
    fixed = make_plan(load(f"fixed: {{{written}}}", "method=rws"), CHECKSUMS)
    assert [t.config.trial_id for t in preset.trials] == [t.config.trial_id for t in fixed.trials]


def test_an_override_sets_or_removes_a_preset(load):
    assert settings_of(load("", "preset=authors"))["rws"].q_baseline == "none"
    assert settings_of(load("preset: authors", "preset=null"))["rws"].q_baseline == "uniform"
    assert settings_of(load("small: {preset: authors}", small=True))["rws"].q_baseline == "none"


@pytest.mark.parametrize("name", ["author", "5"])
def test_an_unknown_preset_is_refused_with_the_known_ones(refusal, name):
    line = refusal(f"preset: {name}")
    assert "preset:" in line
    assert "'authors'" in line or "text" in line


@pytest.mark.parametrize("preset", PRESETS)
def test_every_setting_of_a_preset_is_valid_and_read_by_a_method_that_it_is_for(preset):
    known = {spec.name for spec in declared_settings().values()}
    for setting in preset_named(preset).settings:
        assert setting.name in known
        assert setting.source
        readers = 0
        for method in setting.methods or METHODS:
            for optimizer in ("adam", "sgd", "rmsprop"):
                values = {"method": method, "optimizer": optimizer, setting.name: setting.value}
                readers += setting.name in Hyperparameters.from_mapping(values).names_read
        assert readers, setting.name


@pytest.mark.parametrize("preset", PRESETS)
def test_no_setting_of_a_preset_has_two_values_for_a_method(preset):
    for method in METHODS:
        names = [
            setting.name
            for setting in preset_named(preset).settings
            if not setting.methods or method in setting.methods
        ]
        assert len(names) == len(set(names))
