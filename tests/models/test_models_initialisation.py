"""The initial parameters, on which reproducing the published figures hangs."""

from itertools import pairwise

import pytest
import torch

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork, VariationalAutoencoder

DIMS, SIZES = 30, (20, 12, 5)


def a_network(replicates=(0,), deterministic_layers=0, seed=0):
    model = SigmoidBeliefNetwork(DIMS, SIZES, len(replicates), deterministic_layers)
    model.initialise(RandomStreams(seed, replicates, "initialisation"))
    return model


def an_autoencoder(replicates=(0,), deterministic_layers=0, seed=0, **options):
    model = VariationalAutoencoder(DIMS, SIZES, len(replicates), **options)
    model.initialise(RandomStreams(seed, replicates, "initialisation"))
    return model


@pytest.mark.parametrize("deterministic_layers", [0, 1, 2])
def test_every_bias_and_the_top_prior_of_a_belief_network_start_at_minus_one(deterministic_layers):
    parameters = a_network((0, 1), deterministic_layers).parameters
    for name in parameters:
        if not name.endswith(".weight"):
            assert (parameters[name] == -1.0).all(), name


@pytest.mark.parametrize("deterministic_layers", [0, 1])
def test_weights_of_a_belief_network_are_uniform_in_glorots_range_over_the_fan_in(
    deterministic_layers,
):
    replicates = range(40)
    parameters = a_network(replicates, deterministic_layers).parameters
    for name in parameters:
        if not name.endswith(".weight"):
            continue
        weight = parameters[name].double()
        fan_in, fan_out = weight.shape[1:]
        limit = (6.0 / (fan_in + fan_out)) ** 0.5 / fan_in
        count = weight.numel()
        assert weight.abs().max() <= limit * (1.0 + 1e-6), name
        assert abs(weight.mean()) < 4.0 * limit / (3.0 * count) ** 0.5, name
        mean_square, its_error = limit**2 / 3.0, limit**2 * (4.0 / 45.0 / count) ** 0.5
        assert abs(weight.square().mean() - mean_square) < 4.0 * its_error, name


def test_weights_of_an_autoencoder_are_normal_with_a_tenth_as_deviation_and_its_biases_zero():
    parameters = an_autoencoder(range(40)).parameters
    for name in parameters:
        if name.endswith(".bias"):
            assert (parameters[name] == 0.0).all(), name
            continue
        weight = parameters[name].double() / 0.1
        count = weight.numel()
        assert abs(weight.mean()) < 4.0 / count**0.5, name
        assert abs(weight.square().mean() - 1.0) < 4.0 * (2.0 / count) ** 0.5, name
        assert abs(weight.pow(4).mean() - 3.0) < 4.0 * (96.0 / count) ** 0.5, name


@pytest.mark.parametrize(
    ("rule", "limit_of"),
    [
        ("glorot", lambda fan_in, fan_out: (6.0 / (fan_in + fan_out)) ** 0.5),
        ("he", lambda fan_in, fan_out: (6.0 / fan_in) ** 0.5),
    ],
)
def test_weights_of_an_autoencoder_are_uniform_in_the_range_of_their_rule(rule, limit_of):
    parameters = an_autoencoder(range(40), vae_initialisation=rule).parameters
    for name in parameters:
        if name.endswith(".bias"):
            assert (parameters[name] == 0.0).all(), name
            continue
        weight = parameters[name].double() / limit_of(*parameters[name].shape[1:])
        count = weight.numel()
        assert weight.abs().max() <= 1.0 + 1e-6, name
        assert abs(weight.mean()) < 4.0 / (3.0 * count) ** 0.5, name
        assert abs(weight.square().mean() - 1.0 / 3.0) < 4.0 * (4.0 / 45.0 / count) ** 0.5, name


@pytest.mark.parametrize("build", [a_network, an_autoencoder])
@pytest.mark.parametrize("deterministic_layers", [0, 1])
def test_three_replicates_start_as_each_does_alone_and_unlike_one_another(
    build, deterministic_layers
):
    together = build((0, 1, 2), deterministic_layers).parameters.flat
    for replicate in range(3):
        alone = build((replicate,), deterministic_layers).parameters.flat
        assert torch.equal(together[replicate : replicate + 1], alone)
    assert not torch.equal(together[0], together[1])
    another_seed = build((0,), deterministic_layers, seed=1).parameters.flat
    assert not torch.equal(another_seed[0], together[0])


def test_the_two_directions_of_a_layer_and_the_layers_start_unlike_one_another():
    parameters = a_network().parameters
    up, down = parameters["inference.0.0.weight"][0], parameters["generative.0.0.weight"][0]
    scale_up, scale_down = up.abs().max(), down.abs().max()
    assert not torch.allclose(up / scale_up, down.T / scale_down)


@pytest.mark.parametrize("deterministic_layers", [0, 1, 3])
def test_deterministic_layers_have_the_mean_size_of_what_they_connect(deterministic_layers):
    parameters = a_network(deterministic_layers=deterministic_layers).parameters
    for layer, (below, above) in enumerate(pairwise([DIMS, *SIZES])):
        between = [(below + above) // 2] * deterministic_layers
        for name, widths in (
            (f"generative.{layer}", [above, *between, below]),
            (f"inference.{layer}", [below, *between, above]),
        ):
            found = [
                tuple(parameters[f"{name}.{inner}.weight"].shape[1:])
                for inner in range(deterministic_layers + 1)
            ]
            assert found == list(pairwise(widths))
            assert f"{name}.{deterministic_layers + 1}.weight" not in parameters.shapes


def test_an_autoencoder_mirrors_its_layers_around_the_gaussian_one():
    parameters = an_autoencoder().parameters
    encoder = [tuple(parameters[f"encoder.{layer}.weight"].shape[1:]) for layer in range(3)]
    decoder = [tuple(parameters[f"decoder.{layer}.weight"].shape[1:]) for layer in range(3)]
    assert encoder == [(30, 20), (20, 12), (12, 2 * 5)]
    assert decoder == [(5, 12), (12, 20), (20, 30)]


def test_the_decoder_can_have_its_hidden_layers_in_the_order_of_the_encoder():
    parameters = an_autoencoder(decoder_order="same").parameters
    decoder = [tuple(parameters[f"decoder.{layer}.weight"].shape[1:]) for layer in range(3)]
    assert decoder == [(5, 20), (20, 12), (12, 30)]
