"""Gradient ascent on one flat buffer of parameters."""

import torch
from torch.optim import SGD, Adam, Optimizer, RMSprop

from gmm_study.models.parameters import Parameters
from gmm_study.training.hyperparameters import Hyperparameters


def build_optimizer(hyperparameters: Hyperparameters, parameters: Parameters) -> Optimizer:
    """The optimiser of all replicates' parameters, ascending `parameters.grad`.

    On a GPU its steps can be captured in a CUDA graph once the first one has made its state. SGD
    has no switch for that: nothing of it but the first step depends on the host.
    """
    learning_rate = hyperparameters.learning_rate
    flat = [parameters.flat]
    parameters.flat.grad = parameters.grad
    capturable = parameters.flat.device.type == "cuda"
    if hyperparameters.optimizer == "adam":
        return Adam(flat, lr=learning_rate, maximize=True, fused=True, capturable=capturable)
    if hyperparameters.optimizer == "sgd":
        momentum = hyperparameters.momentum
        return SGD(flat, lr=learning_rate, momentum=momentum, maximize=True, fused=True)
    return RMSprop(flat, lr=learning_rate, maximize=True, capturable=capturable)


def optimizer_rows(
    optimizer: Optimizer, parameters: Parameters, row: int
) -> dict[str, torch.Tensor]:
    """The optimiser's state of one replicate: its row of every moment, and what all share."""
    state = optimizer.state[parameters.flat]
    rows = {}
    for name, value in state.items():
        if isinstance(value, torch.Tensor):
            rows[name] = (
                value[row].clone() if value.shape == parameters.flat.shape else value.clone()
            )
    return rows


def restore_optimizer(
    optimizer: Optimizer, parameters: Parameters, rows: list[dict[str, torch.Tensor]]
) -> None:
    """Set the state from that of each replicate, in the order of the parameters' rows."""
    state = optimizer.state[parameters.flat]
    for name, first in rows[0].items():
        one_a_row = first.shape == parameters.flat.shape[1:]
        value = torch.stack([row[name] for row in rows]) if one_a_row else first.clone()
        state[name] = value.to(parameters.flat.device)
