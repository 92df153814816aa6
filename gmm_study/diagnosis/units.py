"""What the units of a model tell about the data, and how far from saturation its layers are."""

from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor

from gmm_study.models import Model, RandomStreams, SigmoidBeliefNetwork, VariationalAutoencoder

UNIT_SAMPLES = 100
"""States of q for each datapoint, from which the probabilities of a unit are averaged."""
TINY = 1e-12


@dataclass(frozen=True)
class Layer:
    """The units of one conditional distribution.

    `information` is that of each unit about a datapoint, in nats, with its standard errors; empty
    for a conditional of p. `slope` is the mean of 4 p (1 - p), with its standard error: 1 at
    p = 1/2, and 0 where a unit is saturated. NaN for a Gaussian z.
    """

    part: str
    information: tuple[float, ...]
    information_se: tuple[float, ...]
    slope: float
    slope_se: float


@torch.no_grad()
def layers_of(model: Model, data: Tensor, streams: RandomStreams) -> list[Layer]:
    """The latent layers of q from the data up, then those of p that have a layer above.

    `data` is `[N, D]`, the model has one replicate. Of a model of another kind there are none.
    """
    batch = data.to(model.parameters.flat.dtype).unsqueeze(0)
    if isinstance(model, VariationalAutoencoder):
        return [_of_autoencoder(model, batch, streams)]
    return _of_network(model, batch, streams) if isinstance(model, SigmoidBeliefNetwork) else []


def _of_network(model: SigmoidBeliefNetwork, batch: Tensor, streams: RandomStreams) -> list[Layer]:
    parts: dict[str, list[Tensor]] = {}
    for chunk in batch.split(max(1, 10_000 // UNIT_SAMPLES), dim=1):
        inferred = model.infer(chunk, UNIT_SAMPLES, streams)
        scored = model.score_generative(inferred.states)
        for depth, layer in enumerate(inferred.layers, 1):
            below = f"h{depth - 1}" if depth > 1 else "x"
            probabilities = inferred.states[depth] - layer.residual  # a residual is state - p
            parts.setdefault(f"q(h{depth} | {below})", []).append(probabilities[0])
        for depth, layer in enumerate(scored.layers[1:-1], 1):
            probabilities = inferred.states[depth] - layer.residual
            parts.setdefault(f"p(h{depth} | h{depth + 1})", []).append(probabilities[0])
    return [_layer(part, torch.cat(chunks).double()) for part, chunks in parts.items()]


def _layer(part: str, probabilities: Tensor) -> Layer:
    """The figures of one conditional from the probabilities of a 1 `[N, K, n]`."""
    slope, error = _mean_and_error((4.0 * probabilities * (1.0 - probabilities)).mean((1, 2)))
    if part.startswith("p("):
        return Layer(part, (), (), slope, error)
    samples = probabilities.shape[1]
    whole = _divergences(probabilities.mean(1))
    halves = [_divergences(half.mean(1)) for half in probabilities.split(samples // 2, dim=1)]
    unbiased = 2.0 * whole - (halves[0] + halves[1]) / 2.0  # the bias falls like 1/K
    count = len(unbiased)
    errors = unbiased.std(0) / count**0.5 if count > 1 else unbiased.new_full(whole.shape[1:], nan)
    return Layer(part, _numbers(unbiased.mean(0)), _numbers(errors), slope, error)


def _divergences(means: Tensor) -> Tensor:
    """KL(Bernoulli(p_x) || Bernoulli(mean over x)) `[N, n]`; its mean over x is the information."""
    p, m = means.clamp(TINY, 1.0 - TINY), means.mean(0).clamp(TINY, 1.0 - TINY)
    return p * (p / m).log() + (1.0 - p) * ((1.0 - p) / (1.0 - m)).log()


def _of_autoencoder(model: VariationalAutoencoder, batch: Tensor, streams: RandomStreams) -> Layer:
    """KL(q(z_i | x) || p(z_i)) bounds the information of each z_i from above; 0 of a dead one."""
    encoding = model.encode(batch, 1, streams)
    mean, log_variance = encoding.mean[0, :, 0].double(), encoding.log_variance[0, :, 0].double()
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
    errors = divergence.std(0) / len(divergence) ** 0.5
    return Layer("q(z | x)", _numbers(divergence.mean(0)), _numbers(errors), nan, nan)


def _mean_and_error(values: Tensor) -> tuple[float, float]:
    count = len(values)
    return float(values.mean()), float(values.std() / count**0.5) if count > 1 else nan


def _numbers(values: Tensor) -> tuple[float, ...]:
    return tuple(map(float, values))
