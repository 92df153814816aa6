"""A belief network in plain python, one state at a time: the enumeration without any tensor.

Nothing is shared with the package but the parameters' names and their layout, and the definitions
are written out as in docs/spec.md.
"""

from itertools import product
from math import exp, log, sqrt, tanh


class ByHand:
    """One replicate's p and q as nested lists of numbers."""

    def __init__(self, model, replicate, probability_clip=0.0):
        parameters = model.parameters
        self.tensors = {name: parameters[name][replicate].double().tolist() for name in parameters}
        self.sizes = [conditional.sizes[-1] for conditional in model.inference]
        self.dims = model.inference[0].sizes[0]
        self.layers_inside = len(model.generative[0].sizes) - 1
        self.clip = probability_clip

    def log_joint(self, x, hidden) -> float:
        """log p(x, h) of the data and a list of layers."""
        total = self._log_bernoulli(hidden[-1], self.tensors["generative.top.logits"])
        for layer, (below, above) in enumerate(zip([x, *hidden], hidden, strict=False)):
            total += self._log_bernoulli(below, self._logits(f"generative.{layer}", above))
        return total

    def log_q(self, x, hidden) -> float:
        """log q(h | x)."""
        return sum(
            self._log_bernoulli(above, self._logits(f"inference.{layer}", below))
            for layer, (below, above) in enumerate(zip([x, *hidden], hidden, strict=False))
        )

    def every_x(self):
        return list(product((0, 1), repeat=self.dims))

    def every_hidden(self):
        """All states of the latent layers; the first unit of the lowest layer changes fastest."""
        states = []
        for bits in product((0, 1), repeat=sum(self.sizes)):
            rest = list(reversed(bits))
            states.append([[rest.pop(0) for _ in range(size)] for size in self.sizes])
        return states

    def p(self, x) -> float:
        return sum(exp(self.log_joint(x, hidden)) for hidden in self.every_hidden())

    def p_tilde(self, x) -> float:
        return sum(self._geometric_mean(x, hidden) for hidden in self.every_hidden()) ** 2

    def z2(self) -> float:
        return sum(self.p_tilde(x) for x in self.every_x())

    def ess(self, x) -> float:
        """(E_q w)^2 / E_q w^2 with w = p(x, h) / q(h | x)."""
        squares = (
            exp(2 * self.log_joint(x, hidden) - self.log_q(x, hidden))
            for hidden in self.every_hidden()
        )
        return self.p(x) ** 2 / sum(squares)

    def ess_star(self, x) -> float:
        """(E_q sqrt w)^2 / E_q w."""
        return self.p_tilde(x) / self.p(x)

    def posterior(self, x) -> list[float]:
        return [exp(self.log_joint(x, hidden)) / self.p(x) for hidden in self.every_hidden()]

    def geometric_mean(self, x) -> list[float]:
        total = sqrt(self.p_tilde(x))
        return [self._geometric_mean(x, hidden) / total for hidden in self.every_hidden()]

    def _geometric_mean(self, x, hidden) -> float:
        return sqrt(exp(self.log_joint(x, hidden)) * exp(self.log_q(x, hidden)))

    def _logits(self, name, state):
        for layer in range(self.layers_inside):
            weight = self.tensors[f"{name}.{layer}.weight"]
            bias = self.tensors[f"{name}.{layer}.bias"]
            state = [
                bias[j] + sum(state[i] * weight[i][j] for i in range(len(state)))
                for j in range(len(bias))
            ]
            if layer < self.layers_inside - 1:
                state = [tanh(value) for value in state]
        return state

    def _log_bernoulli(self, target, logits) -> float:
        total = 0.0
        for bit, logit in zip(target, logits, strict=True):
            probability = 1 / (1 + exp(-logit))
            probability = min(max(probability, self.clip), 1 - self.clip)
            total += log(probability if bit else 1 - probability)
        return total
