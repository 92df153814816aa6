"""Beginning a trial from the parameters of another model, which the setting `warm_start` names.

Replicate r begins with the kept parameters of replicate r of that model. The trial's record says in
`warm_start.json` which checkpoint that was, with a checksum of its parameters: the trial's id only
depends on its name or its path.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from gmm_study.errors import InputError
from gmm_study.training.checkpoint import META_FILE, MODEL_FILE, Checkpoint, read_checkpoint
from gmm_study.training.trainer import Trainer
from gmm_study.training.values import is_trial_id
from gmm_study.trials.folder import Folder
from gmm_study.trials.record import Record

ORIGIN = "warm_start.json"


def begin_warm(trainer: Trainer, record: Record, beside: Record) -> None:
    """Give all replicates that are at their first epoch the parameters of another model.

    Does nothing without the setting `warm_start`. The id of a trial names the record that lies
    beside the record `beside`; what was used is noted in `record`. Raises `InputError` if there is
    no such checkpoint, if it lacks a replicate, or if its model has other tensors or shapes.
    """
    named = trainer.hyperparameters.warm_start
    fresh = [each.index for each in trainer.replicates.values() if each.epoch == 0]
    if named is None or not fresh:
        return
    folder, files = _find(named, beside)
    try:
        checkpoint = read_checkpoint(Path(folder.path), files)
    except InputError as error:
        raise InputError(f"warm_start: {error}") from None
    _check(named, checkpoint, trainer, fresh)
    start = {index: checkpoint.model([index]).parameters.flat[0] for index in fresh}
    trainer.start_from(start)
    origin = {
        "warm_start": named,
        "hyperparameters": checkpoint.hyperparameters.canonical(),
        "dataset": {"name": checkpoint.dataset_name, "sha256": checkpoint.dataset_sha256},
        "sha256": sha256(files[MODEL_FILE]).hexdigest(),
    }
    record.write_file(ORIGIN, (json.dumps(origin, indent=2) + "\n").encode())


def _find(named: str, beside: Record) -> tuple[Folder, dict[str, bytes]]:
    """The folder of the checkpoint and the content of its files."""
    if is_trial_id(named):
        store = beside.path.rpartition("/")[0]
        places = [Folder(beside.file_system, f"{store}/{named}/checkpoint")]
    else:
        places = [Folder.at(f"{named}/checkpoint"), Folder.at(named)]
    for folder in places:
        try:
            content = {name: folder.read_file(name) for name in (META_FILE, MODEL_FILE)}
        except OSError as error:
            raise InputError(f"warm_start: '{named}' cannot be read: {error}") from None
        found = {name: each for name, each in content.items() if each is not None}
        if len(found) == len(content):
            return folder, found
    where = f"'{places[0].path}'" if is_trial_id(named) else f"'{named}'"
    raise InputError(
        f"warm_start: {where} has no checkpoint; give the id of a trial of this store, or the path "
        "of a trial's record or its folder 'checkpoint'"
    )


def _check(named: str, checkpoint: Checkpoint, trainer: Trainer, replicates: Sequence[int]) -> None:
    for index in replicates:
        if index not in checkpoint.replicates:
            held = ", ".join(map(str, checkpoint.replicates))
            raise InputError(f"warm_start: '{named}' has no replicate {index}; it holds {held}")
        if index in checkpoint.diverged:
            raise InputError(f"warm_start: replicate {index} of '{named}' diverged")
    theirs = checkpoint.model([]).parameters.shapes
    ours = trainer.best_model([]).parameters.shapes
    for name in [*ours, *theirs]:
        if ours.get(name) != theirs.get(name):
            raise InputError(
                f"warm_start: '{named}' has {_shaped(theirs, name)}, this trial has "
                f"{_shaped(ours, name)}"
            )


def _shaped(shapes: dict[str, tuple[int, ...]], name: str) -> str:
    return f"'{name}' of shape {list(shapes[name])}" if name in shapes else f"no '{name}'"
