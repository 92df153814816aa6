"""How good estimates of a gradient are: signal to noise, direction, and deviation from a target.

For estimates g of the parameters of a group, with mean E g and total variance V (the sum of the
variances of their entries), and a target t:

    signal to noise    |E g| / sqrt(V)
    cosine             E cos(g, t)
    deviation          sqrt(E |g - t|^2) / |t|, which counts bias and noise
    bias               |E g - t| / |t|

|E g|^2 and |E g - t|^2 are estimated without bias: the squared norm of a mean of n estimates is too
large by V / n, and so is |t|^2 of a target that is itself a mean of draws, which makes the cosine
too small. Standard errors are those of the jackknife over blocks of draws; they do not include the
error of the target.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """What estimates are compared with: `[P]`, and the variance of each of its entries.

    The variance is 0 of an exact gradient, and that of the mean of a mean of draws.
    """

    gradient: Tensor
    variance: Tensor

    @classmethod
    def exact(cls, gradient: Tensor) -> "Target":
        """An exact gradient `[P]`."""
        gradient = gradient.double().cpu()
        return cls(gradient, torch.zeros_like(gradient))

    @classmethod
    def mean_of(cls, draws: Iterable[Tensor]) -> "Target":
        """The mean of at least two gradient estimates `[P]`, with its error."""
        count, mean, squares = 0, torch.zeros(()), torch.zeros(())
        for count, draw in enumerate(draws, 1):
            apart = draw - mean
            mean = mean + apart / count
            squares = squares + apart * (draw - mean)
        return cls(mean, squares / (count - 1) / count)


@torch.no_grad()
def draw_gradients(
    objective: Objective, model: Any, data: Tensor, draws: int, streams: RandomStreams
) -> Iterator[Tensor]:
    """Independent gradient estimates `[P]` of the mean over `data` `[N, D]`, in float64.

    `model` has one replicate; its gradient is overwritten. One estimate is in memory at a time.
    """
    for _ in range(draws):
        model.parameters.grad.zero_()
        objective.add_gradient(model, data.unsqueeze(0), streams)
        yield model.parameters.grad[0].double().cpu()


def gradient_quality(
    draws: Iterable[Tensor], count: int, target: Target, groups: Mapping[str, Tensor]
) -> dict[str, tuple[GradientQuality, GradientQuality]]:
    """The quality of gradient estimates `[P]` and its standard errors, by group of parameters.

    `groups` has the numbers of the parameters of each group. `count`, the number of draws, must be
    at least 2 BLOCKS. BLOCKS vectors of all parameters are in memory.
    """
    aims = {name: target.gradient[entries] for name, entries in groups.items()}
    blocks = sums_of_blocks(draws, count, groups, aims)
    whole, *others = blocks
    for block in others:
        whole = whole.plus(block)
    found = {}
    for name, entries in groups.items():
        variance = float(target.variance[entries].sum())
        rest = [
            whole.plus(block, -1).quality(name, entries, aims[name], variance) for block in blocks
        ]
        found[name] = whole.quality(name, entries, aims[name], variance), _jackknife(rest)
    return found


def sums_of_blocks(
    draws: Iterable[Tensor],
    count: int,
    groups: Mapping[str, Tensor],
    aims: Mapping[str, Tensor],
) -> "list[Sums]":
    """The sums of each of `BLOCKS` equal parts of `count` draws `[P]`, at least as many.

    `aims` are the targets of the groups whose cosines are summed.
    """
    blocks: list[Sums] = []
    for number, draw in enumerate(draws):
        if number * BLOCKS // count == len(blocks):
            blocks.append(Sums.nothing(draw, groups))
        blocks[-1].add(draw, groups, aims)
    return blocks


@dataclass
class Sums:
    """Sums over n draws g: of g `[P]`, and by group of |g|^2 and of cos(g, t)."""

    count: int
    vector: Tensor
    squares: dict[str, float]
    cosines: dict[str, float]

    @classmethod
    def nothing(cls, like: Tensor, groups: Iterable[str]) -> "Sums":
        """Of no draws, for vectors like this one."""
        zeros = dict.fromkeys(groups, 0.0)
        return cls(0, torch.zeros_like(like), dict(zeros), dict(zeros))

    def add(self, draw: Tensor, groups: Mapping[str, Tensor], aims: Mapping[str, Tensor]) -> None:
        """Add a draw."""
        self.count += 1
        self.vector += draw
        for name, entries in groups.items():
            own = draw[entries]
            square = float(own @ own)
            self.squares[name] += square
            if name in aims and square > 0.0:  # a draw of 0 points nowhere
                self.cosines[name] += float(own @ aims[name]) / sqrt(square)

    def plus(self, other: "Sums", sign: int = 1) -> "Sums":
        """Those of both together, or with sign -1 without the draws of the other."""
        return Sums(
            self.count + sign * other.count,
            self.vector + sign * other.vector,
            {name: own + sign * other.squares[name] for name, own in self.squares.items()},
            {name: own + sign * other.cosines[name] for name, own in self.cosines.items()},
        )

    def quality(
        self, name: str, entries: Tensor, aim: Tensor, variance_of_aim: float
    ) -> GradientQuality:
        """The quality of a group with its target, whose own entries have this total variance."""
        mean, length = self.vector[entries] / self.count, float(aim @ aim) - variance_of_aim
        square = self.squares[name] / self.count
        noise = (square - float(mean.square().sum())) * self.count / (self.count - 1)
        signal = float(mean.square().sum()) - noise / self.count
        apart = square - 2.0 * float(mean @ aim) + length
        biased = float((mean - aim).square().sum()) - noise / self.count
        return GradientQuality(
            signal_to_noise=_ratio(signal, noise),
            cosine=self.cosines[name] / self.count / sqrt(length) if length > 0.0 else nan,
            deviation=_ratio(apart, length),
            bias=_ratio(biased - variance_of_aim, length),
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
