"""A trial is what is trained on what, and nothing else."""

import json

import pytest

from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig
from tests.training.small import a_dataset, some_hyperparameters

DATA = a_dataset()


def a_config(data=DATA, **settings) -> TrialConfig:
    return TrialConfig(some_hyperparameters(**settings), data.name, data.sha256)


def test_the_id_does_not_depend_on_the_name_or_the_place_of_the_data():
    names = ("bits", "elsewhere/bits.npz", "/a/folder of/csv files")
    assert len({a_config(a_dataset(name)).trial_id for name in names}) == 1


def test_the_id_changes_with_the_data():
    assert a_config(a_dataset(seed=1)).trial_id != a_config().trial_id
    assert a_config(a_dataset(dims=7)).trial_id != a_config().trial_id


def test_the_id_changes_with_every_setting_that_matters():
    changes = [
        {},
        {"method": "rws"},
        {"method": "vae"},
        {"method": "vae", "bound": "iwae"},
        {"method": "vae", "vae_initialisation": "glorot"},
        {"method": "vae", "activation": "tanh"},
        {"method": "vae", "kl_warm_up_epochs": 3},
        {"method": "vae", "decoder_order": "same"},
        {"method": "vae", "encoder_output": "log_sigma"},
        {"layers": [5, 4]},
        {"layers": [5]},
        {"layers": [3, 5]},
        {"deterministic_layers": 1},
        {"initialisation": "glorot"},
        {"initial_bias": 0},
        {"top_prior": "fixed"},
        {"probability_clip": 1e-6},
        {"samples": 5},
        {"q_baseline": "none"},
        {"l1": 1e-5},
        {"l2": 1e-5},
        {"optimizer": "sgd"},
        {"optimizer": "sgd", "momentum": 0.9},
        {"optimizer": "rmsprop"},
        {"optimizer": "rmsprop", "rmsprop_decay": 0.9},
        {"learning_rate": 0.02},
        {"batch_size": 17},
        {"max_epochs": 7},
        {"patience": 4},
        {"seed": 1},
        {"evaluation_samples": 51},
        {"stages": [{"max_epochs": 3}, {"max_epochs": 3}]},
        {"stages": [{"max_epochs": 3}, {"max_epochs": 3, "samples": 9}]},
        {"max_seconds": 60},
        {"validate_every": 2},
        {"schedule": "cosine"},
        {"schedule": "linear"},
        {"warm_up_epochs": 1},
        {"z_samples": 500},
        {"selection_samples": 500},
    ]
    ids = {a_config(**change).trial_id for change in changes}
    assert len(ids) == len(changes)


@pytest.mark.parametrize(
    "same",
    [
        {"samples": "4"},
        {"layers": "5,3"},
        {"layers": {"depth": 2, "first": 5, "last": 3}},
        {"learning_rate": "1e-2"},
        {"momentum": 0.3},
        {"bound": "iwae"},
        {"l1": 0},
        {"stages": []},
        {"max_seconds": None},
        {"hold_epochs": 2},
    ],
)
def test_the_id_does_not_change_with_another_spelling_or_what_is_not_read(same):
    assert a_config(**same).trial_id == a_config().trial_id


@pytest.mark.parametrize("method", ["gmm", "vae"])
@pytest.mark.parametrize(
    ("one", "same"),
    [
        (
            {"max_epochs": 200, "stages": [{}, {"max_epochs": 20}]},
            {"max_epochs": 7, "stages": [{"max_epochs": 200}, {"max_epochs": 20, "l1": 0}]},
        ),
        (
            {"stages": [{"learning_rate": 2e-3}, {"learning_rate": 2e-3, "max_epochs": 3}]},
            {"learning_rate": 2e-3, "stages": [{}, {"max_epochs": 3}]},
        ),
        (
            {"samples": None, "stages": [{}, {"max_epochs": 3, "samples": None}]},
            {"samples": None, "stages": [{"samples": None}, {"max_epochs": 3}]},
        ),
        (
            {"stages": [{}, {"schedule": "cosine", "final_learning_rate": 1e-6}]},
            {"final_learning_rate": 1e-6, "stages": [{}, {"schedule": "cosine"}]},
        ),
        ({"stages": [{}]}, {}),
        ({"stages": [{"max_epochs": 9, "samples": 3}]}, {"max_epochs": 9, "samples": 3}),
    ],
)
def test_equal_stages_are_the_same_trial_wherever_a_setting_is_written(method, one, same):
    configs = [a_config(method=method, **settings) for settings in (one, same)]
    assert configs[0].to_json() == configs[1].to_json()
    assert configs[0].prefix_id == configs[1].prefix_id


def test_a_k_that_a_stage_resets_to_the_default_of_its_method_is_written_out():
    stages = [{"max_epochs": 3}, {"max_epochs": 3, "samples": None}]
    both = [a_config(samples=7, stages=stages), a_config(samples=7, stages=[stages[0]] * 2)]
    assert both[0].to_json()["hyperparameters"]["stages"][1] == {"samples": 10}
    assert both[0].trial_id != both[1].trial_id


STAGES = [{"max_epochs": 3}, {"learning_rate": 1e-3, "optimizer": "sgd", "bound": "iwae"}]


@pytest.mark.parametrize("more", [{}, {"stages": STAGES}])
@pytest.mark.parametrize("method", ["gmm", "rws", "vae"])
def test_a_configuration_read_back_is_the_same_trial(method, more):
    config = a_config(method=method, **more)
    document = json.loads(json.dumps(config.to_json()))
    again = TrialConfig.from_json(document)
    assert again.trial_id == config.trial_id == document["trial_id"]
    assert (again.dataset, again.dataset_sha256) == (DATA.name, DATA.sha256)
    assert again.flat() == config.flat()


def test_the_flat_row_has_plain_values_and_the_depth():
    stages = [{"max_epochs": 3, "samples": 9}, {"max_epochs": 5}]
    row = a_config(layers=[8, 4, 2], samples=9, stages=stages).flat()
    assert row["stages"] == '[{},{"max_epochs":5}]'
    assert (row["dataset"], row["depth"], row["layers"]) == (DATA.name, 3, "8,4,2")
    assert all(isinstance(value, str | int | float) for value in row.values())


def test_a_setting_added_later_leaves_the_ids_of_earlier_records_as_they_are():
    earlier = TrialConfig(Hyperparameters(), "digits", "0" * 64)
    assert earlier.trial_id == "5a7381c7aae1fcdb"
    later = {"initialisation", "initial_bias", "top_prior", "probability_clip", "z_samples"}
    later |= {"selection_samples"}
    assert later <= set(earlier.flat())


def test_new_settings_of_the_vae_leave_the_ids_of_earlier_records_as_they_are():
    earlier = TrialConfig(Hyperparameters(method="vae"), "digits", "0" * 64)
    assert earlier.trial_id == "0068bc798a1894bc"
    later = {"vae_initialisation", "activation", "decoder_order", "encoder_output"}
    assert later | {"kl_warm_up_epochs"} <= set(earlier.flat())
