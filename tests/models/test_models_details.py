"""The details on which a reproduction hangs: other initial weights and biases, priors, clipping."""

import pytest
import torch
from torch.distributions import Bernoulli

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.objectives import GeometricMeanMatching, ReweightedWakeSleep
from tests.oracle import leaf_tensors, log_p_and_q

DIMS, SIZES = 9, (12, 6, 3)
TOP_PRIOR = "generative.top.logits"


def a_network(dtype=torch.float64, **options):
    model = SigmoidBeliefNetwork(DIMS, SIZES, 2, dtype=dtype, **options)
    model.initialise(RandomStreams(3, [0, 1], "initialisation", dtype=dtype))
    return model


def perturbed(model, scale):
    noise = RandomStreams(4, [0, 1], "perturbation", dtype=torch.float64)
    model.parameters.flat += scale * noise.normal(model.parameters.flat.shape[1])
    return model


def a_batch():
    draws = RandomStreams(5, [0, 1], "data", dtype=torch.float64).uniform(20, DIMS)
    return (draws < 0.5).double()


def some_streams():
    return RandomStreams(6, [0, 1], "noise", dtype=torch.float64)


def test_glorots_weights_are_the_authors_times_the_fan_in():
    authors, glorot = a_network().parameters, a_network(initialisation="glorot").parameters
    for name in authors:
        factor = authors[name].shape[1] if name.endswith(".weight") else 1.0
        torch.testing.assert_close(glorot[name], factor * authors[name])


def test_every_bias_and_the_top_prior_start_at_the_bias_asked_for():
    parameters = a_network(initial_bias=0.25).parameters
    for name in parameters:
        if not name.endswith(".weight"):
            assert (parameters[name] == 0.25).all(), name


@pytest.mark.parametrize("objective", [GeometricMeanMatching(4), ReweightedWakeSleep(4)])
def test_a_fixed_top_prior_is_one_half_a_unit_and_gets_no_gradient(objective):
    model = a_network(top_prior="fixed")
    assert (model.top_prior().probabilities == 0.5).all()
    objective.add_gradient(model, a_batch(), some_streams())
    assert (model.parameters.gradient(TOP_PRIOR) == 0.0).all()
    assert (model.parameters.gradient("generative.2.0.bias") != 0.0).all()


def test_clipped_probabilities_stay_inside_and_are_those_of_the_log_probabilities():
    model = perturbed(a_network(probability_clip=0.1), 3.0)
    inferred = model.infer(a_batch(), 4, some_streams())
    parameters, states = model.parameters, inferred.states
    up = [q(parameters, state) for q, state in zip(model.inference, states[:-1], strict=True)]
    down = [p(parameters, state) for p, state in zip(model.generative, states[1:], strict=True)]
    for layer in [*up, *down, model.top_prior()]:
        assert layer.probabilities.min() > 0.1 - 1e-12
        assert layer.probabilities.max() < 0.9 + 1e-12
        assert ((layer.probabilities - 0.5).abs() > 0.4 - 1e-9).any()
    log_q = sum(
        Bernoulli(layer.probabilities).log_prob(state).sum(3)
        for layer, state in zip(up, states[1:], strict=True)
    )
    torch.testing.assert_close(inferred.log_prob, log_q)


@pytest.mark.parametrize("deterministic_layers", [0, 1])
def test_the_gradient_of_a_clipped_network_is_autograds(deterministic_layers):
    clip = 0.1
    model = perturbed(
        a_network(probability_clip=clip, deterministic_layers=deterministic_layers), 1
    )
    scored = model.infer(a_batch(), 4, some_streams())
    weights = RandomStreams(7, [0, 1], "weights", dtype=torch.float64).uniform(20, 4)
    model.add_generative_gradient(model.score_generative(scored.states), weights)
    model.add_inference_gradient(scored, weights)

    tensors = leaf_tensors(model.parameters)
    total = 0.0
    for replicate in range(2):
        mine = [state[replicate] for state in scored.states]
        log_p, log_q = log_p_and_q(tensors, mine, replicate, clip)
        total = total + (weights[replicate] * (log_p + log_q)).sum()
    total.backward()
    for name in model.parameters:
        torch.testing.assert_close(model.parameters.gradient(name), tensors[name].grad)
