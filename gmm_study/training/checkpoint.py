"""A checkpoint: the best model for anyone to read, and the exact state from which training resumes.

    model.safetensors               the best epoch's parameters by name, `[R, *shape]`
    meta.json                       what is needed to rebuild the model and to read the tensors
    training.safetensors            all replicates' progress, parameters, moments, random streams;
                                    also of those that ended by patience or the limit of epochs at
                                    a constant rate, so that a longer training can continue them
    training.previous.safetensors   the same, one checkpoint earlier, while a trial runs

Resuming is exact because `training.safetensors` holds everything, including the curves, in one file
that is replaced atomically. Training resumes from this file or the previous one alone and gives the
same bits from either, so files of different moments never mix.

Each file of tensors contains its own digest over names, types, shapes and values, and is used only
if the digest is right. Nothing is unpickled.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gmm_study.data import image_shape_of
from gmm_study.errors import InputError
from gmm_study.models import Model
from gmm_study.training.build import build_model
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import METHODS
from gmm_study.training.replicate import Replicate
from gmm_study.training.sealed import seal, unseal
from gmm_study.training.state import CONTINUABLE, Ending, TrialState
from gmm_study.training.trainer import Trainer

FORMAT = 1
META_FILE, MODEL_FILE = "meta.json", "model.safetensors"
TRAINING_FILE = "training.safetensors"
PREVIOUS_FILE = "training.previous.safetensors"


def checkpoint_files(trainer: Trainer) -> dict[str, bytes]:
    """The files of a checkpoint by name; the one from which training resumes is last."""
    model = trainer.best_model()
    return {
        MODEL_FILE: seal({name: model.parameters[name] for name in model.parameters}),
        META_FILE: json.dumps(_meta(trainer, model), indent=2).encode(),
        TRAINING_FILE: _training_state(trainer),
    }


def resume_training(trainer: Trainer, content: bytes) -> None:
    """Continue from the content of `training.safetensors`, exactly where training stopped.

    Raises `ValueError` if the content is damaged or belongs to another trial; the trainer is then
    unusable.
    """
    tensors = unseal(content)
    try:
        trainer.resume(*_progress(tensors))
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"not a state of this trial: {error}") from None


def continue_training(trainer: Trainer, content: bytes) -> None:
    """Continue an earlier training from its `training.safetensors`, with the replicates of both.

    Its settings must be those of the trainer, but for `max_epochs`, a lower `patience`, and those
    of the evaluation. Replicates that have reached a limit there, and none of the trainer's, go on;
    others that ended stay as they are. Raises `ValueError` if the content is damaged, has no state
    to go on from, or has trained a replicate for more epochs than the trainer would; the trainer is
    then unusable.
    """
    tensors = unseal(content)
    try:
        replicates, states = _progress(tensors)
        both = [each for each in replicates if each.index in trainer.replicates]
        if not both:
            raise ValueError("it has none of these replicates")
        for replicate in both:
            _let_go_on(replicate, trainer, states[replicate.index])
        trainer.resume(both, states)
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"its training cannot be continued: {error}") from None


def _let_go_on(replicate: Replicate, trainer: Trainer, state: Mapping[str, Tensor]) -> None:
    """Let a replicate of an earlier training go on if the trainer's settings have not ended it."""
    if replicate.state is TrialState.COMPLETE and replicate.ending is None:
        raise ValueError(f"it does not say why replicate {replicate.index} ended")
    limit, running = trainer.hyperparameters.total_epochs, replicate.state is TrialState.RUNNING
    if replicate.epoch > limit or (running and replicate.epoch == limit):
        raise ValueError(f"replicate {replicate.index} is at epoch {replicate.epoch} of {limit}")
    if replicate.ending in CONTINUABLE:
        replicate.ending = replicate.why_to_end(trainer.stages[replicate.stage])
    if replicate.ending is None:
        replicate.state = TrialState.RUNNING
        if not state and replicate.epoch > 0:
            raise ValueError(f"it has no state of replicate {replicate.index} to go on from")


