"""The optimisers: gradient ascent on one flat buffer of parameters, with torch's functions.

Torch's optimiser classes import a compiler before their first step, which takes seconds; the
functions behind them do not. All parameters of a trial are rows of one buffer, one row per
replicate, so a step is a single pass. The moments have the same shape and are allocated at the
start.

To add an optimiser, add a class and its name here (`build_optimizer`) and to the choices of
`optimizer` in `hyperparameters.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from gmm_study.models.parameters import Parameters
from gmm_study.training.hyperparameters import Hyperparameters


class Optimizer(ABC):
    """Ascends `parameters.grad`. A step can be captured in a CUDA graph.

    `state` has moments `[R, P]`, and scalars that all replicates share, under torch's names.
    """

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float,
        moments: Sequence[str],
        shared: Sequence[str],
    ) -> None:
        self.flat, self.grad = parameters.flat, parameters.grad
        self.learning_rate = learning_rate
        self.on_gpu = self.flat.device.type == "cuda"
        self.state = {name: torch.zeros_like(self.flat) for name in moments}
        self.state |= {name: torch.zeros((), device=self.flat.device) for name in shared}

    @abstractmethod
    def step(self) -> None:
        """Change the parameters by one step."""

    def row_state(self, row: int) -> dict[str, Tensor]:
        """A copy of the state of one replicate: its row of every moment, and the shared scalars."""
        return {
            name: (value[row] if value.dim() else value).clone()
            for name, value in self.state.items()
        }

    def restore(self, rows: Sequence[Mapping[str, Tensor]]) -> None:
        """Set the state from those of the replicates, in the order of the parameters' rows."""
        for name, value in self.state.items():
            each = [row[name] for row in rows]
            value.copy_(torch.stack(each) if value.dim() else each[0])


class Adam(Optimizer):
    """Kingma and Ba, arXiv 1412.6980, with their constants."""

    def __init__(self, parameters: Parameters, learning_rate: float) -> None:
        super().__init__(parameters, learning_rate, ["exp_avg", "exp_avg_sq"], ["step"])

    def step(self) -> None:
        """Change the parameters by one step."""
        state = self.state
        adam(
            [self.flat],
            [self.grad],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [state["step"]],
            foreach=False,
            fused=True,
            capturable=self.on_gpu,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=True,
        )


class RMSprop(Optimizer):
    """Tieleman and Hinton's method, with torch's constants."""

    def __init__(self, parameters: Parameters, learning_rate: float) -> None:
        super().__init__(parameters, learning_rate, ["square_avg"], ["step"])

    def step(self) -> None:
        """Change the parameters by one step."""
        rmsprop(
            [self.flat],
            [self.grad],
            [self.state["square_avg"]],
            [],
            [],
            [self.state["step"]],
            maximize=True,
            capturable=self.on_gpu,
            lr=self.learning_rate,
            alpha=0.99,
            eps=1e-8,
            weight_decay=0.0,
            momentum=0.0,
            centered=False,
        )


class SGD(Optimizer):
    """Plain gradient ascent, optionally with momentum."""

    def __init__(self, parameters: Parameters, learning_rate: float, momentum: float) -> None:
        super().__init__(parameters, learning_rate, ["momentum_buffer"] if momentum else [], [])
        self.momentum = momentum

    def step(self) -> None:
        """Change the parameters by one step."""
        sgd(
            [self.flat],
            [self.grad],
            [self.state.get("momentum_buffer")],
            fused=True,
            foreach=False,
            weight_decay=0.0,
            momentum=self.momentum,
            lr=self.learning_rate,
            dampening=0.0,
            nesterov=False,
            maximize=True,
        )


def build_optimizer(hyperparameters: Hyperparameters, parameters: Parameters) -> Optimizer:
    """The configuration's optimiser, for the parameters of all replicates."""
    learning_rate = hyperparameters.learning_rate
    if hyperparameters.optimizer == "adam":
        return Adam(parameters, learning_rate)
    if hyperparameters.optimizer == "sgd":
        return SGD(parameters, learning_rate, hyperparameters.momentum)
    return RMSprop(parameters, learning_rate)
