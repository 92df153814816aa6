"""Variational inference for Monte Carlo objectives: Mnih and Rezende, arXiv 1602.06725."""

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.objectives.log_weights import importance_estimates, importance_weights, log_p


class Vimco:
    """Ascends L = E[log mean_k w_k] with w_k = p(x, h_k) / q(h_k | x), K of 2 at least."""

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def add_gradient(
        self, model: SigmoidBeliefNetwork, data: Tensor, streams: RandomStreams
    ) -> Tensor:
        """Add the ascent direction, mean over the batch `[R, B, D]`; gives the bound `[R, B]`.

        It is unbiased: sum_k v_k d log w_k + sum_k signal_k d log q_k, v the normalised weights, in
        both sums of which there is d log q_k.
        """
        inferred = model.infer(data, self.samples, streams)
        scored = model.score_generative(inferred.states)
        log_weights = scored.log_prob - inferred.log_prob
        weights, signals = importance_weights(log_weights), learning_signals(log_weights)
        model.add_generative_gradient(scored, weights / data.shape[1])
        model.add_inference_gradient(inferred, (signals - weights) / data.shape[1])
        return log_p(log_weights)

    def estimates(
        self, model: SigmoidBeliefNetwork, data: Tensor, streams: RandomStreams
    ) -> dict[str, Tensor]:
        """`bound`, `log_p` and `ess` of each datapoint with K samples, `[R, B]`."""
        return importance_estimates(model.log_weights(data, self.samples, streams))


def learning_signals(log_weights: Tensor) -> Tensor:
    """log mean_j w_j less the same with w_k replaced by the others' geometric mean, `[..., K]`."""
    samples = log_weights.shape[-1]
    others = (log_weights.sum(-1, keepdim=True) - log_weights) / (samples - 1)
    itself = torch.eye(samples, dtype=torch.bool, device=log_weights.device)
    without = torch.where(itself, others.unsqueeze(-1), log_weights.unsqueeze(-2))
    return log_p(log_weights).unsqueeze(-1) - log_p(without)
