"""A belief network's two distributions, summed over all their states."""

import pytest
import torch

from tests.estimators.enumeration import (
    DIMS,
    Enumeration,
    a_network,
    all_hidden_states,
    all_states,
    assert_mean_within_standard_errors,
    enumerate_states,
    some_streams,
)
from tests.reference import log_p_and_q

depths = pytest.mark.parametrize("deterministic_layers", [0, 1, 2])


def scored_by_the_model(model) -> Enumeration:
    """Every x with every h, by the model's own log-probabilities."""
    data = all_states(DIMS)
    hidden = [layer.expand(1, len(data), -1, -1) for layer in all_hidden_states()]
    states = [data[None, :, None, :], *hidden]
    log_joint = model.score_generative(states).log_prob[0]
    return Enumeration(data, log_joint, model.score_inference(states).log_prob[0])


@depths
def test_log_probabilities_of_every_state_are_those_of_the_reference(deterministic_layers):
    model = a_network(deterministic_layers=deterministic_layers)
    found, expected = scored_by_the_model(model), enumerate_states(model)
    torch.testing.assert_close(found.log_joint, expected.log_joint)
    torch.testing.assert_close(found.log_q, expected.log_q)


@depths
def test_both_distributions_sum_to_one(deterministic_layers):
    exact = scored_by_the_model(a_network(deterministic_layers=deterministic_layers))
    one = torch.ones((), dtype=torch.float64)
    torch.testing.assert_close(exact.log_joint.exp().sum(), one)
    torch.testing.assert_close(exact.log_q.exp().sum(1), one.expand(2**DIMS))
    torch.testing.assert_close(exact.log_p_star.exp().sum(), one)


@depths
@pytest.mark.parametrize("spread", [0.1, 0.5, 2.0])
def test_log_p_tilde_is_below_log_p_and_below_log_p_star(deterministic_layers, spread):
    model = a_network(deterministic_layers=deterministic_layers, spread=spread)
    exact = scored_by_the_model(model)
    assert exact.log_z2 <= 0.0
    assert (exact.log_p_tilde <= exact.log_p).all()
    assert (exact.log_p_tilde <= exact.log_p_star).all()


@depths
def test_the_log_probability_of_a_sample_is_that_of_its_states(deterministic_layers):
    model = a_network(2, deterministic_layers)
    generated = model.generate(50, some_streams(2))
    data = all_states(DIMS).expand(2, -1, -1)
    inferred = model.infer(data, 3, some_streams(2))
    for replicate in range(2):
        mine = [state[replicate] for state in generated.states]
        log_p, _ = log_p_and_q(model.parameters, mine, replicate, deterministic_layers + 1)
        torch.testing.assert_close(generated.log_prob[replicate], log_p)
        mine = [state[replicate] for state in inferred.states]
        _, log_q = log_p_and_q(model.parameters, mine, replicate, deterministic_layers + 1)
        torch.testing.assert_close(inferred.log_prob[replicate], log_q)


def assert_frequencies(states, probabilities):
    """How often each binary vector occurs in `[N, units]` is its probability; Pearson's test."""
    count, units = states.shape
    numbers = (states * 2.0 ** torch.arange(units)).sum(1).long()
    found, expected = torch.bincount(numbers, minlength=2**units), count * probabilities
    statistic = ((found - expected).square() / expected).sum()
    freedom = len(expected) - 1.0
    assert statistic < freedom + 4.0 * (2.0 * freedom) ** 0.5


@depths
def test_ancestral_samples_have_the_frequencies_of_p(deterministic_layers):
    model = a_network(deterministic_layers=deterministic_layers)
    exact = enumerate_states(model)
    data, *hidden = (state[0, :, 0, :] for state in model.generate(100_000, some_streams()).states)
    assert_frequencies(data, exact.log_p.exp())
    assert_frequencies(torch.cat(hidden, dim=1), exact.log_joint.logsumexp(0).exp())


@depths
def test_inferred_samples_have_the_frequencies_of_q(deterministic_layers):
    model = a_network(deterministic_layers=deterministic_layers)
    exact = enumerate_states(model)
    chosen = [0, 5, 14]
    inferred = model.infer(exact.data[chosen].unsqueeze(0), 100_000, some_streams())
    hidden = torch.cat(inferred.states[1:], dim=3)[0]
    for x, states in zip(chosen, hidden, strict=True):
        assert_frequencies(states, exact.log_q[x].exp())


def test_generated_means_average_to_the_exact_mean_of_the_data():
    model = a_network()
    exact = enumerate_states(model)
    means = model.generate_means(20_000, some_streams())[0]
    assert ((means > 0.0) & (means < 1.0)).all()
    assert_mean_within_standard_errors(means, exact.log_p.exp() @ exact.data)
