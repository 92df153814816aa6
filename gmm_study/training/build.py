"""Builds the model and the objective of a configuration's method."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from gmm_study.catalogue import resolved
from gmm_study.errors import InputError
from gmm_study.models import Model
from gmm_study.objectives import Objective
from gmm_study.training.hyperparameters import Hyperparameters

OF_A_MODEL = ("parameters", "initialise", "log_weights", "generate_means")
OF_AN_OBJECTIVE = ("samples", "add_gradient", "estimates")


def build_model(
    hyperparameters: Hyperparameters,
    data_dims: int,
    replicates: Sequence[int],
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Model:
    """The model of the `replicates`, with all parameters zero."""
    method = hyperparameters.declaration
    needed_by = f"method: the model '{method.model.name}' of '{method.name}'"
    make = partial(
        resolved(method.model.build, needed_by),
        data_dims,
        hyperparameters.layers,
        len(replicates),
        device=device,
        dtype=dtype,
        **{name: getattr(hyperparameters, name) for name in method.model.reads},
    )
    model: Model = _made(make, needed_by, OF_A_MODEL)
    return model


def build_objective(hyperparameters: Hyperparameters) -> Objective:
    """The objective of the configuration's method."""
    method = hyperparameters.declaration
    needed_by = f"method: the objective of '{method.name}'"
    make = partial(
        resolved(method.objective, needed_by),
        samples=hyperparameters.training_samples,
        **{name: getattr(hyperparameters, name) for name in method.reads},
        **{spec.name: hyperparameters.value_of(spec.name) for spec in method.adds},
    )
    objective: Objective = _made(make, needed_by, OF_AN_OBJECTIVE)
    return objective


def _made(make: partial[Any], needed_by: str, required: Sequence[str]) -> Any:
    try:
        made = make()
    except TypeError as error:  # wrong arguments; other errors, such as out of memory, are not ours
        raise InputError(f"{needed_by}: {error}") from error
    for name in required:
        if not hasattr(made, name):
            raise InputError(f"{needed_by}: {type(made).__name__} must have '{name}'")
    return made
