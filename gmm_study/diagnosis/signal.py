"""The signal to noise of a gradient with an upper limit that holds where there is no signal.

For estimates g of a gradient with total variance V it is |E g| / sqrt(V). |E g|^2 is estimated by
the mean of the products of the means of different blocks of draws, which is unbiased and may be
negative; its standard error is that of the jackknife over blocks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, nan

import torch
from torch import Tensor

from gmm_study.diagnosis.finding import ERRORS
from gmm_study.estimators.gradient_quality import BLOCKS, sums_of_blocks


@dataclass(frozen=True)
class Signal:
    """The signal to noise of the parameters of one layer; NaN if they have no gradient at all."""

    value: float
    upper: float
    """With two standard errors more of the squared signal."""


def signal_to_noise(
    draws: Iterable[Tensor], count: int, groups: Mapping[str, Tensor]
) -> dict[str, Signal]:
    """That of gradient estimates `[P]` by group, which has the numbers of its parameters.

    `count`, the number of draws, must be at least `BLOCKS`, whose vectors are in memory.
    """
    blocks = sums_of_blocks(draws, count, groups, {})
    means = torch.stack([block.vector / block.count for block in blocks])
    return {
        name: _signal(means[:, entries], sum(block.squares[name] for block in blocks) / count)
        for name, entries in groups.items()
    }


def _signal(means: Tensor, square: float) -> Signal:
    """From the means of blocks `[BLOCKS, n]` and the mean of |g|^2."""
    if square == 0.0:
        return Signal(nan, nan)
    products = means @ means.T
    products.fill_diagonal_(0.0)
    whole, of_block = float(products.sum()), products.sum(1)
    signal = whole / (BLOCKS * (BLOCKS - 1))
    without = (whole - 2.0 * of_block) / ((BLOCKS - 1) * (BLOCKS - 2))
    variance = float((without - without.mean()).square().sum()) * (BLOCKS - 1) / BLOCKS
    noise = square - signal
    return Signal(_root(signal, noise), _root(signal + ERRORS * variance**0.5, noise))


def _root(signal: float, noise: float) -> float:
    return float((max(signal, 0.0) / noise) ** 0.5) if noise > 0.0 else inf
