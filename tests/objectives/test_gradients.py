"""Gradients by hand are autograd's on the same samples; replicates do not disturb each other."""

import pytest
import torch

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork, VariationalAutoencoder
from gmm_study.objectives import GeometricMeanMatching, ReweightedWakeSleep, VariationalBound
from tests.networks import Recorder
from tests.oracle import gmm_surrogate, leaf_tensors, rws_surrogate

SAMPLES, BATCH, DIMS, SIZES = 4, 5, 9, [12, 6, 3]

networks = pytest.mark.parametrize(
    ("replicates", "deterministic_layers", "baseline", "beta"),
    [([0, 1, 2], 0, "uniform", 1 / SAMPLES), ([0], 1, "none", 0.0), ([0, 1], 2, "none", 0.0)],
)


def a_model(kind, replicates, dtype=torch.float64, **options):
    model = kind(DIMS, SIZES, len(replicates), dtype=dtype, **options)
    model.initialise(RandomStreams(3, replicates, "initialisation", dtype=dtype))
    noise = RandomStreams(4, replicates, "perturbation", dtype=dtype)
    model.parameters.flat += noise.normal(model.parameters.flat.shape[1])
    return model


def a_batch(replicates, dtype=torch.float64):
    draws = RandomStreams(5, replicates, "data", dtype=dtype).uniform(BATCH, DIMS)
    return (draws < 0.5).to(dtype)


def assert_gradients_match(model, tensors):
    for name in model.parameters:
        torch.testing.assert_close(
            model.parameters.gradient(name), tensors[name].grad, rtol=1e-10, atol=1e-10
        )


@networks
def test_gmm_gradient_by_hand_is_autograds(replicates, deterministic_layers, baseline, beta):
    model = a_model(Recorder, replicates, deterministic_layers=deterministic_layers)
    objective = GeometricMeanMatching(SAMPLES, baseline)
    objective.add_gradient(
        model, a_batch(replicates), RandomStreams(0, replicates, "noise", dtype=torch.float64)
    )
    tensors = leaf_tensors(model.parameters)
    gmm_surrogate(tensors, model.states, beta).backward()
    assert_gradients_match(model, tensors)


@networks
def test_rws_gradient_by_hand_is_autograds(replicates, deterministic_layers, baseline, beta):
    model = a_model(Recorder, replicates, deterministic_layers=deterministic_layers)
    objective = ReweightedWakeSleep(SAMPLES, baseline)
    objective.add_gradient(
        model, a_batch(replicates), RandomStreams(0, replicates, "noise", dtype=torch.float64)
    )
    tensors = leaf_tensors(model.parameters)
    rws_surrogate(tensors, model.states, model.dream, beta).backward()
    assert_gradients_match(model, tensors)


@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_vae_gradient_of_a_replicate_among_others_is_that_of_the_replicate_alone(bound):
    objective = VariationalBound(SAMPLES, bound)
    together = a_model(VariationalAutoencoder, [0, 1, 2])
    batch = a_batch([0, 1, 2])
    objective.add_gradient(
        together, batch, RandomStreams(0, [0, 1, 2], "noise", dtype=torch.float64)
    )
    alone = a_model(VariationalAutoencoder, [2])
    objective.add_gradient(alone, batch[2:], RandomStreams(0, [2], "noise", dtype=torch.float64))
    torch.testing.assert_close(
        together.parameters.grad[2:], alone.parameters.grad, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize(
    "objective", [GeometricMeanMatching(SAMPLES), ReweightedWakeSleep(SAMPLES)]
)
def test_replicate_2_of_3_draws_and_learns_as_it_does_alone(objective):
    together, alone = a_model(Recorder, [0, 1, 2]), a_model(Recorder, [2])
    batch = a_batch([0, 1, 2])
    objective.add_gradient(
        together, batch, RandomStreams(0, [0, 1, 2], "noise", dtype=torch.float64)
    )
    objective.add_gradient(alone, batch[2:], RandomStreams(0, [2], "noise", dtype=torch.float64))
    for among, by_itself in zip(together.states, alone.states, strict=True):
        assert torch.equal(among[2:], by_itself)
    torch.testing.assert_close(
        together.parameters.grad[2:], alone.parameters.grad, rtol=1e-10, atol=1e-10
    )


def test_a_single_sample_with_the_uniform_baseline_leaves_the_inference_model_alone():
    model = a_model(SigmoidBeliefNetwork, [0])
    GeometricMeanMatching(1).add_gradient(
        model, a_batch([0]), RandomStreams(0, [0], "noise", dtype=torch.float64)
    )
    inference = [
        model.parameters.gradient(name) for name in model.parameters if "inference" in name
    ]
    assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in inference)
