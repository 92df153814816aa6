"""What there is of a trial that is named by its folder, its address, its id or as a shipped model.

That is a record, a checkpoint, or both, and the storage that it is in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gmm_study.api.checkpoints import open_trained, shipped_models
from gmm_study.api.feedback import Working
from gmm_study.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from gmm_study.diagnosis.run import Run
    from gmm_study.training.checkpoint import Checkpoint
    from gmm_study.trials.config import TrialConfig
    from gmm_study.trials.record import Record
    from gmm_study.trials.record_store import RecordStore
    from gmm_study.trials.result import TrialResult

CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class FoundTrial:
    """What there is of a trial, which is at least a record or a checkpoint."""

    record: "Record | None"
    checkpoint: "Checkpoint | str"
    """Or why there is none."""
    device: str
    """The device to use."""
    store: "RecordStore"

    @classmethod
    def named(
        cls, trial: str, storage: str, device: str, threads: int | None, working: Working
    ) -> "FoundTrial":
        """The trial at a path or address, or of an id, or the model of a name.

        Raises `InputError` if there is none, and if neither its record nor its checkpoint can be
        used.
        """
        with working("reading the record"):
            record, place, store = _located(trial, storage)
        try:
            checkpoint: Checkpoint | str
            checkpoint, device = open_trained(place, device, threads, working)
        except InputError as error:
            if record is None or not str(error).startswith("checkpoint: "):
                raise
            checkpoint = f"no checkpoint: {str(error).removeprefix('checkpoint: ')}"
        if record is None and not isinstance(checkpoint, str):
            own = store.record(_config_of(checkpoint).trial_id)
            record = None if _config(own) is None else own
        return cls(record, checkpoint, device, store)

    @property
    def config(self) -> "TrialConfig":
        """The configuration, from the record or the checkpoint."""
        found = None if self.record is None else _config(self.record)
        if found is not None:
            return found
        assert not isinstance(self.checkpoint, str)
        return _config_of(self.checkpoint)

    @property
    def result(self) -> "TrialResult | None":
        """Its result, if it has one. Raises `InputError` if that cannot be read."""
        try:
            return None if self.record is None else self.record.result()
        except ValueError as error:
            raise InputError(f"trial: {error}") from None

    @property
    def why_no_result(self) -> str:
        """Why a replicate may have no result."""
        if self.record is None:
            return "there is no record of this model, only its checkpoint"
        return "the record has no result of this replicate yet"

    def replicates(self, only: int | None) -> list[int]:
        """The numbers of all replicates, or only one. Raises `InputError` if there are none."""
        result = self.result
        known = {*(result.replicates if result else ())}
        if not isinstance(self.checkpoint, str):
            known |= {*self.checkpoint.replicates}
        if not known:
            raise InputError("trial: no replicate of it has ended; wait for the first result")
        if only is not None and only not in known:
            numbers = ", ".join(map(str, sorted(known)))
            raise InputError(f"replicate: {only} is not in this trial; it has {numbers}")
        return sorted(known) if only is None else [only]

    def runs(self, margin: float) -> "Mapping[int, Run]":
        """The replicates that have ended, with their curves."""
        from gmm_study.diagnosis.run import runs_of

        result = self.result
        if self.record is None or result is None:
            return {}
        try:
            rows = self.record.metrics().to_pylist()
        except ValueError as error:
            raise InputError(f"trial: {error}") from None
        return runs_of(self.config.hyperparameters, result, rows, margin)


def _located(trial: str, storage: str) -> "tuple[Record | None, str, RecordStore]":
    """The record, where the checkpoint may be, and the storage; or `InputError`."""
    from analysis.shipped import with_shipped
    from gmm_study.trials.record_store import RecordStore

    store = with_shipped(RecordStore(storage))
    if "://" in trial or Path(trial).exists():
        return _at(trial, store)
    name = trial.rstrip("/")
    models = shipped_models()
    if name in models:
        return None, str(models[name]), store
    ids = store.trial_ids()
    if name in ids:
        is_address = "://" in storage
        place = f"{storage.rstrip('/')}/{name}" if is_address else store.record(name).path
        return store.record(name), place, store
    raise InputError(
        f"trial: '{trial}' is neither a folder, nor the id of a trial in '{storage}', nor the "
        f"name of a model that comes with gmm-study; {_hint(name, ids, models)}"
    )


def _at(trial: str, store: "RecordStore") -> "tuple[Record | None, str, RecordStore]":
    """The same of the trial in a folder or at the address of a bucket."""
    from gmm_study.trials.record import Record
    from gmm_study.trials.record_store import RecordStore

    place = trial.rstrip("/")
    if Path(place).is_file():
        raise InputError(f"trial: '{trial}' is a file; give the folder of a record or a checkpoint")
    if place.endswith(f"/{CHECKPOINT}"):
        outer = place.removesuffix(f"/{CHECKPOINT}")
        if _config(Record.at(outer)) is not None:
            place = outer
    record = Record.at(place)
    if _config(record) is None:
        return None, trial, store
    beside = place.rpartition("/")[0] or "."
    return record, place, RecordStore(beside)


def _config_of(opened: "Checkpoint") -> "TrialConfig":
    """The configuration of the trial whose checkpoint it is."""
    from gmm_study.trials.config import TrialConfig

    return TrialConfig(opened.hyperparameters, opened.dataset_name, opened.dataset_sha256)


def _config(record: "Record") -> "TrialConfig | None":
    try:
        return record.config()
    except ValueError as error:
        raise InputError(f"trial: {error}") from None


def _hint(name: str, ids: Sequence[str], models: Mapping[str, Path]) -> str:
    """The nearest name; the names of the models if there are many ids."""
    near = did_you_mean(name, [*ids, *models])
    return near if near.startswith("did you mean") else did_you_mean(name, models)
