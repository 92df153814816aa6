"""A belief network's two distributions: their log-probabilities and their samples."""

import pytest
import torch

from tests.networks import DIMS, a_network, some_streams
from tests.oracle import enumerate_states, log_p_and_q, numbers_of
from tests.z_tests import LIMIT, assert_mean_within_standard_errors, chi_square_score

depths = pytest.mark.parametrize("deterministic_layers", [0, 2])


@depths
def test_log_probabilities_of_every_state_are_those_of_the_oracle_and_sum_to_one(
    deterministic_layers,
):
    model = a_network(deterministic_layers=deterministic_layers)
    exact = enumerate_states(model.parameters)
    hidden = [layer.expand(1, 2**DIMS, -1, -1) for layer in exact.hidden]
    states = [exact.data[None, :, None, :], *hidden]
    log_joint = model.score_generative(states).log_prob[0]
    log_q = model.score_inference(states).log_prob[0]
    torch.testing.assert_close(log_joint, exact.log_joint)
    torch.testing.assert_close(log_q, exact.log_q)
    one = torch.ones(2**DIMS, dtype=torch.float64)
    torch.testing.assert_close(log_joint.exp().sum(), one[0])
    torch.testing.assert_close(log_q.exp().sum(1), one)


@depths
def test_the_log_probability_of_a_sample_is_that_of_its_states(deterministic_layers):
    model = a_network(2, deterministic_layers)
    generated = model.generate(50, some_streams(2))
    data = enumerate_states(model.parameters).data.expand(2, -1, -1)
    inferred = model.infer(data, 3, some_streams(2))
    for replicate in range(2):
        mine = [state[replicate] for state in generated.states]
        log_p, _ = log_p_and_q(model.parameters, mine, replicate)
        torch.testing.assert_close(generated.log_prob[replicate], log_p)
        mine = [state[replicate] for state in inferred.states]
        _, log_q = log_p_and_q(model.parameters, mine, replicate)
        torch.testing.assert_close(inferred.log_prob[replicate], log_q)


def test_ancestral_samples_have_the_frequencies_of_p():
    model = a_network(deterministic_layers=1)
    exact = enumerate_states(model.parameters)
    data, *hidden = (state[0, :, 0, :] for state in model.generate(50_000, some_streams()).states)
    assert chi_square_score(numbers_of(data), exact.log_p.exp()) < LIMIT
    of_hidden = exact.log_joint.logsumexp(0).exp()
    assert chi_square_score(numbers_of(torch.cat(hidden, dim=1)), of_hidden) < LIMIT


def test_inferred_samples_have_the_frequencies_of_q():
    model = a_network(deterministic_layers=1)
    exact = enumerate_states(model.parameters)
    chosen = [0, 5, 14]
    inferred = model.infer(exact.data[chosen].unsqueeze(0), 50_000, some_streams())
    hidden = torch.cat(inferred.states[1:], dim=3)[0]
    for x, states in zip(chosen, hidden, strict=True):
        assert chi_square_score(numbers_of(states), exact.log_q[x].exp()) < LIMIT


def test_generated_means_average_to_the_exact_mean_of_the_data():
    model = a_network()
    exact = enumerate_states(model.parameters)
    means = model.generate_means(20_000, some_streams())[0]
    assert ((means > 0.0) & (means < 1.0)).all()
    assert_mean_within_standard_errors(means, exact.log_p.exp() @ exact.data)
