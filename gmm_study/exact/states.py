"""All states of binary layers, and all states of a model with their scores, piece by piece."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from gmm_study.exact.limits import latent_sizes
from gmm_study.models import Parameters, SigmoidBeliefNetwork
from gmm_study.models.sbn import Pass

MOST_NUMBERS = 2**20
"""Numbers per tensor, 8 MB. About ten such tensors are in memory at a time."""


def binary_states(
    units: int, start: int = 0, stop: int | None = None, device: torch.device | str = "cpu"
) -> Tensor:
    """The binary vectors of numbers start .. stop - 1, `[stop - start, units]` of float64.

    Unit i is bit i of the number; without `stop`, all up to the last of the 2^units.
    """
    numbers = torch.arange(start, 2**units if stop is None else stop, device=device)
    return (numbers.unsqueeze(1) >> torch.arange(units, device=device) & 1).double()


def ranges(total: int, most: int) -> Iterator[tuple[int, int]]:
    """0 .. total in consecutive (start, stop) of at most `most`, and at least 1."""
    most = max(1, most)
    for start in range(0, total, most):
        yield start, min(total, start + most)


def replicates_alone(model: SigmoidBeliefNetwork) -> Iterator[SigmoidBeliefNetwork]:
    """Each replicate as a model of its own in float64, with the same options.

    They are made one at a time, so memory does not grow with their number.
    """
    for values in model.parameters.flat:
        alone = copy(model)
        alone.parameters = Parameters(model.parameters.shapes, 1, values.device, torch.float64)
        alone.parameters.flat.copy_(values)
        yield alone


@dataclass
class Piece:
    """Some datapoints with some states of the latent layers, scored by one replicate."""

    rows: slice
    latents: slice
    generative: Pass
    """Its states are `[1, rows, latents, n]`, except the data, `[1, rows, 1, D]`."""
    inference: Pass


def pieces(model: SigmoidBeliefNetwork, data: Tensor) -> Iterator[Piece]:
    """Every row of `data` `[N, D]` with every latent state, scored by one replicate's p and q.

    The states of all latent layers are numbered as `binary_states` does, the lowest layer first.
    """
    sizes, device = latent_sizes(model), data.device
    wide = sum(sum(conditional.sizes) for conditional in [*model.generative, *model.inference])
    most = max(1, MOST_NUMBERS // wide)
    for start, stop in ranges(2 ** sum(sizes), most):
        layers = binary_states(sum(sizes), start, stop, device).split(sizes, dim=1)
        for first, last in ranges(len(data), most // (stop - start)):
            x = data[first:last].double()
            hidden = [layer.expand(1, last - first, -1, -1) for layer in layers]
            states = [x[None, :, None, :], *hidden]
            generative, inference = model.score_generative(states), model.score_inference(states)
            yield Piece(slice(first, last), slice(start, stop), generative, inference)
