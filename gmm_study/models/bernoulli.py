"""Independent binary units given their logits: states, log-probabilities, and residuals.

A binary state has the shape `[R, B, S, n]`: R replicates, B datapoints, S samples per datapoint. S
is 1 for the data themselves, so quantities that depend only on the data, such as the first layer of
q, are computed on B rows instead of B * K. A residual (state minus probability) is the gradient of
the log-probability with respect to the logits.

On a CPU in single precision the compiled loops of `fused.py` do this work. The torch code here is
used for float64, on a GPU, with clipped probabilities, without numba, and with GMM_STUDY_EAGER=1.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from gmm_study.models import fused
from gmm_study.models.streams import RandomStreams


@dataclass
class Scored:
    """The score of states under their logits, with what its gradient needs."""

    log_prob: Tensor
    """Log-probability of each row in nats, `[R, B, K]`."""
    residual: Tensor
    """State minus probability, `[R, B, K, n]`; 0 where a logit was clipped."""
    inputs: list[Tensor] = field(default_factory=list)
    """The input of each layer of the network that gave the logits, `[R, B, S, n]`."""

    def weigh(self, weights: Tensor, sums: Tensor) -> Tensor:
        """The residuals times the rows' weights `[R, B, K]`; adds their rows to `sums` `[R, n]`.

        Overwrites the residuals.
        """
        if fused.serves(self.residual) and weights.is_contiguous():
            fused.weigh(self.residual, weights, sums)
            return self.residual
        weighted = self.residual.mul_(weights.unsqueeze(3))
        sums.add_(weighted.sum((1, 2)))
        return weighted


class Bernoulli:
    """Binary units with logits `[R, B, S, n]`, each kept in [-limit, limit]."""

    def __init__(self, logits: Tensor, limit: float = torch.inf) -> None:
        self.unclipped = None if limit == torch.inf else logits.abs() < limit
        self.logits = logits if limit == torch.inf else logits.clamp(-limit, limit)

    @property
    def probabilities(self) -> Tensor:
        """The probabilities of a 1, `[R, B, S, n]`."""
        return self.logits.sigmoid()

    def log_prob(self, states: Tensor) -> Tensor:
        """log p(states) in nats, `[R, B, K]`; S = 1 of either serves all K samples."""
        return logsigmoid((2.0 * states - 1.0) * self.logits).sum(3)

    def score(self, states: Tensor) -> Scored:
        """Log-probabilities and residuals of states `[R, B, K, n]`, or `[R, B, 1, n]` for all K.

        Overwrites the logits.
        """
        if self.unclipped is None and fused.serves(self.logits):
            scored = Scored(*fused.score(self.logits, states))
        else:
            residual = self._residual(states, self.probabilities)
            scored = Scored(self.log_prob(states), residual)
        del self.logits
        return scored

    def sample(self, samples: int, streams: RandomStreams) -> tuple[Tensor, Scored]:
        """States `[R, B, samples, n]` and the result of `score` for them. Overwrites the logits."""
        if self.unclipped is None and fused.serves(self.logits):
            states, log_prob, residual = fused.sample(self.logits, samples, streams.keys())
            scored = Scored(log_prob, residual)
        else:
            _, datapoints, _, units = self.logits.shape
            probabilities = self.probabilities
            states = streams.uniform(datapoints, samples, units).lt_(probabilities)
            scored = Scored(self.log_prob(states), self._residual(states, probabilities))
        del self.logits
        return states, scored

    def _residual(self, states: Tensor, probabilities: Tensor) -> Tensor:
        residual = states - probabilities
        return residual if self.unclipped is None else residual * self.unclipped
