"""The directions of wake-wake, VIMCO and NVIL have the exact mean over draws, K samples each."""

from itertools import pairwise

import pytest
import torch

from gmm_study.models import BaselinedNetwork
from gmm_study.models.baselined import HIDDEN
from gmm_study.objectives import Nvil, Vimco, WakeWake
from gmm_study.objectives.log_weights import log_p, log_p_without
from tests.networks import DIMS, a_network, some_streams
from tests.objectives.test_gradients_exact import (
    DEEP,
    SEEDS,
    SHALLOW,
    SOME_X,
    a_moved_network,
    cases,
    directions,
    exact_mean_direction,
)
from tests.oracle import enumerate_states, every_draw, leaf_tensors
from tests.z_tests import assert_every_mean_within_standard_errors


def gradient_of_the_mean_bound(model, data, samples, bound):
    """The gradient `[P]` of the mean over all draws of a bound, a function of the log-weights."""
    tensors = leaf_tensors(model.parameters)
    draws = every_draw(enumerate_states(tensors, data), samples)
    ascended = draws.mean(bound).mean()
    gradients = torch.autograd.grad(
        ascended, list(tensors.values()), allow_unused=True, materialize_grads=True
    )
    return torch.cat([gradient[0].flatten() for gradient in gradients])


@pytest.mark.sampled
@cases
def test_the_direction_of_wake_wake_has_its_exact_mean_at_k_samples(network, samples, baseline):
    model = a_moved_network(SEEDS, network)
    found = directions(WakeWake(samples, baseline), model, SOME_X)
    truth = exact_mean_direction(model, SOME_X, samples, 1.0, q_wake=1.0, q_sleep=0.0)
    assert_every_mean_within_standard_errors(found, truth)


@pytest.mark.sampled
@pytest.mark.parametrize(("network", "samples"), [(SHALLOW, 2), (DEEP, 2), (SHALLOW, 3)])
def test_the_direction_of_vimco_has_the_gradient_of_its_bound_as_its_mean(network, samples):
    model = a_moved_network(SEEDS, network)
    found = directions(Vimco(samples), model, SOME_X)
    truth = gradient_of_the_mean_bound(model, SOME_X, samples, log_p)
    assert_every_mean_within_standard_errors(found, truth)


def a_baselined_network(replicates, sizes, deterministic_layers=0):
    """All replicates alike, with a C(x) that is not 0."""
    model = BaselinedNetwork(DIMS, sizes, replicates, deterministic_layers, dtype=torch.float64)
    model.initialise(some_streams(replicates))
    generator = torch.Generator().manual_seed(1)
    moved = torch.randn(model.parameters.flat.shape[1], generator=generator, dtype=torch.float64)
    model.parameters.flat[:] = 0.5 * moved
    return model


def of_p_and_q(model, rows):
    """Those entries of `[R, P]` that belong to p and q."""
    views = model.parameters.views_of(rows)
    return torch.cat([v.flatten(1) for name, v in views.items() if "baseline" not in name], 1)


@pytest.mark.sampled
@pytest.mark.parametrize(("network", "samples"), [(SHALLOW, 1), (DEEP, 1), (DEEP, 2)])
def test_the_direction_of_nvil_has_the_gradient_of_the_evidence_lower_bound_as_its_mean(
    network, samples
):
    model = a_baselined_network(SEEDS, *network)
    found = directions(Nvil(samples), model, SOME_X)
    alone = a_baselined_network(1, *network)
    truth = gradient_of_the_mean_bound(alone, SOME_X, samples, lambda w: w.mean(2))
    assert_every_mean_within_standard_errors(
        of_p_and_q(model, found), of_p_and_q(alone, truth[None])[0]
    )


