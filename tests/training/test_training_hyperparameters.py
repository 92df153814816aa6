"""What a configuration may say, what it means, and what of it counts."""

import pytest

from gmm_study.errors import InputError
from gmm_study.training.hyperparameters import Hyperparameters


def canonical(**settings):
    return Hyperparameters.from_mapping(settings).canonical()


@pytest.mark.parametrize(
    "unread",
    [
        {"method": "gmm", "bound": "iwae"},
        {"method": "gmm", "momentum": 0.5},
        {"method": "rws", "optimizer": "rmsprop", "momentum": 0.5},
        {"method": "gmm", "vae_initialisation": "he"},
        {"method": "rws", "activation": "tanh"},
        {"method": "gmm", "kl_warm_up_epochs": 3},
        {"method": "gmm", "decoder_order": "same"},
        {"method": "rws", "encoder_output": "log_sigma"},
        {"method": "gmm", "rmsprop_decay": 0.9},
        {"method": "rws", "z_samples": 50},
        {"method": "vae", "z_samples": 50},
        {"method": "vae", "deterministic_layers": 2},
        {"method": "vae", "q_baseline": "none"},
        {"method": "vae", "top_prior": "fixed"},
        {"method": "vae", "l1": 0.1, "l2": 0.1},
    ],
)
def test_a_setting_that_is_not_read_makes_no_difference(unread):
    read = {name: value for name, value in unread.items() if name in ("method", "optimizer")}
    assert canonical(**unread) == canonical(**read)
    ignored = {name: value for name, value in unread.items() if name not in read}
    with pytest.raises(InputError, match=f"^{next(iter(ignored))}: .*would have no effect"):
        Hyperparameters.from_mapping(unread).refuse_unread(ignored)


@pytest.mark.parametrize(
    "read",
    [
        {"method": "vae", "bound": "iwae"},
        {"method": "vae", "vae_initialisation": "he"},
        {"method": "vae", "activation": "tanh"},
        {"method": "vae", "kl_warm_up_epochs": 3},
        {"method": "vae", "decoder_order": "same"},
        {"method": "vae", "encoder_output": "log_sigma"},
        {"optimizer": "rmsprop", "rmsprop_decay": 0.9},
        {"z_samples": 50},
        {"optimizer": "sgd", "momentum": 0.5},
        {"method": "rws", "deterministic_layers": 2},
        {"q_baseline": "none"},
        {"initialisation": "glorot"},
        {"top_prior": "fixed"},
        {"l1": 0.1},
        {"l2": 0.1},
        {"samples": 3},
        {"layers": [7]},
        {"seed": 1},
        {"batch_size": 7},
        {"learning_rate": 0.01},
        {"patience": 3},
        {"max_epochs": 3},
        {"evaluation_samples": 3},
        {"matmul_precision": "high"},
    ],
)
def test_a_setting_that_is_read_makes_a_difference(read):
    without = dict(list(read.items())[:-1])
    assert canonical(**read) != canonical(**without)
    Hyperparameters.from_mapping(read).refuse_unread(read)


@pytest.mark.parametrize(("method", "samples"), [("gmm", 10), ("rws", 10), ("vae", 1)])
def test_the_methods_own_number_of_samples_stands_in_where_none_is_given(method, samples):
    assert canonical(method=method) == canonical(method=method, samples=samples)
    assert Hyperparameters(method=method).training_samples == samples


@pytest.mark.parametrize("method", ["gmm", "rws", "vae"])
def test_a_canonical_configuration_can_be_read_back(method):
    settings = {"method": method, "layers": {"depth": 3, "first": 20, "last": 5}, "samples": 4}
    written = canonical(**settings)
    assert canonical(**written) == written


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"learning_rate": "1e-3"}, {"learning_rate": 0.001}),
        ({"learning_rate": 1}, {"learning_rate": 1.0}),
        ({"batch_size": "50"}, {"batch_size": 50}),
        ({"batch_size": 50.0}, {"batch_size": 50}),
        ({"samples": None}, {}),
        ({"layers": "48, 24,12"}, {"layers": [48, 24, 12]}),
        ({"layers": "[48,24]"}, {"layers": (48, 24)}),
        ({"layers": "48"}, {"layers": [48]}),
        ({"layers": 48}, {"layers": [48]}),
        ({"layers": ["48", 24.0]}, {"layers": [48, 24]}),
        (
            {"layers": "depth=3,first=40,last=10"},
            {"layers": {"depth": 3, "first": 40, "last": 10}},
        ),
    ],
)
def test_text_and_numbers_of_any_type_mean_the_same(written, value):
    assert canonical(**written) == canonical(**value)


