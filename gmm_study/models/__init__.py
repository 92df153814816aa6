"""Models of binary data with latent layers. R, the replicate, is the first dimension everywhere."""

from typing import Protocol

from torch import Tensor

from gmm_study.models.baselined import BaselinedNetwork
from gmm_study.models.parameters import Parameters
from gmm_study.models.sbn import SigmoidBeliefNetwork
from gmm_study.models.streams import RandomStreams
from gmm_study.models.vae import VariationalAutoencoder


class Model(Protocol):
    """The interface that training and evaluation need."""

    parameters: Parameters

    def initialise(self, streams: RandomStreams) -> None:
        """Draw the initial parameters."""

    def log_weights(self, data: Tensor, samples: int, streams: RandomStreams) -> Tensor:
        """log p(x, h_k) - log q(h_k | x) with h_k ~ q(h | x): `[R, B, D]` to `[R, B, K]`, nats."""

    def generate_means(self, datapoints: int, streams: RandomStreams) -> Tensor:
        """E[x | h] of ancestral samples of the generative model, `[R, B, D]`."""


__all__ = [
    "BaselinedNetwork",
    "Model",
    "Parameters",
    "RandomStreams",
    "SigmoidBeliefNetwork",
    "VariationalAutoencoder",
]
