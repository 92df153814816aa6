"""A variational autoencoder: Gaussian latent variables, Bernoulli data, dense networks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gmm_study.models.conditional import affine
from gmm_study.models.parameters import Parameters
from gmm_study.models.streams import RandomStreams

INITIAL_WEIGHT_SCALE = 0.1
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
}


@dataclass
class Encoding:
    """q(z | x) and samples of it."""

    mean: Tensor
    """`[R, B, 1, Z]`."""
    log_variance: Tensor
    """`[R, B, 1, Z]`."""
    noise: Tensor
    """Standard normal draws, `[R, B, K, Z]`."""
    z: Tensor = field(init=False)
    """mean + noise * standard deviation, `[R, B, K, Z]`."""

    def __post_init__(self) -> None:
        self.z = self.mean + self.noise * (0.5 * self.log_variance).exp()


class VariationalAutoencoder:
    """R replicates of p(z) p(x | z) and q(z | x), Kingma and Welling, arXiv 1312.6114.

    z is Gaussian of the last of `sizes`; the others are the hidden layers of the encoder and, in
    reverse (`decoder_order` mirrored) or in the same order (same), of the decoder. The encoder
    returns the mean of z and, by `encoder_output`, the logarithm of its variance or of its standard
    deviation. Gradients come from autograd through reparametrised samples.
    """

    def __init__(
        self,
        data_dims: int,
        sizes: Sequence[int],
        replicates: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        vae_initialisation: str = "normal",
        activation: str = "relu",
        decoder_order: str = "mirrored",
        encoder_output: str = "log_variance",
    ) -> None:
        self.initialisation, self.activation = vae_initialisation, ACTIVATIONS[activation]
        self.encodes_log_sigma = encoder_output == "log_sigma"
        *hidden, self.latent_dims = sizes
        up = hidden[::-1] if decoder_order == "mirrored" else hidden
        self.encoder = _layers("encoder", [data_dims, *hidden, 2 * self.latent_dims])
        self.decoder = _layers("decoder", [self.latent_dims, *up, data_dims])
        shapes: dict[str, tuple[int, ...]] = {}
        for name, (fan_in, fan_out) in (self.encoder | self.decoder).items():
            shapes[f"{name}.weight"] = (fan_in, fan_out)
            shapes[f"{name}.bias"] = (fan_out,)
        self.parameters = Parameters(shapes, replicates, device, dtype)

    def parts(self) -> dict[str, Tensor]:
        """The numbers of the parameters of the decoder and the encoder."""
        prefixes = {"p(x | z)": "decoder.", "q(z | x)": "encoder."}
        return {part: self.parameters.entries(prefix) for part, prefix in prefixes.items()}

    def initialise(self, streams: RandomStreams) -> None:
        """Draw the weights by the rule `vae_initialisation` (docs/spec.md#model); biases are 0."""
        for name, (fan_in, fan_out) in (self.encoder | self.decoder).items():
            weight = self.parameters[f"{name}.weight"]
            if self.initialisation == "normal":
                draws = streams.normal(fan_in, fan_out) * INITIAL_WEIGHT_SCALE
            else:
                fans = {"glorot": fan_in + fan_out, "he": fan_in}[self.initialisation]
                draws = (2.0 * streams.uniform(fan_in, fan_out) - 1.0) * sqrt(6.0 / fans)
            weight.copy_(draws.to(weight.device))
            self.parameters[f"{name}.bias"].zero_()

    def encode(
        self,
        data: Tensor,
        samples: int,
        streams: RandomStreams,
        tensors: dict[str, Tensor] | None = None,
    ) -> Encoding:
        """q(z | x) of `data` `[R, B, D]`, with `samples` reparametrised samples per datapoint.

        `tensors` replaces the parameters where autograd has to follow them.
        """
        output = self._network(data.unsqueeze(2), self.encoder, tensors or self._tensors())
        mean, log_scale = output.chunk(2, dim=3)
        log_variance = 2.0 * log_scale if self.encodes_log_sigma else log_scale
        noise = streams.normal(data.shape[1], samples, self.latent_dims)
        return Encoding(mean, log_variance, noise)

    def log_likelihood(
        self, data: Tensor, z: Tensor, tensors: dict[str, Tensor] | None = None
    ) -> Tensor:
        """log p(x | z) in nats, `[R, B, K]`."""
        logits = self._network(z, self.decoder, tensors or self._tensors())
        agreement = (logits @ data.unsqueeze(3)).squeeze(3)
        return agreement - softplus(logits).sum(3)

    def generate_means(self, datapoints: int, streams: RandomStreams) -> Tensor:
        """E[x | z] of samples of the prior, `[R, B, D]`."""
        z = streams.normal(datapoints, 1, self.latent_dims)
        return self._network(z, self.decoder, self._tensors()).sigmoid().squeeze(2)

    def log_weights(self, data: Tensor, samples: int, streams: RandomStreams) -> Tensor:
        """log p(x, z_k) - log q(z_k | x) with z_k ~ q(z | x): `[R, B, D]` to `[R, B, K]`, nats."""
        encoding = self.encode(data, samples, streams)
        return self.log_likelihood(data, encoding.z) + log_prior_ratio(encoding)

    def _tensors(self) -> dict[str, Tensor]:
        return self.parameters.views_of(self.parameters.flat)

    def _network(
        self, state: Tensor, layers: dict[str, tuple[int, int]], tensors: dict[str, Tensor]
    ) -> Tensor:
        for depth, name in enumerate(layers, start=1):
            state = affine(state, tensors[f"{name}.weight"], tensors[f"{name}.bias"])
            if depth < len(layers):
                state = self.activation(state)
        return state


def log_prior_ratio(encoding: Encoding) -> Tensor:
    """log p(z) - log q(z | x) of the samples, `[R, B, K]`."""
    squares = encoding.noise.square() + encoding.log_variance - encoding.z.square()
    return 0.5 * squares.sum(3)


def kl_divergence(encoding: Encoding) -> Tensor:
    """KL(q(z | x) || p(z)) in nats in closed form, `[R, B]`."""
    mean, log_variance = encoding.mean, encoding.log_variance
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum((2, 3))


def _layers(name: str, widths: Sequence[int]) -> dict[str, tuple[int, int]]:
    fans = pairwise(widths)
    return {f"{name}.{layer}": fan for layer, fan in enumerate(fans)}
