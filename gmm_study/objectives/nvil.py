"""Neural variational inference and learning."""

from torch import Tensor

from gmm_study.models import BaselinedNetwork, RandomStreams
from gmm_study.objectives.log_weights import importance_estimates


class Nvil:
    """Ascends the evidence lower bound in p and q, by the likelihood ratio with a learned baseline.

    Mnih and Gregor, arXiv 1402.0030; docs/spec.md#objectives. The learning signal of a sample is
    log p(x, h) - log q(h | x) less C(x), which the model predicts (`BaselinedNetwork`). A step
    averages over K samples. The signal is not divided by its standard
    deviation, so the mean of the gradient is that of the bound.
    """

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def add_gradient(self, model: BaselinedNetwork, data: Tensor, streams: RandomStreams) -> Tensor:
        """Add the ascent direction, mean over the batch `[R, B, D]`; returns the bound `[R, B]`."""
        inferred = model.infer(data, self.samples, streams)
        scored = model.score_generative(inferred.states)
        log_weights = scored.log_prob - inferred.log_prob
        predicted, hidden = model.predict_signal(data)
        signals, bound = log_weights - predicted.unsqueeze(2), log_weights.mean(2)
        datapoints = data.shape[1]
        share = 1.0 / (self.samples * datapoints)
        model.add_generative_gradient(scored, log_weights.new_full(log_weights.shape, share))
        model.add_inference_gradient(inferred, share * signals)
        model.add_prediction_gradient(data, hidden, (bound - predicted) / datapoints)
        return bound

    def estimates(
        self, model: BaselinedNetwork, data: Tensor, streams: RandomStreams
    ) -> dict[str, Tensor]:
        """`bound`, `log_p` and `ess` of each datapoint with K samples, `[R, B]`."""
        log_weights = model.log_weights(data, self.samples, streams)
        return importance_estimates(log_weights) | {"bound": log_weights.mean(2)}