@pytest.mark.parametrize(
    ("rule", "sizes"),
    [
        ({"depth": 3, "first": 400, "last": 4}, [400, 40, 4]),
        ({"depth": 4, "first": 8, "last": 1}, [8, 4, 2, 1]),
        ({"depth": 4, "first": 1, "last": 8}, [1, 2, 4, 8]),
        ({"depth": 2, "first": 30, "last": 7}, [30, 7]),
        ({"depth": 1, "first": 30, "last": 30}, [30]),
        ({"depth": 3, "first": 10, "last": 5}, [10, 7, 5]),
        ({"depth": 5, "first": 2, "last": 1}, [2, 2, 1, 1, 1]),
    ],
)
def test_the_geometric_rule_falls_by_one_ratio_from_first_to_last(rule, sizes):
    assert canonical(layers=rule)["layers"] == sizes


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"learnin_rate": 0.1}, ["learnin_rate", "learning_rate"]),
        ({"method": "gnm"}, ["method", "gnm", "gmm"]),
        ({"method": "unheard-of"}, ["method", "unheard-of", "gmm", "rws", "vae"]),
        ({"method": 3}, ["method", "3", "gmm", "rws", "vae"]),
        ({"matmul_precision": "hi"}, ["matmul_precision", "hi", "high"]),
        ({"bound": "elbow", "method": "vae"}, ["bound", "elbow", "elbo"]),
        ({"learning_rate": 0}, ["learning_rate", "0", "above 0"]),
        ({"learning_rate": -0.1}, ["learning_rate", "-0.1", "above 0"]),
        ({"learning_rate": "fast"}, ["learning_rate", "fast", "number"]),
        ({"learning_rate": "nan"}, ["learning_rate", "nan", "finite"]),
        ({"learning_rate": float("inf")}, ["learning_rate", "inf", "finite"]),
        ({"learning_rate": None}, ["learning_rate", "None", "number"]),
        ({"learning_rate": [0.1]}, ["learning_rate", "0.1", "number"]),
        ({"learning_rate": True}, ["learning_rate", "True", "number"]),
        ({"momentum": 1}, ["momentum", "1", "below 1"]),
        ({"rmsprop_decay": 1}, ["rmsprop_decay", "1", "below 1"]),
        ({"z_samples": 1}, ["z_samples", "1", "at least 2"]),
        ({"activation": "logistics"}, ["activation", "logistics", "'logistic'"]),
        ({"l2": -1}, ["l2", "-1", "at least 0"]),
        ({"batch_size": 2.5}, ["batch_size", "2.5", "whole"]),
        ({"batch_size": 0}, ["batch_size", "0", "at least 1"]),
        ({"samples": 0}, ["samples", "0", "at least 1"]),
        ({"seed": -1}, ["seed", "-1", "at least 0"]),
        ({"layers": []}, ["layers", "list"]),
        ({"layers": ""}, ["layers", "list"]),
        ({"layers": [20, 0]}, ["layers", "0", "at least 1"]),
        ({"layers": [20, 2.5]}, ["layers", "2.5", "whole"]),
        ({"layers": [20, "many"]}, ["layers", "many", "number"]),
        ({"layers": {"depth": 3, "first": 40}}, ["layers", "depth", "first", "last"]),
        ({"layers": {"depth": 0, "first": 40, "last": 4}}, ["layers.depth", "0", "at least 1"]),
        ({"layers": {"depth": 3, "first": 40, "last": 0}}, ["layers.last", "0", "at least 1"]),
        ({"layers": "depth=3,first=40,last=4,7"}, ["layers", "7"]),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_one_line_with_what_would_be_right(settings, said):
    with pytest.raises(InputError) as refusal:
        Hyperparameters.from_mapping(settings)
    message = str(refusal.value)
    assert "\n" not in message
    assert message.startswith(said[0])
    for word in said:
        assert word in message
