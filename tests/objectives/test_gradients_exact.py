"""The directions of gmm and rws have the exact mean over draws, at small K and at large."""

import pytest
import torch

from gmm_study.exact import exact_log_p_tilde_gradient, exact_rws_direction
from gmm_study.objectives import GeometricMeanMatching, ReweightedWakeSleep
from tests.networks import DIMS, a_network, some_streams
from tests.oracle import all_states, enumerate_states, every_draw, leaf_tensors
from tests.z_tests import assert_every_mean_within_standard_errors

SEEDS = 1500
SOME_X = all_states(DIMS)[[0, 5, 6, 14]]

SHALLOW, DEEP = ((3,), 1), ((2, 1, 1), 0)
"""Sizes and deterministic layers."""

cases = pytest.mark.parametrize(
    ("network", "samples", "baseline"),
    [(SHALLOW, 1, "none"), (DEEP, 1, "uniform"), (DEEP, 2, "none"), (SHALLOW, 3, "uniform")],
)


def a_moved_network(seeds, network):
    sizes, deterministic_layers = network
    return a_network(seeds, deterministic_layers, spread=0.8, sizes=sizes)


def directions(objective, model, data):
    """What the objective adds to the gradient, `[R, P]`, every replicate an independent draw."""
    model.parameters.grad.zero_()
    seeds = model.parameters.replicates
    with torch.no_grad():
        objective.add_gradient(model, data.expand(seeds, -1, -1), some_streams(seeds))
    return model.parameters.grad


def exact_mean_direction(model, data, samples, power, q_wake, q_sleep):
    """The mean direction `[P]` at K samples, over all draws of K hidden states.

    Sample k has the weight w_k^power / sum_j w_j^power. A baseline is the same for all k, and the
    mean of d log q under q is zero: it does not appear.
    """
    tensors = leaf_tensors(model.parameters)
    at_data, fixed = enumerate_states(tensors, data), enumerate_states(model.parameters, data)
    draws = every_draw(fixed, samples)
    weights = draws.mean_weights(lambda w: (power * w).softmax(2), fixed.log_q.shape[1])
    ascended = (weights * (at_data.log_joint + q_wake * at_data.log_q)).sum(1).mean()
    if q_sleep:
        everywhere = enumerate_states(tensors)
        dreams = everywhere.log_joint.exp().detach()
        ascended = ascended + q_sleep * (dreams * everywhere.log_q).sum()
    gradients = torch.autograd.grad(ascended, list(tensors.values()))
    return torch.cat([gradient[0].flatten() for gradient in gradients])


@pytest.mark.sampled
@cases
def test_the_direction_of_gmm_has_its_exact_mean_at_k_samples(network, samples, baseline):
    model = a_moved_network(SEEDS, network)
    found = directions(GeometricMeanMatching(samples, baseline), model, SOME_X)
    truth = exact_mean_direction(model, SOME_X, samples, 0.5, q_wake=1.0, q_sleep=0.0)
    assert_every_mean_within_standard_errors(found, truth)


@pytest.mark.sampled
@cases
def test_the_direction_of_rws_has_its_exact_mean_at_k_samples(network, samples, baseline):
    model = a_moved_network(SEEDS, network)
    found = directions(ReweightedWakeSleep(samples, baseline), model, SOME_X)
    truth = exact_mean_direction(model, SOME_X, samples, 1.0, q_wake=0.5, q_sleep=0.5)
    assert_every_mean_within_standard_errors(found, truth)


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("objective", "limit", "network"),
    [
        (GeometricMeanMatching(4000), exact_log_p_tilde_gradient, SHALLOW),
        (ReweightedWakeSleep(4000, "none"), exact_rws_direction, DEEP),
    ],
)
def test_with_many_samples_the_direction_is_the_exact_limit(objective, limit, network):
    """One datapoint, K = 4000 and 200 seeds, so that the bias is below the error.

    Self-normalised weights have a bias of the order of v / K, v the variance of a weight of mean 1,
    and the mean of S seeds an error of the order of sqrt(v / (S K)): their ratio is
    sqrt(v S / K), a fifth of sqrt(v).
    """
    found = directions(objective, a_moved_network(200, network), SOME_X[2:3])
    truth = limit(a_moved_network(1, network), SOME_X[2:3])[0]
    assert_every_mean_within_standard_errors(found, truth)


@pytest.mark.parametrize("objective", [GeometricMeanMatching, ReweightedWakeSleep])
def test_the_uniform_baseline_leaves_the_mean_as_it_is_and_narrows_the_spread_of_q(objective):
    model = a_moved_network(SEEDS, DEEP)
    spreads = []
    for baseline in ("uniform", "none"):
        found = directions(objective(3, baseline), model, SOME_X)
        of_q = [v for name, v in model.parameters.views_of(found).items() if "inference" in name]
        spreads.append(torch.cat([v.flatten(1) for v in of_q], 1).var(0).sum())
    assert spreads[0] < spreads[1]
