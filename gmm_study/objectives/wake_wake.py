"""Reweighted wake-sleep without sleep."""

from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.objectives.log_weights import importance_weights, log_p
from gmm_study.objectives.rws import ReweightedWakeSleep


class WakeWake(ReweightedWakeSleep):
    """Ascends log p(x) in p by importance weighting; q gets the wake update alone.

    Le, Kosiorek, Siddharth, Teh and Wood, arXiv 1805.10469, section 3; docs/spec.md#objectives. It
    is reweighted wake-sleep with a q that never sees samples of p, so q is fitted to the posterior
    of the data alone, by weights that are biased for a small K.
    """

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
        model.add_inference_gradient(inferred, (weights - self.q_baseline) / datapoints)
        return log_p(log_weights)
