"""How good estimates of a gradient are: signal to noise, direction, and deviation from a target.

For estimates g of the parameters of a group, with mean E g and total variance V (the sum of the
variances of their entries), and a target t:

    signal to noise    |E g| / sqrt(V)
    cosine             E cos(g, t)
    deviation          sqrt(E |g - t|^2) / |t|, which counts bias and noise
    bias               |E g - t| / |t|

|E g|^2 and |E g - t|^2 are estimated without bias: the squared norm of a mean of n estimates is too
large by V / n. Standard errors are those of the jackknife over blocks of draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import nan, sqrt
from typing import Any

import torch
from torch import Tensor

from gmm_study.models import RandomStreams
from gmm_study.objectives import Objective

BLOCKS = 20
"""Blocks of draws for the jackknife."""


@dataclass(frozen=True)
class GradientQuality:
    """The quality of gradient estimates; NaN where it is 0 / 0, as for parameters without any."""

    signal_to_noise: float
    cosine: float
    deviation: float
    bias: float


@dataclass(frozen=True)
class Target:
    """What estimates are compared with: `[P]`, and the total variance of each of its entries.

    The variance is 0 of an exact gradient, and of a mean of draws that of the mean.
    """

    gradient: Tensor
    variance: Tensor

    @classmethod
    def exact(cls, gradient: Tensor) -> "Target":
        """An exact gradient `[P]`."""
        return cls(gradient.double(), torch.zeros_like(gradient, dtype=torch.float64))


@torch.no_grad()
def draw_gradients(
    objective: Objective, model: Any, data: Tensor, draws: int, streams: RandomStreams
) -> Tensor:
    """Independent gradient estimates `[draws, P]` of the mean over `data` `[N, D]`, in float64.

    `model` has one replicate; its gradient is overwritten.
    """
    found = torch.empty(draws, model.parameters.flat.shape[1], dtype=torch.float64)
    for row in found:
        model.parameters.grad.zero_()
        objective.add_gradient(model, data.unsqueeze(0), streams)
        row.copy_(model.parameters.grad[0])
    return found


def target_of(draws: Tensor) -> Target:
    """The mean of gradient estimates `[n, P]` as a target, with its error."""
    return Target(draws.mean(0), draws.var(0) / len(draws))


def gradient_quality(
    draws: Tensor, target: Target, groups: Mapping[str, Tensor]
) -> dict[str, tuple[GradientQuality, GradientQuality]]:
    """The quality of gradient estimates `[n, P]` and its standard errors, by group of parameters.

    `groups` has the numbers of the parameters of each group. n must be at least 2 BLOCKS.
    """
    found = {}
    for name, entries in groups.items():
        own, aim = draws[:, entries], target.gradient[entries]
        variance = float(target.variance[entries].sum())
        blocks = [_Sums.of(block, aim) for block in own.tensor_split(BLOCKS)]
        whole = _Sums.total(blocks)
        rest = [whole.without(block).quality(aim, variance) for block in blocks]
        found[name] = whole.quality(aim, variance), _jackknife(rest)
    return found


@dataclass(frozen=True)
class _Sums:
    """Sums over n draws g: of g `[P]`, of |g|^2 and of cos(g, t)."""

    count: int
    vector: Tensor
    squares: float
    cosines: float

    @classmethod
    def of(cls, draws: Tensor, aim: Tensor) -> "_Sums":
        cosines = torch.cosine_similarity(draws, aim[None], eps=0.0).sum()
        return cls(len(draws), draws.sum(0), float(draws.square().sum()), float(cosines))

    @classmethod
    def total(cls, sums: Sequence["_Sums"]) -> "_Sums":
        return cls(
            sum(each.count for each in sums),
            torch.stack([each.vector for each in sums]).sum(0),
            sum(each.squares for each in sums),
            sum(each.cosines for each in sums),
        )

    def without(self, part: "_Sums") -> "_Sums":
        return _Sums(
            self.count - part.count,
            self.vector - part.vector,
            self.squares - part.squares,
            self.cosines - part.cosines,
        )

    def quality(self, aim: Tensor, variance_of_aim: float) -> GradientQuality:
        mean, length = self.vector / self.count, float(aim.norm())
        square = self.squares / self.count
        noise = (square - float(mean.square().sum())) * self.count / (self.count - 1)
        signal = float(mean.square().sum()) - noise / self.count
        apart = square - 2.0 * float(mean @ aim) + length**2
        biased = float((mean - aim).square().sum()) - noise / self.count
        return GradientQuality(
            signal_to_noise=_ratio(signal, noise),
            cosine=self.cosines / self.count,
            deviation=_ratio(apart - variance_of_aim, length**2),
            bias=_ratio(biased - variance_of_aim, length**2),
        )


def _ratio(square: float, of_square: float) -> float:
    """The root of a ratio of squares, of which an estimate may be negative."""
    return sqrt(max(square, 0.0) / of_square) if of_square > 0.0 else nan


def _jackknife(rest: Sequence[GradientQuality]) -> GradientQuality:
    """The standard error of each figure from its values without each of the blocks."""
    count = len(rest)

    def error(name: str) -> float:
        values = torch.tensor([getattr(each, name) for each in rest], dtype=torch.float64)
        return float(((values - values.mean()).square().sum() * (count - 1) / count).sqrt())

    return GradientQuality(*(error(each.name) for each in fields(GradientQuality)))
