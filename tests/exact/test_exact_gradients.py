"""Exact gradients are autograd's through the enumerated sums, and finite differences of them."""

import pytest
import torch

from gmm_study.exact import (
    exact_log_likelihoods,
    exact_log_p_gradient,
    exact_log_p_tilde_gradient,
    exact_rws_direction,
    exact_wake_wake_direction,
)
from tests.networks import a_network
from tests.oracle import all_states, enumerate_states, leaf_tensors

networks = pytest.mark.parametrize(
    ("sizes", "deterministic_layers"),
    [((3,), 1), ((3, 2), 0), ((2, 2, 1), 2)],
)
DIMS = 3
SOME_X = all_states(DIMS)[[0, 3, 3, 6]]


def autograd(model, objective):
    """The gradient `[1, P]` of `objective(tensors)` with respect to the first replicate."""
    tensors = leaf_tensors(model.parameters)
    gradients = torch.autograd.grad(
        objective(tensors), list(tensors.values()), allow_unused=True, materialize_grads=True
    )
    return torch.cat([gradient[0].flatten() for gradient in gradients]).unsqueeze(0)


@networks
def test_the_gradient_of_log_p_is_autograds(sizes, deterministic_layers):
    model = a_network(1, deterministic_layers, 1.0, dims=DIMS, sizes=sizes)
    expected = autograd(model, lambda t: enumerate_states(t, SOME_X).log_p.mean())
    torch.testing.assert_close(exact_log_p_gradient(model, SOME_X), expected)


@networks
def test_the_gradient_of_log_p_tilde_is_autograds(sizes, deterministic_layers):
    model = a_network(1, deterministic_layers, 1.0, dims=DIMS, sizes=sizes)
    expected = autograd(model, lambda t: enumerate_states(t, SOME_X).log_p_tilde.mean())
    torch.testing.assert_close(exact_log_p_tilde_gradient(model, SOME_X), expected)


@networks
def test_the_direction_of_wake_wake_descends_the_divergence_of_wake(sizes, deterministic_layers):
    model = a_network(1, deterministic_layers, 1.0, dims=DIMS, sizes=sizes)

    def ascended(tensors):
        at_data = enumerate_states(tensors, SOME_X)
        wake = (at_data.posterior.detach() * at_data.log_q).sum(1).mean()
        return at_data.log_p.mean() + wake

    torch.testing.assert_close(exact_wake_wake_direction(model, SOME_X), autograd(model, ascended))


@networks
def test_the_direction_of_rws_descends_the_divergences_of_wake_and_of_sleep(
    sizes, deterministic_layers
):
    """q's half of each: of -E log q under p(h | x) of the data, and of that under p(x, h)."""
    model = a_network(1, deterministic_layers, 1.0, dims=DIMS, sizes=sizes)

    def ascended(tensors):
        at_data, everywhere = enumerate_states(tensors, SOME_X), enumerate_states(tensors)
        wake = (at_data.posterior.detach() * at_data.log_q).sum(1).mean()
        sleep = (everywhere.log_joint.exp().detach() * everywhere.log_q).sum()
        return at_data.log_p.mean() + 0.5 * wake + 0.5 * sleep

    torch.testing.assert_close(exact_rws_direction(model, SOME_X), autograd(model, ascended))


@pytest.mark.sampled
@pytest.mark.parametrize("options", [{}, {"probability_clip": 0.2}, {"top_prior": "fixed"}])
def test_gradients_are_finite_differences_of_the_exact_values(options):
    model = a_network(1, 1, 0.7, dims=DIMS, sizes=(2, 2), **options)
    entries, step = model.parameters.flat.shape[1], 1e-5
    moved = a_network(2 * entries, 1, 0.7, dims=DIMS, sizes=(2, 2), **options)
    moved.parameters.flat[:entries] += step * torch.eye(entries)
    moved.parameters.flat[entries:] -= step * torch.eye(entries)
    values = exact_log_likelihoods(moved, SOME_X)
    learned = torch.ones(entries)
    if options.get("top_prior") == "fixed":
        model.parameters.views_of(learned.unsqueeze(0))["generative.top.logits"].zero_()
    for name, gradient_of in (
        ("log_p", exact_log_p_gradient),
        ("log_p_tilde", exact_log_p_tilde_gradient),
    ):
        up, down = values[name].mean(1).split(entries)
        expected = learned * (up - down) / (2 * step)
        torch.testing.assert_close(gradient_of(model, SOME_X)[0], expected, rtol=1e-6, atol=1e-8)


def test_every_replicate_gets_its_own_gradient():
    model, others = a_network(3), [a_network(seed=seed) for seed in range(3)]
    some_x = all_states(4)[:5]
    for replicate, other in enumerate(others):
        model.parameters.flat[replicate] = other.parameters.flat[0]
    for gradient_of in (exact_log_p_gradient, exact_log_p_tilde_gradient, exact_rws_direction):
        expected = torch.cat([gradient_of(other, some_x) for other in others])
        torch.testing.assert_close(gradient_of(model, some_x), expected)


def test_exact_values_leave_the_models_own_gradient_and_parameters_alone():
    model = a_network(2)
    model.parameters.grad.fill_(3.0)
    before = model.parameters.flat.clone()
    exact_rws_direction(model, all_states(4)[:2])
    assert torch.equal(model.parameters.flat, before)
    assert (model.parameters.grad == 3.0).all()
