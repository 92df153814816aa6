"""A checkpoint: the best model for anyone to read, and the exact state for training to go on.

    model.safetensors      the best epoch's parameters by name, `[R, *shape]`
    meta.json              what is needed to rebuild the model and to read the tensors
    training.safetensors   all replicates' progress, parameters, moments and random streams

Training goes on from the last file alone, so files of two moments never mix. Nothing is unpickled.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gmm_study.errors import InputError
from gmm_study.models import Model
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import build_model
from gmm_study.training.trainer import Replicate, Trainer

FORMAT = 1
TRAINING_FILE = "training.safetensors"


def checkpoint_files(trainer: Trainer) -> dict[str, bytes]:
    """The files of a checkpoint by name, the one to resume from last."""
    model = trainer.best_model()
    tensors = {name: model.parameters[name].cpu().contiguous() for name in model.parameters}
    return {
        "model.safetensors": save(tensors),
        "meta.json": json.dumps(_meta(trainer, model), indent=2).encode(),
        TRAINING_FILE: _training_state(trainer),
    }


def resume_training(trainer: Trainer, content: bytes) -> None:
    """Continue from the content of `training.safetensors`, exactly where it stood."""
    tensors = load(content)
    progress = json.loads(tensors.pop("progress").numpy().tobytes())
    replicates, states = [], {}
    for fields in progress:
        index = fields["index"]
        mine = {
            name.partition(".")[2]: tensor
            for name, tensor in tensors.items()
            if name.partition(".")[0] == str(index)
        }
        best = mine.pop("best_parameters", None)
        replicates.append(Replicate(**fields, best_parameters=best))
        states[index] = mine
    trainer.resume(replicates, states)


def load_model(folder: str | Path, device: torch.device | str = "cpu") -> Model:
    """The model of a checkpoint's folder, all replicates. Raises `InputError` if unreadable."""
    try:
        meta = json.loads((Path(folder) / "meta.json").read_text())
        tensors = load((Path(folder) / "model.safetensors").read_bytes())
        hyperparameters = Hyperparameters.from_mapping(meta["hyperparameters"])
        model = build_model(hyperparameters, meta["data_dims"], meta["replicates"], device)
        for name in model.parameters:
            _fill(name, model.parameters[name], tensors[name])
    except KeyError as error:
        raise InputError(f"checkpoint: '{folder}' has no {error}") from None
    except (OSError, TypeError, ValueError, SafetensorError) as error:
        raise InputError(f"checkpoint: '{folder}' cannot be read: {error}") from None
    return model


def _fill(name: str, target: Tensor, source: Tensor) -> None:
    if source.shape != target.shape:
        shapes = f"{list(source.shape)}, not the {list(target.shape)} of meta.json"
        raise ValueError(f"tensor '{name}' has shape {shapes}")
    target.copy_(source)


def _meta(trainer: Trainer, model: Model) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "hyperparameters": trainer.hyperparameters.canonical(),
        "dataset": {"name": trainer.dataset.name, "sha256": trainer.dataset.sha256},
        "data_dims": trainer.dataset.dims,
        "replicates": list(trainer.replicates),
        "tensors": {name: ["replicate", *shape] for name, shape in model.parameters.shapes.items()},
        "layout": "a layer computes state @ weight + bias; weight is [replicate, n_in, n_out]",
    }


def _training_state(trainer: Trainer) -> bytes:
    tensors: dict[str, Tensor] = {}
    for index, replicate in trainer.replicates.items():
        if replicate.best_parameters is not None:
            tensors[f"{index}.best_parameters"] = replicate.best_parameters
    for group in trainer.groups:
        for row, index in enumerate(group.replicates):
            for name, tensor in group.row_state(row).items():
                tensors[f"{index}.{name}"] = tensor
    progress = [
        {name: value for name, value in vars(replicate).items() if name != "best_parameters"}
        for replicate in trainer.replicates.values()
    ]
    text = json.dumps(progress).encode()
    tensors["progress"] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    return save(tensors)