def _progress(tensors: dict[str, Tensor]) -> tuple[list[Replicate], dict[int, dict[str, Tensor]]]:
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
        fields["state"] = TrialState(fields["state"])
        fields.setdefault("best_criterion", fields["best_bound"])  # which it was, before it was set
        if fields.get("ending"):
            fields["ending"] = Ending(fields["ending"])
        replicates.append(Replicate(**fields, best_parameters=best))
        states[index] = mine
    return replicates, states


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read: the configuration, the data set and the best models."""

    folder: Path
    hyperparameters: Hyperparameters
    dataset_name: str
    dataset_sha256: str
    data_dims: int
    image_shape: tuple[int, int] | None
    """(height, width) if a datapoint is an image."""
    replicates: tuple[int, ...]
    diverged: tuple[int, ...]
    """The replicates that have no usable model."""
    _tensors: Mapping[str, Tensor]

    @property
    def method(self) -> str:
        """The name of its method, such as `gmm`."""
        return self.hyperparameters.method

    @property
    def has_p_star(self) -> bool:
        """Whether its method has a p*, like gmm."""
        return self.hyperparameters.declaration.has_p_star

    def usable_replicates(self) -> list[int]:
        """The replicates that did not diverge. Raises `InputError` if there are none."""
        usable = [index for index in self.replicates if index not in self.diverged]
        if not usable:
            raise InputError(f"checkpoint: all replicates of '{self.folder}' diverged")
        return usable

    def model(
        self, replicates: Sequence[int] | None = None, device: torch.device | str = "cpu"
    ) -> Model:
        """The model of some or all replicates. Raises `InputError` for one that does not exist."""
        chosen = list(self.replicates if replicates is None else replicates)
        for index in chosen:
            if index not in self.replicates:
                known = ", ".join(map(str, self.replicates))
                raise InputError(f"replicate: {index} is not in '{self.folder}'; it holds {known}")
        model = build_model(self.hyperparameters, self.data_dims, chosen, device)
        rows = [self.replicates.index(index) for index in chosen]
        for name in model.parameters:
            model.parameters[name].copy_(self._tensors[name][rows])
        return model


def open_checkpoint(folder: str | Path) -> Checkpoint:
    """The checkpoint in a folder, or in the folder `checkpoint` of a trial's record.

    Raises `InputError` if there is no checkpoint or it cannot be read.
    """
    inner = Path(folder) / "checkpoint"
    chosen = inner if os.path.exists(inner / META_FILE) else Path(folder)
    try:
        files = {name: (chosen / name).read_bytes() for name in (META_FILE, MODEL_FILE)}
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"checkpoint: '{folder}' is not a folder with {META_FILE} and {MODEL_FILE}; "
            "give a trial's record or its folder 'checkpoint'"
        ) from None
    except OSError as error:
        raise InputError(f"checkpoint: '{folder}' cannot be read: {error}") from None
    return read_checkpoint(chosen, files)


def read_checkpoint(folder: Path, files: Mapping[str, bytes]) -> Checkpoint:
    """The checkpoint in the contents of its two files; errors name the folder as their place.

    Raises `InputError` if they cannot be read.
    """
    try:
        meta = json.loads(files[META_FILE])
        if meta["format"] != FORMAT:
            raise ValueError(f"format {meta['format']!r} must be {FORMAT}")
        tensors = unseal(files[MODEL_FILE])
        _check_installed(folder, meta)
        hyperparameters = Hyperparameters.from_mapping(meta["hyperparameters"])
        dataset, replicates = meta["dataset"], tuple(meta["replicates"])
        image_shape = dataset.get("image_shape") or image_shape_of(dataset["name"])
        checkpoint = Checkpoint(
            folder,
            hyperparameters,
            dataset["name"],
            dataset["sha256"],
            meta["data_dims"],
            None if image_shape is None else tuple(image_shape),
            replicates,
            tuple(meta.get("diverged", ())),
            tensors,
        )
        _check_tensors(checkpoint)
    except _NotInstalledError as error:
        raise InputError(str(error)) from None
    except KeyError as error:
        raise InputError(f"checkpoint: '{folder}' has no {error}") from None
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"checkpoint: '{folder}' cannot be read: {error}") from None
    return checkpoint


class _NotInstalledError(InputError):
    """The method of the checkpoint is not installed."""


def _check_installed(folder: Path, meta: Mapping[str, Any]) -> None:
    method = meta["hyperparameters"]["method"]
    if method not in METHODS:
        package = meta.get("method_package")
        where = f"the package {package}, which is not installed" if package else "no package here"
        raise _NotInstalledError(f"checkpoint: '{folder}' is of the method '{method}' of {where}")


def _check_tensors(checkpoint: Checkpoint) -> None:
    size = (checkpoint.data_dims, checkpoint.replicates)
    model = build_model(checkpoint.hyperparameters, *size, "meta")  # shapes, no memory
    for name in model.parameters:
        expected, found = model.parameters[name].shape, checkpoint._tensors[name].shape
        if found != expected:
            shapes = f"{list(found)}, not the {list(expected)} of meta.json"
            raise ValueError(f"tensor '{name}' has shape {shapes}")


def _meta(trainer: Trainer, model: Model) -> dict[str, Any]:
    package = METHODS.package_of(trainer.hyperparameters.method)
    return {
        "format": FORMAT,
        "hyperparameters": trainer.hyperparameters.canonical(),
        **({"method_package": package} if package else {}),
        "dataset": {
            "name": trainer.dataset.name,
            "sha256": trainer.dataset.sha256,
            "image_shape": trainer.dataset.image_shape,
        },
        "data_dims": trainer.dataset.dims,
        "replicates": list(trainer.replicates),
        "diverged": [
            r.index for r in trainer.replicates.values() if r.state is TrialState.DIVERGED
        ],
        "tensors": {name: ["replicate", *shape] for name, shape in model.parameters.shapes.items()},
        "layout": "a layer computes state @ weight + bias; weight is [replicate, n_in, n_out]",
    }


def _training_state(trainer: Trainer) -> bytes:
    tensors: dict[str, Tensor] = {}
    for index, replicate in trainer.replicates.items():
        if replicate.best_parameters is not None:
            tensors[f"{index}.best_parameters"] = replicate.best_parameters
    running = {
        index: group.row_state(row)
        for group in trainer.groups
        for row, index in enumerate(group.replicates)
    }
    for index, state in (running | trainer.final_states).items():
        for name, tensor in state.items():
            tensors[f"{index}.{name}"] = tensor
    progress = [
        {name: value for name, value in vars(replicate).items() if name != "best_parameters"}
        for replicate in trainer.replicates.values()
    ]
    text = json.dumps(progress).encode()
    tensors["progress"] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    return seal(tensors)
