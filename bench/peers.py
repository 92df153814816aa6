"""gmm, rws, vae and their evaluation as a good engineer writes them with autograd: the peers."""

from collections.abc import Sequence
from itertools import pairwise
from math import log

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from bench.cases import BATCH, Network

TWO_PASSES = "gmm in two passes"


class PlainNetwork(nn.Module):
    """p(x, h) and q(h | x) with binary latent layers; every state is `[B * K, n]`."""

    def __init__(self, data_dims: int, sizes: Sequence[int]) -> None:
        super().__init__()
        pairs = list(pairwise([data_dims, *sizes]))
        self.up = nn.ModuleList(nn.Linear(below, above) for below, above in pairs)
        self.down = nn.ModuleList(nn.Linear(above, below) for below, above in pairs)
        self.top = nn.Parameter(torch.full((sizes[-1],), -1.0))

    def infer(self, data: Tensor, samples: int) -> tuple[list[Tensor], Tensor]:
        """States h ~ q(h | x) from the data up, and their log q `[B * K]`, in one pass."""
        state = data.repeat_interleave(samples, 0)
        states, log_q = [state], torch.zeros(len(state))
        for layer in self.up:
            logits = layer(state)
            state = torch.bernoulli(torch.sigmoid(logits.detach()))
            log_q = log_q + _log_prob(logits, state)
            states.append(state)
        return states, log_q

    @torch.no_grad()
    def generate(self, datapoints: int) -> list[Tensor]:
        """States (x, h) ~ p from the data up."""
        states = [torch.bernoulli(torch.sigmoid(self.top).expand(datapoints, -1))]
        for layer in reversed(self.down):
            states.insert(0, torch.bernoulli(torch.sigmoid(layer(states[0]))))
        return states

    def log_p(self, states: list[Tensor]) -> Tensor:
        """log p(x, h) `[B * K]`."""
        log_p = _log_prob(self.top.expand_as(states[-1]), states[-1])
        for layer, below, above in zip(self.down, states[:-1], states[1:], strict=True):
            log_p = log_p + _log_prob(layer(above), below)
        return log_p

    def log_q(self, states: list[Tensor]) -> Tensor:
        """log q(h | x) `[B * K]`."""
        log_q = states[0].new_zeros(len(states[0]))
        for layer, below, above in zip(self.up, states[:-1], states[1:], strict=True):
            log_q = log_q + _log_prob(layer(below), above)
        return log_q


class PlainGmm(PlainNetwork):
    """Geometric mean matching."""

    def loss(self, data: Tensor, samples: int) -> Tensor:
        """Minus the surrogate whose gradient is gmm's ascent direction; `data` is `[B, D]`."""
        states, log_q = self.infer(data, samples)
        log_p, log_q = self.log_p(states).view(-1, samples), log_q.view(-1, samples)
        weights = torch.softmax((log_p - log_q).detach() / 2, 1)
        return -(weights * log_p + (weights - 1 / samples) * log_q).sum(1).mean()


class TwoPassGmm(PlainGmm):
    """The same as the public port to PyTorch computes it.

    States are drawn without autograd, and then all layers of both networks run on every sample.
    """

    def infer(self, data: Tensor, samples: int) -> tuple[list[Tensor], Tensor]:
        """States h ~ q(h | x) `[B * K, n]`, and their log q `[B * K]` in a second pass."""
        with torch.no_grad():
            states, _ = super().infer(data, samples)
        return states, self.log_q(states)


class PlainRws(PlainNetwork):
    """Reweighted wake-sleep."""

    def loss(self, data: Tensor, samples: int) -> Tensor:
        """Minus the surrogate: wake update of p, half wake and half sleep update of q."""
        states, log_q = self.infer(data, samples)
        log_p, log_q = self.log_p(states).view(-1, samples), log_q.view(-1, samples)
        weights = torch.softmax((log_p - log_q).detach(), 1)
        wake = (weights * log_p + 0.5 * (weights - 1 / samples) * log_q).sum(1).mean()
        return -(wake + 0.5 * self.log_q(self.generate(len(data))).mean())


class PlainVae(nn.Module):
    """A variational autoencoder with Gaussian z, relu layers and the KL in closed form."""

    def __init__(self, data_dims: int, sizes: Sequence[int]) -> None:
        super().__init__()
        *hidden, latent_dims = sizes
        self.encoder = _relu_network([data_dims, *hidden, 2 * latent_dims])
        self.decoder = _relu_network([latent_dims, *reversed(hidden), data_dims])

    def loss(self, data: Tensor, samples: int) -> Tensor:
        """Minus the evidence lower bound with `samples` of z a datapoint."""
        mean, log_variance = self.encoder(data).chunk(2, 1)
        deviation = torch.exp(0.5 * log_variance)
        z = mean + deviation * torch.randn(samples, *mean.shape)
        logits = self.decoder(z)
        target = data.expand_as(logits)
        error = binary_cross_entropy_with_logits(logits, target, reduction="none").sum(2).mean(0)
        divergence: Tensor = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        return (error + divergence).mean()


PEERS: dict[str, type[PlainGmm | PlainRws | PlainVae]] = {
    "gmm": PlainGmm,
    TWO_PASSES: TwoPassGmm,
    "rws": PlainRws,
    "vae": PlainVae,
}


class PlainTraining:
    """Epochs with `torch.optim.Adam`."""

    def __init__(self, method: str, network: Network, samples: int) -> None:
        self.model = PEERS[method](network.data_dims, network.sizes)
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.samples = samples

    def train_epoch(self, data: Tensor) -> float:
        """One pass over `data` `[N, D]` in a fresh order; gives the mean loss."""
        total = 0.0
        for indices in torch.randperm(len(data)).split(BATCH):
            batch = data[indices].float()
            self.optimizer.zero_grad()
            loss = self.model.loss(batch, self.samples)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(batch)
        return total / len(data)


@torch.no_grad()
def naive_log_p(model: PlainNetwork, data: Tensor, samples: int, chunk: int = 100) -> Tensor:
    """log p(x) of `data` `[N, D]` by importance sampling, all samples of a chunk at once."""
    parts = []
    for batch in data.split(chunk):
        states, log_q = model.infer(batch.float(), samples)
        log_weights = (model.log_p(states) - log_q).view(-1, samples)
        parts.append(torch.logsumexp(log_weights, 1) - log(samples))
    return torch.cat(parts)


def _log_prob(logits: Tensor, target: Tensor) -> Tensor:
    return -binary_cross_entropy_with_logits(logits, target, reduction="none").sum(1)


def _relu_network(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
