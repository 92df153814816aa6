"""An average of the parameters over the steps of a training, kept beside the raw parameters."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import log

import torch
from torch import Tensor

from gmm_study.training.hyperparameters import Hyperparameters


class ParameterAverage:
    """The average of the parameters `[R, P]` after each step.

    `uniform` is the mean over the steps from the epoch `average_from_epoch` on. `exponential`
    weighs a step by `average_decay` to the power of the steps since then; the weights are
    normalised, so that the start does not count. A step can be captured in a CUDA graph, so the
    number of steps is a tensor; it is of 64 bits, and counts any training exactly.
    """

    def __init__(self, settings: Hyperparameters, flat: Tensor) -> None:
        self.flat = flat
        self.decay = settings.average_decay
        self.is_uniform = settings.parameter_average == "uniform"
        self.from_epoch = settings.average_from_epoch if self.is_uniform else 1
        self.begun = False
        """Whether there is an average after this epoch."""
        self.value = torch.zeros_like(flat)
        self.steps = torch.zeros((), dtype=torch.float64, device=flat.device)

    def begin_epoch(self, epoch: int) -> None:
        """Before an epoch of the stage, which is counted from 1.

        Up to the first epoch of the average, every epoch begins an average anew: a captured step
        cannot depend on the epoch.
        """
        self.begun = epoch >= self.from_epoch
        if epoch <= self.from_epoch:
            self.steps.zero_()

    def step(self) -> None:
        """Add the parameters after a step."""
        self.steps += 1.0
        if self.is_uniform:
            weight = 1.0 / self.steps
        else:
            weight = (self.decay - 1.0) / torch.expm1(self.steps * log(self.decay))
        self.value.lerp_(self.flat, weight.to(self.flat.dtype))

    @contextmanager
    def in_place_of_raw(self) -> Iterator[None]:
        """Inside, the model has the averaged parameters."""
        raw = self.flat.clone()
        self.flat.copy_(self.value)
        try:
            yield
        finally:
            self.flat.copy_(raw)

    def row_state(self, row: int) -> dict[str, Tensor]:
        """A copy of the state of one replicate."""
        return {"value": self.value[row].clone(), "steps": self.steps.clone()}

    def restore(self, rows: Sequence[Mapping[str, Tensor]]) -> None:
        """Set the state from those of the replicates, in the order of the parameters' rows."""
        self.value.copy_(torch.stack([row["value"] for row in rows]))
        self.steps.copy_(rows[0]["steps"])


def build_average(settings: Hyperparameters, flat: Tensor) -> ParameterAverage | None:
    """The configuration's average of the parameters, None if it has none."""
    return None if settings.parameter_average == "none" else ParameterAverage(settings, flat)
