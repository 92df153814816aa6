"""Reweighted wake-sleep."""

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.objectives.baseline import baseline_of
from gmm_study.objectives.log_weights import importance_estimates, importance_weights, log_p


class ReweightedWakeSleep:
    """Ascends log p(x) in p by importance weighting; q gets half wake and half sleep updates.

    Bornschein and Bengio, arXiv 1406.2751; docs/spec.md#objectives. A step draws K samples per
    datapoint from q and scores them under p; the sleep update draws one ancestral sample of p per
    datapoint. Weights are normalised for each datapoint, never over the batch.
    """

    sleep_share = 0.5
    """The share of the sleep update in that of q."""

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
        weights = importance_weights(log_weights)
        datapoints = data.shape[1]
        model.add_generative_gradient(scored, weights / datapoints)
        wake = (1.0 - self.sleep_share) * (weights - self.q_baseline)
        model.add_inference_gradient(inferred, wake / datapoints)
        if self.sleep_share:
            dream = model.score_inference(model.generate(datapoints, streams).states)
            sleep = torch.full_like(dream.log_prob, self.sleep_share / datapoints)
            model.add_inference_gradient(dream, sleep)
        return log_p(log_weights)

    def estimates(
        self, model: SigmoidBeliefNetwork, data: Tensor, streams: RandomStreams
    ) -> dict[str, Tensor]:
        """`bound`, `log_p` and `ess` of each datapoint with K samples, `[R, B]`."""
        return importance_estimates(model.log_weights(data, self.samples, streams))
