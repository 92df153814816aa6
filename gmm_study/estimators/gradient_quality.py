"""How good estimates of a gradient are: signal to noise, direction, and deviation from a target.

For estimates g of the parameters of a group, with mean E g and total variance V (the sum of the
variances of their entries), and a target t:

    signal to noise    |E g| / sqrt(V)
    cosine             E cos(g, t)
    deviation          sqrt(E |g - t|^2) / |t|, which counts bias and noise
    bias               |E g - t| / |t|

|E g|^2 and |E g - t|^2 are estimated without bias: the squared norm of a mean of n estimates is too
large by V / n, and so is |t|^2 of a target that is itself a mean of draws, which makes the cosine
too small. Without a signal, the estimate of |E g|^2 / V is negative about as often as positive, so
its root says little, and an upper limit is what is known. Standard errors are those of the
jackknife over blocks of draws, and over blocks of the draws of the target.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, inf, isfinite, isnan, nan, sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gmm_study.models import RandomStreams
from gmm_study.objectives import Objective

BLOCKS = 20
"""Blocks of draws for the jackknife."""
ERRORS = 2.0
"""Standard errors between the estimate of a squared signal and its limits."""


@dataclass(frozen=True)
class GradientQuality:
    """The quality of gradient estimates, with standard errors; NaN where it is 0 / 0.

    Parameters without any gradient have neither a signal to noise nor a cosine.
    """

    signal_square: float
    """|E g|^2 / V without bias, so it may be negative."""
    signal_square_se: float
    signal_to_noise: float
    """Its root; 0 if it is negative."""
    signal_to_noise_se: float
    """NaN if the lower limit of the square is not above 0: a signal is then not shown."""
    signal_to_noise_upper: float
    """The root of the upper limit of the square; infinite if that has no error."""
    cosine: float
    cosine_se: float
    deviation: float
    deviation_se: float
    bias: float
    bias_se: float


@dataclass(frozen=True)
class Target:
    """What estimates are compared with: `[P]`, and the variance of each of its entries.

    The variance is 0 of an exact gradient, and that of the mean of a mean of draws. `others` is the
    mean without each of some blocks of draws, `[blocks, P]`; it has no rows if it is exact.
    """

    gradient: Tensor
    variance: Tensor
    others: Tensor

    @classmethod
    def exact(cls, gradient: Tensor) -> "Target":
        """An exact gradient `[P]`."""
        gradient = gradient.double().cpu()
        return cls(gradient, torch.zeros_like(gradient), gradient.new_empty(0, len(gradient)))

    @classmethod
    def mean_of(cls, draws: Iterable[Tensor], count: int) -> "Target":
        """The mean of `count` gradient estimates `[P]`, at least two, with its error."""
        mean, squares, blocks = torch.zeros(()), torch.zeros(()), list[Tensor]()
        most = min(BLOCKS, count)
        sizes = [0] * most
        for number, draw in enumerate(draws):
            apart = draw - mean
            mean = mean + apart / (number + 1)
            squares = squares + apart * (draw - mean)
            block = number * most // count
            if block == len(blocks):
                blocks.append(torch.zeros_like(draw))
            blocks[block] += draw
            sizes[block] += 1
        others = [
            (count * mean - total) / (count - size)
            for total, size in zip(blocks, sizes, strict=True)
        ]
        return cls(mean, squares / (count - 1) / count, torch.stack(others))

    def of(self, entries: Tensor) -> list["Aim"]:
        """Those of a group of parameters: of all draws, then without each block of them."""
        variance, blocks = float(self.variance[entries].sum()), len(self.others)
        without = [Aim(row[entries], variance * blocks / (blocks - 1)) for row in self.others]
        return [Aim(self.gradient[entries], variance), *without]


class Aim(NamedTuple):
    """The target of a group of parameters `[n]`, and the total variance of its entries."""

    gradient: Tensor
    variance: float


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
) -> dict[str, GradientQuality]:
    """The quality of gradient estimates `[P]` by group of parameters.

    `groups` has the numbers of the parameters of each group. `count`, the number of draws, must be
    at least 2 BLOCKS. BLOCKS vectors of all parameters are in memory.
    """
    aims = {name: target.of(entries) for name, entries in groups.items()}
    directions = {name: torch.stack([aim.gradient for aim in own]) for name, own in aims.items()}
    blocks: list[_Sums] = []
    for number, draw in enumerate(draws):
        if number * BLOCKS // count == len(blocks):
            blocks.append(_Sums.nothing(draw, groups))
        blocks[-1].add(draw, groups, directions)
    whole, *others = blocks
    for block in others:
        whole = whole.plus(block)
    found = {}
    for name, entries in groups.items():
        aim, *other_aims = aims[name]
        of_draws = [whole.plus(block, -1).figures(name, entries, aim) for block in blocks]
        of_target = [
            whole.figures(name, entries, other, number)
            for number, other in enumerate(other_aims, 1)
        ]
        found[name] = _with_errors(whole.figures(name, entries, aim), of_draws, of_target)
    return found


@dataclass
class _Sums:
    """Sums over n draws g: of g `[P]`, and by group of |g|^2 and of g t / |g| for each target t."""

    count: int
    vector: Tensor
    squares: dict[str, float]
    cosines: dict[str, Tensor]

    @classmethod
    def nothing(cls, like: Tensor, groups: Iterable[str]) -> "_Sums":
        """Of no draws, for vectors like this one."""
        names = list(groups)
        cosines = {name: torch.zeros((), dtype=like.dtype) for name in names}
        return cls(0, torch.zeros_like(like), dict.fromkeys(names, 0.0), cosines)

    def add(
        self, draw: Tensor, groups: Mapping[str, Tensor], directions: Mapping[str, Tensor]
    ) -> None:
        """Add a draw; `directions` has the targets of each group, `[targets, n]`."""
        self.count += 1
        self.vector += draw
        for name, entries in groups.items():
            own = draw[entries]
            square = float(own @ own)
            self.squares[name] += square
            if square > 0.0:  # a draw of 0 points nowhere
                self.cosines[name] = self.cosines[name] + directions[name] @ own / sqrt(square)

    def plus(self, other: "_Sums", sign: int = 1) -> "_Sums":
        """Those of both together, or with sign -1 without the draws of the other."""
        return _Sums(
            self.count + sign * other.count,
            self.vector + sign * other.vector,
            {name: own + sign * other.squares[name] for name, own in self.squares.items()},
            {name: own + sign * other.cosines[name] for name, own in self.cosines.items()},
        )

    def figures(self, name: str, entries: Tensor, aim: Aim, number: int = 0) -> dict[str, float]:
        """The figures of a group with its target, which is the one of this number."""
        target, variance_of_aim = aim
        mean, length = self.vector[entries] / self.count, float(target @ target) - variance_of_aim
        square = self.squares[name] / self.count
        noise = (square - float(mean.square().sum())) * self.count / (self.count - 1)
        signal = float(mean.square().sum()) - noise / self.count
        apart = square - 2.0 * float(mean @ target) + length
        biased = float((mean - target).square().sum()) - noise / self.count
        exists = square > 0.0
        return {
            "signal_square": (signal / noise if noise > 0.0 else inf) if exists else nan,
            "cosine": float(self.cosines[name][number]) / self.count / sqrt(length)
            if exists and length > 0.0
            else nan,
            "deviation": _ratio(apart, length),
            "bias": _ratio(biased - variance_of_aim, length),
        }


def _ratio(square: float, of_square: float) -> float:
    """The root of a ratio of squares, of which an estimate may be negative."""
    return sqrt(max(square, 0.0) / of_square) if of_square > 0.0 else nan


def root_of(square: float, error: float, of_draws: float) -> tuple[float, float, float]:
    """The root of a squared signal, its standard error and its upper limit.

    `error` is the standard error of the square, `of_draws` that over draws alone: it decides
    whether there is a signal in the models at hand. The error of the root is NaN if it does not
    show one. The upper limit is infinite without an error, and NaN without a square.
    """
    if isnan(square):
        return nan, nan, nan
    root = sqrt(max(square, 0.0))
    of_root = error / (2.0 * root) if square > ERRORS * of_draws else nan
    upper = sqrt(root**2 + ERRORS * error) if isfinite(error) else inf
    return root, of_root, upper


def _with_errors(
    figures: Mapping[str, float], *rests: Sequence[Mapping[str, float]]
) -> GradientQuality:
    """The figures with the errors of the jackknife, from those without each of the blocks.

    `rests` are independent of each other, so the squares of their errors add up.
    """
    errors = {
        f"{name}_se": hypot(*(_jackknife([each[name] for each in rest]) for rest in rests if rest))
        for name in figures
    }
    error_of_square = errors["signal_square_se"]
    root, of_root, upper = root_of(figures["signal_square"], error_of_square, error_of_square)
    return GradientQuality(
        **figures,
        **errors,
        signal_to_noise=root,
        signal_to_noise_se=of_root,
        signal_to_noise_upper=upper,
    )


def _jackknife(values: Sequence[float]) -> float:
    """The standard error of a figure from its values without each of the blocks."""
    without = torch.tensor(values, dtype=torch.float64)
    apart = (without - without.mean()).square().sum()
    return float((apart * (len(values) - 1) / len(values)).sqrt())
