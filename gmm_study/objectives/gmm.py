"""Geometric mean matching, also known as the bidirectional Helmholtz machine."""

from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.objectives.baseline import baseline_of
from gmm_study.objectives.log_weights import (
    geometric_mean_weights,
    importance_estimates,
    log_p_tilde,
)


class GeometricMeanMatching:
    """Ascends log ptilde(x), the bound of p*(x) = (1 / Z^2) (sum_h sqrt(p(x, h) q(h | x)))^2.

    Bornschein et al., arXiv 1506.03877, section 3; docs/spec.md#objectives. A step draws K samples
    per datapoint from q and scores them under p. `q_baseline` is beta in
    sum_k (w_k - beta) d log q_k: `uniform` is 1 / K, `none` is 0.
    """

    def __init__(self, samples: int, q_baseline: str = "uniform") -> None:
        self.samples = samples
        self.q_baseline = baseline_of(q_baseline, samples)

    def add_gradient(
        self, model: SigmoidBeliefNetwork, data: Tensor, streams: RandomStreams
    ) -> Tensor:
        """Add the ascent direction, mean over the batch `[R, B, D]`; returns the bound `[R, B]`."""
        inferred = model.infer(data, self.samples, streams)
        scored = model.score_generative(inferred.states)
        log_weights = scored.log_prob - inferred.log_prob
        weights = geometric_mean_weights(log_weights)
        datapoints = data.shape[1]
        model.add_generative_gradient(scored, weights / datapoints)
        model.add_inference_gradient(inferred, (weights - self.q_baseline) / datapoints)
        return log_p_tilde(log_weights)

    def estimates(
        self, model: SigmoidBeliefNetwork, data: Tensor, streams: RandomStreams
    ) -> dict[str, Tensor]:
        """`bound`, `log_p` and `ess` of each datapoint with K samples, `[R, B]`."""
        log_weights = model.log_weights(data, self.samples, streams)
        return importance_estimates(log_weights) | {"bound": log_p_tilde(log_weights)}
