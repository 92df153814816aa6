"""The optimisers: gradient ascent on one flat buffer of parameters, with torch's functions.

Torch's optimiser classes import a compiler before their first step, which takes seconds; the
functions behind them do not. All parameters of a trial are rows of one buffer, one row per
replicate, so a step is a single pass. The moments have the same shape and are allocated at the
start.

To add an optimiser, add a class and its name here (`build_optimizer`) and to the choices of
`optimizer` in `declared.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from gmm_study.models.parameters import Parameters
from gmm_study.training.hyperparameters import Hyperparameters


class Optimizer(ABC):
    """Ascends `parameters.grad`. A step can be captured in a CUDA graph.

    `state` has moments `[R, P]`, and scalars that all replicates share, under torch's names. The
    learning rate is a number on a CPU, and a tensor on a GPU, where a captured step reads it.
    """

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float,
        moments: Sequence[str],
        shared: Sequence[str],
    ) -> None:
        self.flat, self.grad = parameters.flat, parameters.grad
        self.learning_rate: float | Tensor = learning_rate
        self.on_gpu = self.flat.device.type == "cuda"
        if self.on_gpu:
            self.put_rate_in_memory()
        self.state = {name: torch.zeros_like(self.flat) for name in moments}
        self.state |= {name: torch.zeros((), device=self.flat.device) for name in shared}

    @abstractmethod
    def step(self) -> None:
        """Change the parameters by one step."""

    def put_rate_in_memory(self) -> None:
        """Make the learning rate a tensor, which steps that are captured read at every replay.

        CUDA's kernels take float32. On a CPU, where only tests capture steps, float64 gives the
        same bits as a number.
        """
        if not isinstance(self.learning_rate, Tensor):
            kind = torch.float32 if self.on_gpu else torch.float64
            value = self.learning_rate
            self.learning_rate = torch.full((), value, dtype=kind, device=self.flat.device)

    def set_learning_rate(self, value: float) -> None:
        """Change the learning rate of the next steps, captured or not."""
        if isinstance(self.learning_rate, Tensor):
            self.learning_rate.fill_(value)
        else:
            self.learning_rate = value

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
    """Tieleman and Hinton's method, with torch's epsilon.

    Torch's function would read a learning rate in a tensor on the host.
    """

    EPSILON = 1e-8

    def __init__(self, parameters: Parameters, learning_rate: float, decay: float) -> None:
        super().__init__(parameters, learning_rate, ["square_avg"], ["step"])
        self.decay = decay

    def step(self) -> None:
        """Change the parameters by one step."""
        self.state["step"] += 1
        squares, grad = self.state["square_avg"], self.grad
        squares.mul_(self.decay).addcmul_(grad, grad, value=1 - self.decay)
        self.flat.addcdiv_(grad * self.learning_rate, squares.sqrt().add_(self.EPSILON))


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
            lr=cast(float, self.learning_rate),  # a tensor is taken as well
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
    return RMSprop(parameters, learning_rate, hyperparameters.rmsprop_decay)
