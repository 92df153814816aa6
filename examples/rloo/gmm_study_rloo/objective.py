"""REINFORCE with leave-one-out baselines: Kool, van Hoof and Welling, 2019."""

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.objectives.log_weights import importance_estimates


class Rloo:
    """Ascends E[log w] with w = p(x, h) / q(h | x), by K samples, 2 at least."""

    def __init__(self, samples: int, baseline: str = "leave_one_out") -> None:
        self.samples = samples
        self.baseline = baseline

    def add_gradient(
        self, model: SigmoidBeliefNetwork, data: Tensor, streams: RandomStreams
    ) -> Tensor:
        """Add the ascent direction, mean over the batch `[R, B, D]`; gives the bound `[R, B]`.

        It is unbiased: the mean over k of d log p_k + signal_k d log q_k.
        """
        inferred = model.infer(data, self.samples, streams)
        scored = model.score_generative(inferred.states)
        log_weights = scored.log_prob - inferred.log_prob
        share = 1.0 / (self.samples * data.shape[1])
        model.add_generative_gradient(scored, torch.full_like(log_weights, share))
        with_baseline = self.baseline == "leave_one_out"
        signals = learning_signals(log_weights) if with_baseline else log_weights
        model.add_inference_gradient(inferred, share * signals)
        return log_weights.mean(2)

    def estimates(
        self, model: SigmoidBeliefNetwork, data: Tensor, streams: RandomStreams
    ) -> dict[str, Tensor]:
        """`bound`, `log_p` and `ess` of each datapoint with K samples, `[R, B]`."""
        log_weights = model.log_weights(data, self.samples, streams)
        return importance_estimates(log_weights) | {"bound": log_weights.mean(2)}


def learning_signals(log_weights: Tensor) -> Tensor:
    """log w_k less the mean of the others, `[..., K]`."""
    samples = log_weights.shape[-1]
    others = (log_weights.sum(-1, keepdim=True) - log_weights) / (samples - 1)
    return log_weights - others
