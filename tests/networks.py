"""Belief networks for tests: small, and far from their initial parameters."""

import torch

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork

DIMS, SIZES = 4, (3, 2)


def a_network(
    repetitions=1,
    deterministic_layers=0,
    spread=0.4,
    seed=11,
    dtype=torch.float64,
    dims=DIMS,
    sizes=SIZES,
    **options,
):
    """A network with the same parameters in every replicate.

    Equal replicates with streams of their own are independent repetitions of an estimate.
    """
    model = SigmoidBeliefNetwork(
        dims, sizes, repetitions, deterministic_layers, dtype=dtype, **options
    )
    model.initialise(RandomStreams(seed, [0] * repetitions, "initialisation"))
    noise = RandomStreams(seed, [0] * repetitions, "perturbation", dtype=dtype)
    model.parameters.flat += spread * noise.normal(model.parameters.flat.shape[1])
    return model


def some_streams(repetitions=1, seed=0, dtype=torch.float64) -> RandomStreams:
    """Independent streams of as many replicates."""
    return RandomStreams(seed, range(repetitions), "estimation", dtype=dtype)


class Recorder(SigmoidBeliefNetwork):
    """A network that remembers the states it sampled."""

    def infer(self, data, samples, streams):
        inferred = super().infer(data, samples, streams)
        self.states = inferred.states
        return inferred

    def generate(self, datapoints, streams):
        generated = super().generate(datapoints, streams)
        self.dream = generated.states
        return generated
