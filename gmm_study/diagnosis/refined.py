"""q refined for every datapoint: what the bound gains, which is what one q for all data costs it.

The logits of each layer of q (of a vae, the mean and the log-variance of z) get an offset of their
own for every datapoint, `[1, N, 1, n]`. The offsets ascend the method's own bound by its own
gradient of q, while p and q stay as they are. The gain is a lower limit of the amortisation gap
(Cremer, Li and Duvenaud, arXiv 1801.03558, section 3), since the offsets keep the form of q and are
optimised by a limited number of steps.
"""

from dataclasses import replace
from math import ceil

import torch
from torch import Tensor

from gmm_study.models import (
    BaselinedNetwork,
    Model,
    RandomStreams,
    SigmoidBeliefNetwork,
    VariationalAutoencoder,
)
from gmm_study.models.bernoulli import Bernoulli, Scored
from gmm_study.models.sbn import Pass
from gmm_study.models.vae import Encoding
from gmm_study.objectives import Objective
from gmm_study.training.build import build_objective
from gmm_study.training.hyperparameters import Hyperparameters

STEPS = 100
"""Steps of Adam for the offsets."""
RATE = 0.1
"""The learning rate of the first of them; it falls linearly to 0."""
LEAST_SAMPLES = 5
"""The least K of these steps: with K = 1, q of gmm and rws has no gradient."""
SAMPLES_OF_A_STEP = 50
"""Samples of each datapoint in a step, at least: draws of K samples until there are so many."""
REPEATS = 20
"""Independent estimates of both bounds of every datapoint, of which the mean is taken."""


def can_be_refined(model: Model) -> bool:
    """Whether q of a model has the form of a belief network's or of a vae's."""
    return type(model) in _REFINED


@torch.no_grad()
def gain_of_refining(
    settings: Hyperparameters, model: Model, data: Tensor, streams: RandomStreams
) -> Tensor | None:
    """What the bound with the K of training gains from refining q, `[N]` in nats of float64.

    `data` is `[N, D]`, the model has one replicate. The bounds are estimated with random numbers
    other than those that the offsets were optimised with, the same for both. None if the objective
    gives the offsets no gradient, as one does that infers its states in a way of its own.
    """
    samples = max(LEAST_SAMPLES, settings.training_samples)
    batch = data.to(model.parameters.flat.dtype).unsqueeze(0)
    refined = _refinable(model, batch.shape[1])
    if not _refine(build_objective(replace(settings, samples=samples)), refined, batch, streams):
        return None
    objective, difference = build_objective(settings), torch.zeros(len(data), dtype=torch.float64)
    for _ in range(REPEATS):
        states = [generator.get_state() for generator in streams.generators]
        ours = objective.estimates(refined, batch, streams)["bound"]
        streams.restore(states)
        theirs = objective.estimates(model, batch, streams)["bound"]
        difference += (ours - theirs)[0].double().cpu() / REPEATS
    return difference


def _refine(
    objective: Objective, refined: "_Refined", batch: Tensor, streams: RandomStreams
) -> bool:
    """Let the offsets ascend the bound; returns whether they had a gradient."""
    optimizer = torch.optim.Adam(refined.offsets, lr=RATE, maximize=True)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1.0 - step / STEPS)
        draws = [
            refined.gradients_of_offsets(objective, batch, streams)
            for _ in range(ceil(SAMPLES_OF_A_STEP / objective.samples))
        ]
        if not draws[0]:
            return False
        for offset, *gradients in zip(refined.offsets, *draws, strict=True):
            offset.grad = torch.stack(gradients).sum(0)
        optimizer.step()
    return True


def _refinable(model: Model, datapoints: int) -> "_Refined":
    """The model with offsets of q, all 0, for so many datapoints; it shares the parameters."""
    kind = _REFINED[type(model)]
    refined = kind.__new__(kind)
    vars(refined).update(vars(model))
    flat = model.parameters.flat
    refined.offsets = [flat.new_zeros(1, datapoints, 1, size) for size in refined.offset_sizes]
    return refined


