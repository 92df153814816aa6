"""Continuing a trial from the record of an earlier one.

That is one whose training is the beginning of its own, or all of it (`continuable.py`). At a
constant learning rate in a single stage, training depends on `max_epochs` and `patience` only when
it ends. The record of a trial that ended by one of them therefore holds the state from which a
trial with higher limits goes on, bit for bit as if it had been trained anew. A trial that differs
only in its evaluation takes over all of the training.

A folder that `gmm-study train --output` is given holds one trial. The next one is trained beside
it, in the folder `.next` inside, and takes its place when it is complete. The result of the earlier
one can therefore not be lost. If the exchange is interrupted, the next call completes it.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress

from gmm_study.storage.folder import Folder
from gmm_study.training.checkpoint import TRAINING_FILE, continue_training
from gmm_study.training.trainer import Trainer
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.continuable import add_to_index, earlier_trials, is_earlier
from gmm_study.trials.record import Record
from gmm_study.trials.result import ReplicateResult
from gmm_study.trials.warm_start import ORIGIN

logger = logging.getLogger(__name__)

NEXT = ".next"
LOCK_SECONDS = 5.0
_STATE = f"checkpoint/{TRAINING_FILE}"


def note_in_index(record: Record, config: TrialConfig, trainer: Trainer) -> None:
    """Add a trial that has ended to the index of its store.

    An error does not cost the result.
    """
    store = _store_of(record, config)
    if store is not None:
        try:
            epochs = [replicate.epoch for replicate in trainer.replicates.values()]
            add_to_index(store, config, epochs)
        except Exception as error:
            logger.warning("trial %s is not in the index: %s", config.trial_id, error)


def continue_earlier(
    record: Record, config: TrialConfig, trainer: Trainer, given: Record | None = None
) -> bool:
    """Put a fresh trainer where the best usable earlier trial ended; False if there is none.

    The earlier trials are `given` alone, or those of the store to which the record belongs. Their
    states that cannot be used are passed over. The trainer may then be unusable, if this is False.
    """
    for earlier in [given] if given else _earlier(record, config, len(trainer.replicates)):
        try:
            content, origin = earlier.read_file(_STATE), earlier.read_file(ORIGIN)
            if content is None:
                continue
            continue_training(trainer, content)
        except (OSError, ValueError) as error:
            logger.warning("trial %s: %s: %s", config.trial_id, earlier.path, error)
            trainer.start_anew()
            continue
        if origin is not None:
            record.write_file(ORIGIN, origin)
        return True
    return False


def goes_on_from(folder: Record, config: TrialConfig) -> bool:
    """Whether a folder holds an earlier trial of a configuration.

    A record in a store, which has the trial's id as its name, keeps its trial. Raises `OSError` or
    `ValueError` if the configuration cannot be read.
    """
    held = folder.config()
    if held is None or folder.path.rpartition("/")[2] == held.trial_id:
        return False
    epochs = [each.epochs for each in _ended(folder).values()]
    return is_earlier(held, config, max(epochs, default=held.hyperparameters.total_epochs))


def next_record(folder: Record, config: TrialConfig) -> Record:
    """Where a trial that continues the one in a folder is trained until it is complete."""
    return Record.of(folder.inside(f"{NEXT}/{config.trial_id}"))


def complete_exchange(folder: Record) -> None:
    """Put every complete next trial in the place of the one that it continues."""
    for entry in folder.inside(NEXT).entries():
        following = Record.of(folder.inside(f"{NEXT}/{entry.name}"))
        with suppress(ValueError):
            if not entry.is_file and following.result() is not None:
                exchange(folder, following)


def exchange(folder: Record, following: Record) -> None:
    """Put a complete next trial in the place of the one that it continues.

    Its configuration comes last. If the trial in the folder is no earlier one, only the next
    trial's own folder is removed. Nothing changes if the folder has got replicates since that the
    next trial lacks. Another process that does the same is left to it.
    """
    if not folder.take_up(LOCK_SECONDS):
        return
    try:
        if following.result() is None:
            return
        held, found = folder.config(), following.config()
        if held is None or found is None or goes_on_from(folder, found):
            if _ended(folder).keys() - _ended(following).keys():
                return
            for name in sorted(_files(following), key=lambda name: (name == "config.json", name)):
                folder.write_file(name, following.read_file(name) or b"")
        _remove(folder, following)
    finally:
        folder.release()


def _ended(record: Record) -> Mapping[int, ReplicateResult]:
    """The replicates that have ended; none if there is no result or it cannot be read."""
    with suppress(ValueError):
        if result := record.result():
            return result.replicates
    return {}


def _remove(folder: Record, following: Record) -> None:
    """Remove a next trial from the folder of the earlier one; others that lie there stay."""
    following.delete()
    if not folder.inside(NEXT).entries():
        folder.inside(NEXT).delete()


def _files(record: Record) -> Iterator[str]:
    for entry in record.entries(recursive=True):
        if entry.is_file and not entry.name.startswith("."):
            yield entry.name


def _store_of(record: Record, config: TrialConfig) -> Folder | None:
    """The store to which a record belongs; None if it is a folder of its own."""
    store, name = record.parent, record.path.rpartition("/")[2]
    return store if name == config.trial_id and not store.path.endswith(f"/{NEXT}") else None


def _earlier(record: Record, config: TrialConfig, replicates: int) -> Iterator[Record]:
    """The earlier trials in the record's store, the best ones for so many replicates first."""
    store = _store_of(record, config)
    if store is not None:
        for entry in earlier_trials(store, config, replicates):
            yield Record.of(store.inside(entry.trial_id))
