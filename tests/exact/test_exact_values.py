"""Exact values are those of the oracle's sums over every state."""

import pytest
import torch

from gmm_study.exact import (
    exact_log_likelihoods,
    exact_log_p_gradient,
    exact_posteriors,
    exact_rws_direction,
)
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from tests.networks import a_network
from tests.oracle import all_states, enumerate_states

architectures = pytest.mark.parametrize(
    ("dims", "sizes", "deterministic_layers"),
    [(3, [2], 0), (3, [2, 1], 2), (2, [1, 2, 2], 1)],
)


def some_networks(dims, sizes, deterministic_layers, dtype=torch.float64, **options):
    """Two replicates that differ, far from their initial parameters."""
    model = SigmoidBeliefNetwork(dims, sizes, 2, deterministic_layers, dtype=dtype, **options)
    streams = RandomStreams(0, [0, 1], "parameters", dtype=dtype)
    model.parameters.flat += 1.5 * streams.normal(model.parameters.flat.shape[1])
    return model


def assert_values_of_the_oracle(model, **options):
    every_x = all_states(model.inference[0].sizes[0])
    found = exact_log_likelihoods(model, every_x)
    names = {"log_p", "log_p_tilde", "log_p_star", "ess", "ess_star", "log_z2"}
    assert found.keys() == names
    for replicate in range(2):
        expected = enumerate_states(model.parameters, every_x, replicate, **options)
        for name in names:
            torch.testing.assert_close(found[name][replicate], getattr(expected, name))


@architectures
def test_likelihoods_and_the_partition_function_are_those_of_the_oracle(
    dims, sizes, deterministic_layers
):
    assert_values_of_the_oracle(some_networks(dims, sizes, deterministic_layers))


@architectures
def test_posteriors_are_those_of_the_oracle_state_by_state(dims, sizes, deterministic_layers):
    model, every_x = some_networks(dims, sizes, deterministic_layers), all_states(dims)
    found = exact_posteriors(model, every_x)
    for replicate in range(2):
        expected = enumerate_states(model.parameters, every_x, replicate)
        assert all(map(torch.equal, found.states, expected.hidden))
        torch.testing.assert_close(found.posterior[replicate], expected.posterior)
        torch.testing.assert_close(found.geometric_mean[replicate], expected.geometric_mean)


def test_clipped_probabilities_and_a_fixed_top_prior_are_followed():
    options = {"probability_clip": 0.2, "top_prior": "fixed"}
    model = some_networks(3, [2, 2], 1, **options)
    assert_values_of_the_oracle(model, probability_clip=0.2)


def test_a_model_of_single_precision_gets_exact_values_in_double_precision():
    assert_values_of_the_oracle(some_networks(3, [2, 1], 1, dtype=torch.float32))


def test_data_of_any_type_and_one_datapoint_alone_give_the_same_values():
    model, every_x = a_network(), all_states(4)
    expected = exact_log_likelihoods(model, every_x)
    found = exact_log_likelihoods(model, every_x.to(torch.uint8))
    torch.testing.assert_close(found["log_p"], expected["log_p"])
    alone = exact_log_likelihoods(model, every_x[5:6])
    torch.testing.assert_close(alone["log_p_star"], expected["log_p_star"][:, 5:6])


@pytest.mark.parametrize("most", [3, 20])
def test_values_do_not_depend_on_the_size_of_the_pieces_they_are_summed_in(monkeypatch, most):
    model, every_x = some_networks(3, [1, 2], 1), all_states(3)
    values, posteriors = exact_log_likelihoods(model, every_x), exact_posteriors(model, every_x)
    gradient, direction = exact_log_p_gradient(model, every_x), exact_rws_direction(model, every_x)
    for module in ("messages", "likelihoods", "gradients"):
        monkeypatch.setattr(f"gmm_study.exact.{module}.MOST_PAIRS", most)
    monkeypatch.setattr("gmm_study.exact.states.MOST_NUMBERS", 10 * most)
    for name, found in exact_log_likelihoods(model, every_x).items():
        torch.testing.assert_close(found, values[name])
    found = exact_posteriors(model, every_x)
    torch.testing.assert_close(found.posterior, posteriors.posterior)
    torch.testing.assert_close(found.geometric_mean, posteriors.geometric_mean)
    torch.testing.assert_close(exact_log_p_gradient(model, every_x), gradient)
    torch.testing.assert_close(exact_rws_direction(model, every_x), direction)