class _RefinedNetwork(SigmoidBeliefNetwork):
    """A belief network whose q has offsets, and whose q's gradient is that in the offsets."""

    offsets: list[Tensor]
    _gradients: list[Tensor]
    _inferred: Pass | None = None

    @property
    def offset_sizes(self) -> list[int]:
        """The units of each layer."""
        return [conditional.sizes[-1] for conditional in self.inference]

    def infer(self, data: Tensor, samples: int, streams: RandomStreams) -> Pass:
        """Sample h ~ q(h | x) with the offsets of each datapoint."""
        streams.reserve(data.shape[1] * samples * self.latent_units)
        states, layers = [data.unsqueeze(2)], list[Scored]()
        for conditional, offset in zip(self.inference, self.offsets, strict=True):
            units = conditional(self.parameters, states[-1])
            shifted = Bernoulli(units.logits + offset, conditional.limit)
            above, layer = shifted.sample(samples, streams)
            states.append(above)
            layers.append(layer)
        self._inferred = Pass(states, layers)
        return self._inferred

    def add_generative_gradient(self, scored: Pass, weights: Tensor) -> None:
        """p stays as it is."""

    def add_inference_gradient(self, scored: Pass, weights: Tensor) -> None:
        """Take the gradient of states that q has inferred from the data; dreams have no offsets."""
        if scored is self._inferred:
            if not self._gradients:
                self._gradients = [torch.zeros_like(offset) for offset in self.offsets]
            for layer, gradient in zip(scored.layers, self._gradients, strict=True):
                gradient += (layer.residual * weights.unsqueeze(3)).sum(2, keepdim=True)

    def gradients_of_offsets(
        self, objective: Objective, batch: Tensor, streams: RandomStreams
    ) -> list[Tensor]:
        """The ascent direction of the objective in the offsets, `[1, N, 1, n]` each; or none."""
        self._gradients = []
        objective.add_gradient(self, batch, streams)
        return self._gradients


class _RefinedBaselinedNetwork(_RefinedNetwork, BaselinedNetwork):
    """The same with the network that predicts the learning signal, which stays as it is."""


class _RefinedAutoencoder(VariationalAutoencoder):
    """A vae whose encoder's mean and log-variance have offsets."""

    offsets: list[Tensor]

    @property
    def offset_sizes(self) -> list[int]:
        """The dimensions of z, of the mean and of the log-variance."""
        return [self.latent_dims] * 2

    def encode(
        self,
        data: Tensor,
        samples: int,
        streams: RandomStreams,
        tensors: dict[str, Tensor] | None = None,
    ) -> Encoding:
        """q(z | x) with the offsets of each datapoint."""
        found = super().encode(data, samples, streams, tensors)
        mean, log_variance = found.mean + self.offsets[0], found.log_variance + self.offsets[1]
        return Encoding(mean, log_variance, found.noise)

    def gradients_of_offsets(
        self, objective: Objective, batch: Tensor, streams: RandomStreams
    ) -> list[Tensor]:
        """The gradient of the bound in the offsets, `[1, N, 1, n]` each."""
        fixed = self.offsets
        with torch.enable_grad():
            self.offsets = [offset.detach().requires_grad_() for offset in fixed]
            bound = objective.estimates(self, batch, streams)["bound"].sum()
            gradients = torch.autograd.grad(bound, self.offsets)
        self.offsets = fixed
        return list(gradients)


_Refined = _RefinedNetwork | _RefinedAutoencoder
_REFINED: dict[type[Model], type[_Refined]] = {
    SigmoidBeliefNetwork: _RefinedNetwork,
    BaselinedNetwork: _RefinedBaselinedNetwork,
    VariationalAutoencoder: _RefinedAutoencoder,
}
