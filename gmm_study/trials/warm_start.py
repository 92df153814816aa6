"""Beginning a trial from the parameters of another model, which the setting `warm_start` names.

Replicate r begins with the kept parameters of replicate r of that model. The trial's record says in
`warm_start.json` which checkpoint that was, with checksums of its parameters, because the trial's
id only depends on its name or its path. Replicates that are added later must begin from the same
model.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from gmm_study.errors import InputError
from gmm_study.storage.folder import Folder
from gmm_study.training.build import build_model
from gmm_study.training.checkpoint import MODEL_FILE, Checkpoint, read_checkpoint
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.trainer import Trainer
from gmm_study.training.values import is_trial_id
from gmm_study.trials.record import Record
from gmm_study.trials.stored import find_files, places_at

ORIGIN = "warm_start.json"


@dataclass(frozen=True)
class Origin:
    """The model that `warm_start` names."""

    named: str
    """The id or the path, as it is written."""
    checkpoint: Checkpoint
    sha256: str
    """The checksum of the file of its tensors."""
    ended: Collection[int] | None
    """The replicates whose training has ended; None for a path, where this is not asked."""


def begin_warm(
    trainer: Trainer, record: Record, beside: Record, ended: Collection[int] = ()
) -> None:
    """Give all replicates that are at their first epoch the parameters of another model.

    Does nothing without the setting `warm_start`. The id of a trial names the record that lies
    beside the record `beside`; what was used is noted in `record`. Raises `InputError` if there is
    no such checkpoint, if it lacks a replicate or the training of one has not ended, if its model
    has other tensors or shapes, or if replicates that are further, or have `ended`, have begun from
    other parameters than it holds now.
    """
    named = trainer.hyperparameters.warm_start
    fresh = [each.index for each in trainer.replicates.values() if each.epoch == 0]
    if named is None or not fresh:
        return
    origin = read_origin(named, beside.parent)
    check_origin(origin, trainer.hyperparameters, trainer.dataset.dims, fresh)
    checkpoint = origin.checkpoint
    checksums = {str(index): _checksum(checkpoint, index) for index in checkpoint.replicates}
    further = [each.index for each in trainer.replicates.values() if each.epoch > 0]
    begun = sorted({*ended, *further})
    _refuse_another(named, record, begun, checksums, origin.sha256)
    start = {index: checkpoint.model([index]).parameters.flat[0] for index in fresh}
    trainer.start_from(start)
    note = {
        "warm_start": named,
        "hyperparameters": checkpoint.hyperparameters.canonical(),
        "dataset": {"name": checkpoint.dataset_name, "sha256": checkpoint.dataset_sha256},
        "sha256": origin.sha256,
        "replicates": checksums,
    }
    record.write_file(ORIGIN, (json.dumps(note, indent=2) + "\n").encode())


def read_origin(named: str, store: Folder) -> Origin:
    """The model that `warm_start` names.

    The id of a trial names its record in the store. Raises `InputError` if there is none,
    and if it cannot be read.
    """
    folder, files = _find(named, store)
    ended: Collection[int] | None = None
    try:
        checkpoint = read_checkpoint(Path(folder.path), files)
        if is_trial_id(named):
            result = Record.of(store.inside(named)).result()
            ended = result.replicates if result else ()
    except (InputError, ValueError) as error:
        raise InputError(f"warm_start: {error}") from None
    return Origin(named, checkpoint, sha256(files[MODEL_FILE]).hexdigest(), ended)


def check_origin(
    origin: Origin, settings: Hyperparameters, data_dims: int, replicates: Sequence[int]
) -> None:
    """Raise `InputError` if replicates of a configuration cannot begin from a model."""
    named, checkpoint = origin.named, origin.checkpoint
    for index in replicates:
        if index not in checkpoint.replicates:
            held = ", ".join(map(str, checkpoint.replicates))
            raise InputError(f"warm_start: '{named}' has no replicate {index}; it holds {held}")
        if index in checkpoint.diverged:
            raise InputError(f"warm_start: replicate {index} of '{named}' diverged")
        if origin.ended is not None and index not in origin.ended:
            raise InputError(
                f"warm_start: replicate {index} of '{named}' has not been trained to its end; "
                "train that trial first"
            )
    theirs = checkpoint.model([]).parameters.shapes
    ours = build_model(settings, data_dims, [], "meta").parameters.shapes  # no memory
    for name in [*ours, *theirs]:
        if ours.get(name) != theirs.get(name):
            raise InputError(
                f"warm_start: '{named}' has {_shaped(theirs, name)}, this trial has "
                f"{_shaped(ours, name)}"
            )


def _checksum(checkpoint: Checkpoint, index: int) -> str:
    """The SHA-256 of the parameters of a replicate."""
    return sha256(checkpoint.model([index]).parameters.flat[0].numpy().tobytes()).hexdigest()


def _refuse_another(
    named: str, record: Record, begun: Sequence[int], checksums: Mapping[str, str], digest: str
) -> None:
    """Raise `InputError` if a replicate has begun from other parameters than the model has now.

    A model that has only more replicates than before is the same one.
    """
    try:
        noted = (record.read_json(ORIGIN) or {}) if begun else {}
    except ValueError as error:
        raise InputError(f"warm_start: {error}") from None
    if not noted or noted.get("sha256") == digest:
        return
    of_replicates = noted.get("replicates", {})
    for index in begun:
        if of_replicates.get(str(index)) != checksums.get(str(index)):
            raise InputError(
                f"warm_start: '{named}' has other parameters than those with which replicate "
                f"{index} began; restore them, or begin from a copy of the model under another name"
            )


def _find(named: str, store: Folder) -> tuple[Folder, dict[str, bytes]]:
    """The folder of the checkpoint and the content of its files."""
    places = [store.inside(f"{named}/checkpoint")] if is_trial_id(named) else places_at(named)
    try:
        found = find_files(places)
    except OSError as error:
        raise InputError(f"warm_start: '{named}' cannot be read: {error}") from None
    if found is not None:
        return found
    where = f"'{places[0].path}'" if is_trial_id(named) else f"'{named}'"
    raise InputError(
        f"warm_start: {where} has no checkpoint; give the id of a trial of this store, or the path "
        "of a trial's record or its folder 'checkpoint'"
    )


def _shaped(shapes: dict[str, tuple[int, ...]], name: str) -> str:
    return f"'{name}' of shape {list(shapes[name])}" if name in shapes else f"no '{name}'"
