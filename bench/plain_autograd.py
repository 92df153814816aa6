"""gmm as a good engineer writes it with autograd: the peer of the training step by hand."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


class PlainGmm(nn.Module):
    """One pass: sample h ~ q(h | x) layer by layer, then log p and log q of all K samples."""

    def __init__(self, data_dims: int, sizes: list[int]) -> None:
        super().__init__()
        widths = [data_dims, *sizes]
        pairs = list(pairwise(widths))
        self.up = nn.ModuleList(nn.Linear(below, above) for below, above in pairs)
        self.down = nn.ModuleList(nn.Linear(above, below) for below, above in pairs)
        self.top = nn.Parameter(torch.full((widths[-1],), -1.0))

    def loss(self, data: Tensor, samples: int) -> Tensor:
        """Minus the surrogate whose gradient is gmm's ascent direction; `data` is `[B, D]`."""
        state = data.repeat_interleave(samples, 0)
        states, log_q = [state], torch.zeros(len(state))
        for layer in self.up:
            logits = layer(state)
            state = torch.bernoulli(torch.sigmoid(logits.detach()))
            log_q = log_q - _cross_entropy(logits, state)
            states.append(state)
        log_p = -_cross_entropy(self.top.expand_as(state), state)
        for layer, below, above in zip(self.down, states[:-1], states[1:], strict=True):
            log_p = log_p - _cross_entropy(layer(above), below)
        log_p, log_q = log_p.view(-1, samples), log_q.view(-1, samples)
        weights = torch.softmax((log_p - log_q).detach() / 2, 1)
        return -(weights * log_p + (weights - 1 / samples) * log_q).sum(1).mean()


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, target, reduction="none").sum(1)