def test_the_prediction_of_nvil_ascends_minus_half_its_squared_error():
    model, samples = a_baselined_network(1, (3, 2)), 4
    objective = Nvil(samples)
    data = SOME_X[None]
    bound = objective.add_gradient(model, data, some_streams(1))
    tensors = leaf_tensors(model.parameters)
    hidden = (data @ tensors["baseline.inward"] + tensors["baseline.inward_bias"][:, None]).tanh()
    output = hidden @ tensors["baseline.outward"] + tensors["baseline.outward_bias"][:, None]
    error = bound - DIMS * output.squeeze(2)
    (-0.5 * error.square().mean() / (DIMS**2 * HIDDEN)).backward()
    for name in tensors:
        if "baseline" in name:
            torch.testing.assert_close(model.parameters.gradient(name), tensors[name].grad)


def test_every_step_of_plain_gradient_ascent_brings_the_prediction_of_nvil_nearer_its_signal():
    """With momentum and a large rate, on data of more dimensions than small pictures have."""
    dims, rate = 784, 1e-2
    model = BaselinedNetwork(dims, [4], 1, dtype=torch.float64)
    model.initialise(some_streams(1))
    data = (torch.rand(1, 50, dims, generator=torch.Generator().manual_seed(0)) < 0.2).double()
    signal, velocity, errors = torch.full((1, 50), -200.0, dtype=torch.float64), 0.0, []
    for _ in range(300):
        model.parameters.grad.zero_()
        predicted, hidden = model.predict_signal(data)
        errors.append((signal - predicted).abs().max().item())
        model.add_prediction_gradient(data, hidden, (signal - predicted) / 50)
        velocity = 0.95 * velocity + rate * model.parameters.grad
        model.parameters.flat += velocity
    assert all(after < before for before, after in pairwise(errors))


def test_a_prediction_that_is_right_narrows_the_spread_of_nvil():
    spreads = []
    for right in (False, True):
        model = a_baselined_network(SEEDS, (3,))
        for name in ("outward", "outward_bias"):
            model.parameters[f"baseline.{name}"].zero_()
        if right:
            exact = enumerate_states(model.parameters, SOME_X)
            level = (exact.log_q.exp() * (exact.log_joint - exact.log_q)).sum(1).mean()
            model.parameters["baseline.outward_bias"].fill_(level / DIMS)
        found = of_p_and_q(model, directions(Nvil(1), model, SOME_X))
        apart = (found - found.mean(0)).square().sum(1)
        spreads.append((apart.mean(), apart.var() / len(apart)))
    (without, of_it), (narrower, of_this) = spreads
    assert without - narrower > 4.0 * (of_it + of_this).sqrt()


@pytest.mark.parametrize("samples", [2, 3, 7])
def test_the_bound_without_a_sample_has_the_geometric_mean_of_the_others_in_its_place(samples):
    log_weights = torch.randn(2, 5, samples, dtype=torch.float64)
    found = log_p_without(log_weights)
    for k in range(samples):
        others = [j for j in range(samples) if j != k]
        replaced = log_weights.clone()
        replaced[..., k] = log_weights[..., others].mean(-1)
        torch.testing.assert_close(found[..., k], log_p(replaced))


def test_the_bound_without_the_sample_that_has_all_the_weight_is_not_lost_to_rounding():
    log_weights = torch.tensor([[200.0, -3.0, -4.0]])
    found = log_p_without(log_weights)[0, 0]
    expected = torch.tensor([-3.5, -3.0, -4.0]).logsumexp(0) - torch.tensor(3.0).log()
    torch.testing.assert_close(found, expected)


def test_vimco_on_equal_weights_leaves_q_alone_but_for_the_mean_zero_term():
    """Of equal weights no sample has a learning signal."""
    model = a_network(1, sizes=(2,))
    model.parameters.flat.zero_()
    log_weights = model.log_weights(SOME_X[None], 4, some_streams(1))
    assert torch.allclose(log_weights, log_weights[..., :1])
    signals = log_p(log_weights).unsqueeze(2) - log_p_without(log_weights)
    torch.testing.assert_close(signals, torch.zeros_like(signals))
