"""Which model and which objective a method's hyperparameters stand for."""

from collections.abc import Sequence

import torch

from gmm_study.models import Model, SigmoidBeliefNetwork, VariationalAutoencoder
from gmm_study.objectives import (
    GeometricMeanMatching,
    Objective,
    ReweightedWakeSleep,
    VariationalBound,
)
from gmm_study.training.hyperparameters import Hyperparameters


def build_model(
    hyperparameters: Hyperparameters,
    data_dims: int,
    replicates: Sequence[int],
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Model:
    """The model of `replicates`, its parameters still zero."""
    count, layers = len(replicates), hyperparameters.layers
    if hyperparameters.method == "vae":
        return VariationalAutoencoder(data_dims, layers, count, device, dtype)
    return SigmoidBeliefNetwork(
        data_dims,
        layers,
        count,
        hyperparameters.deterministic_layers,
        device,
        dtype,
        initialisation=hyperparameters.initialisation,
        initial_bias=hyperparameters.initial_bias,
        top_prior=hyperparameters.top_prior,
        probability_clip=hyperparameters.probability_clip,
    )


def build_objective(hyperparameters: Hyperparameters) -> Objective:
    """What the method ascends."""
    samples = hyperparameters.samples_per_datapoint
    if hyperparameters.method == "vae":
        return VariationalBound(samples, hyperparameters.bound)
    if hyperparameters.method == "rws":
        return ReweightedWakeSleep(samples, hyperparameters.q_baseline)
    return GeometricMeanMatching(samples, hyperparameters.q_baseline)
