"""On networks small enough to enumerate, every estimate agrees with the exact value."""

import pytest
import torch

from gmm_study.estimators import estimate_bound, estimate_log_p, estimate_log_z2
from gmm_study.objectives import GeometricMeanMatching, ReweightedWakeSleep
from tests.networks import DIMS, a_network, some_streams
from tests.oracle import all_states, enumerate_states
from tests.z_tests import assert_mean_within_standard_errors, assert_within_standard_errors

EVERY_X = all_states(DIMS)


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("deterministic_layers", "samples", "chunk_rows"),
    [(0, 5000, 150), (1, 20_000, 999), (0, 20_000, 1_000_000)],
)
def test_many_samples_give_the_exact_log_likelihoods_however_they_are_chunked(
    deterministic_layers, samples, chunk_rows
):
    model = a_network(deterministic_layers=deterministic_layers)
    found = estimate_log_p(model, EVERY_X, samples, some_streams(), chunk_rows)
    exact = enumerate_states(model.parameters)
    error = ((1.0 / found["ess"] - 1.0) / samples).sqrt()
    assert_within_standard_errors(found["log_p"][0], exact.log_p, error[0])
    error = 2.0 * ((1.0 / found["ess_star"] - 1.0) / samples).sqrt()
    assert_within_standard_errors(found["log_p_tilde"][0], exact.log_p_tilde, error[0])


def test_the_effective_sample_sizes_are_those_of_the_exact_weights():
    model = a_network(50, deterministic_layers=1)
    some_x = EVERY_X[[0, 5, 14]]
    found = estimate_log_p(model, some_x, 10_000, some_streams(50))
    exact = enumerate_states(model.parameters, some_x)
    assert_mean_within_standard_errors(found["ess"], exact.ess)
    assert_mean_within_standard_errors(found["ess_star"], exact.ess_star)


def test_the_mean_of_a_few_weights_is_unbiased_for_the_likelihood_and_its_log_a_lower_bound():
    model = a_network(800)
    exact = enumerate_states(model.parameters)
    means = {}
    for samples in (1, 5, 50):
        found = estimate_log_p(model, EVERY_X, samples, some_streams(800, seed=samples))
        assert_mean_within_standard_errors(found["log_p"].exp(), exact.log_p.exp())
        means[samples] = found["log_p"].mean(0)
        error = found["log_p"].std(0) / 800**0.5
        assert (means[samples] <= exact.log_p + 4.0 * error).all()
    gaps = [(exact.log_p - means[samples]).mean() for samples in (1, 5, 50)]
    assert gaps[0] > gaps[1] > gaps[2] > 0.0


@pytest.mark.parametrize(("deterministic_layers", "chunk_rows"), [(0, 700), (1, 4000)])
def test_log_z2_is_twice_the_exact_log_partition_function(deterministic_layers, chunk_rows):
    model = a_network(3, deterministic_layers)
    found, error = estimate_log_z2(model, 6000, some_streams(3), chunk_rows)
    assert_within_standard_errors(found, enumerate_states(model.parameters).log_z2, error)


def test_log_p_star_is_exact_when_both_of_its_parts_are():
    model, samples = a_network(), 20_000
    found = estimate_log_p(model, EVERY_X, samples, some_streams())
    log_z2, its_error = estimate_log_z2(model, samples, some_streams(seed=1))
    error = 2.0 * ((1.0 / found["ess_star"] - 1.0) / samples).sqrt()
    assert_within_standard_errors(
        (found["log_p_tilde"] - log_z2)[0],
        enumerate_states(model.parameters).log_p_star,
        (error.square() + its_error.square()).sqrt()[0],
    )


@pytest.mark.parametrize("objective", [GeometricMeanMatching(40), ReweightedWakeSleep(40)])
def test_the_bound_of_training_stays_below_what_it_bounds_in_expectation(objective):
    model = a_network(300)
    exact = enumerate_states(model.parameters)
    target = exact.log_p_tilde if isinstance(objective, GeometricMeanMatching) else exact.log_p
    bound = estimate_bound(objective, model, EVERY_X, some_streams(300))["bound"]
    error = bound.std(0) / 300**0.5
    gap = target - bound.mean(0)
    assert (gap > -4.0 * error).all()
    single = type(objective)(1)
    wider = target - estimate_bound(single, model, EVERY_X, some_streams(300))["bound"].mean(0)
    assert wider.mean() > gap.mean() > 0.0


def a_network_whose_q_is_its_exact_posterior():
    """The latent layers say nothing of the data, and q is their prior."""
    model = a_network()
    parameters = model.parameters
    for name in parameters:
        if name.endswith(".weight"):
            parameters[name].zero_()
    parameters["inference.0.0.bias"].copy_(parameters["generative.1.0.bias"])
    parameters["inference.1.0.bias"].copy_(parameters["generative.top.logits"])
    return model


@pytest.mark.parametrize("chunk_rows", [3, 1000])
def test_with_the_exact_posterior_as_q_every_single_sample_is_exact(chunk_rows):
    model = a_network_whose_q_is_its_exact_posterior()
    log_p = enumerate_states(model.parameters).log_p.unsqueeze(0)
    one = torch.ones_like(log_p)
    for samples in (1, 10):
        found = estimate_log_p(model, EVERY_X, samples, some_streams(), chunk_rows)
        torch.testing.assert_close(found["log_p"], log_p)
        torch.testing.assert_close(found["log_p_tilde"], log_p)
        torch.testing.assert_close(found["ess"], one)
        torch.testing.assert_close(found["ess_star"], one)
        for objective in (GeometricMeanMatching(samples), ReweightedWakeSleep(samples)):
            found = estimate_bound(objective, model, EVERY_X, some_streams(), chunk_rows)
            torch.testing.assert_close(found["bound"], log_p)
            torch.testing.assert_close(found["log_p"], log_p)
            torch.testing.assert_close(found["ess"], one)
    log_z2, error = estimate_log_z2(model, 50, some_streams(), chunk_rows)
    torch.testing.assert_close(log_z2, torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(error, torch.zeros(1, dtype=torch.float64))
