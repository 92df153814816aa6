"""Variational inference for Monte Carlo objectives."""

from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.objectives.log_weights import (
    importance_estimates,
    importance_weights,
    log_p,
    log_p_without,
)


class Vimco:
    """Ascends the bound of K samples in p and in q, by a gradient whose mean is the exact one.

    Mnih and Rezende, arXiv 1602.06725, section 2.5; docs/spec.md#objectives. The learning signal of
    a sample is the bound less what the bound would be with the geometric mean of the other weights
    in the place of its own, so K must be at least 2.
    """

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def add_gradient(
        self, model: SigmoidBeliefNetwork, data: Tensor, streams: RandomStreams
    ) -> Tensor:
        """Add the ascent direction, mean over the batch `[R, B, D]`; returns the bound `[R, B]`."""
        inferred = model.infer(data, self.samples, streams)
        scored = model.score_generative(inferred.states)
        log_weights = scored.log_prob - inferred.log_prob
        weights, bound = importance_weights(log_weights), log_p(log_weights)
        signals = bound.unsqueeze(2) - log_p_without(log_weights)
        datapoints = data.shape[1]
        model.add_generative_gradient(scored, weights / datapoints)
        model.add_inference_gradient(inferred, (signals - weights) / datapoints)
        return bound

    def estimates(
        self, model: SigmoidBeliefNetwork, data: Tensor, streams: RandomStreams
    ) -> dict[str, Tensor]:
        """`bound`, `log_p` and `ess` of each datapoint with K samples, `[R, B]`."""
        return importance_estimates(model.log_weights(data, self.samples, streams))
