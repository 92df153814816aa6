"""A sigmoid belief network with a small network that predicts its learning signal."""

from math import sqrt

import torch
from torch import Tensor

from gmm_study.models.sbn import SigmoidBeliefNetwork
from gmm_study.models.streams import RandomStreams

HIDDEN = 100
"""Units of the hidden layer, as in arXiv 1402.0030, section 3."""
INWARD, INWARD_BIAS, OUTWARD, OUTWARD_BIAS = (
    f"baseline.{name}" for name in ("inward", "inward_bias", "outward", "outward_bias")
)


class BaselinedNetwork(SigmoidBeliefNetwork):
    """p and q as in `SigmoidBeliefNetwork`, and C(x), a prediction of log p(x, h) - log q(h | x).

    C(x) is D times a network with one layer of `HIDDEN` tanh units. It ascends minus half its
    squared error over D^2 `HIDDEN`, so that a learning rate that suits p and q suits it too: a step
    of gradient ascent moves C(x) by about the rate times its error. The penalties `l1` and `l2` do
    not apply to it. Mnih and Gregor, arXiv 1402.0030, section 2.3.
    """

    def own_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters of C(x), without the replicate dimension."""
        return {
            INWARD: (self.data_dims, HIDDEN),
            INWARD_BIAS: (HIDDEN,),
            OUTWARD: (HIDDEN, 1),
            OUTWARD_BIAS: (1,),
        }

    def initialise(self, streams: RandomStreams) -> None:
        """Draw the initial parameters; C(x) begins at 0 for every x."""
        super().initialise(streams)
        weight = self.parameters[INWARD]
        draws = streams.uniform(*weight.shape[1:]).to(weight.device)
        weight.copy_((2.0 * draws - 1.0) * sqrt(6.0 / sum(weight.shape[1:])))

    def predict_signal(self, data: Tensor) -> tuple[Tensor, Tensor]:
        """C(x) `[R, B]` in nats, and the hidden units `[R, B, HIDDEN]`, for data `[R, B, D]`."""
        parameters = self.parameters
        bias = parameters[INWARD_BIAS].unsqueeze(1)
        hidden = torch.baddbmm(bias, data, parameters[INWARD]).tanh_()
        output = torch.baddbmm(parameters[OUTWARD_BIAS].unsqueeze(1), hidden, parameters[OUTWARD])
        return self.data_dims * output.squeeze(2), hidden

    def add_prediction_gradient(self, data: Tensor, hidden: Tensor, errors: Tensor) -> None:
        """Add the gradient of sum_b errors_b C(x_b) over D^2 `HIDDEN`; `errors` is `[R, B]`."""
        of_output = errors.unsqueeze(2) / (self.data_dims * HIDDEN)
        of_hidden = of_output @ self.parameters[OUTWARD].transpose(1, 2)
        of_hidden *= 1.0 - hidden.square()
        gradient = self.parameters.gradient
        gradient(OUTWARD).baddbmm_(hidden.transpose(1, 2), of_output)
        gradient(OUTWARD_BIAS).add_(of_output.sum(1))
        gradient(INWARD).baddbmm_(data.transpose(1, 2), of_hidden)
        gradient(INWARD_BIAS).add_(of_hidden.sum(1))
