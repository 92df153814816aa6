"""Continuing a trial from the record of a shorter one, whose training is the beginning of its own.

At a constant learning rate in a single stage, training does not depend on `max_epochs` before it
ends. The record of a trial that ended by the limit of epochs therefore holds the state from which a
trial with a higher limit goes on, bit for bit as if it had been trained anew.

Such records are found by the index of their store (`continuable.py`).

A folder that `gmm-study train --output` is given holds one trial. A longer one is trained beside
it, in the folder `.longer` inside, and takes its place when it is complete. The result of the
shorter one can therefore not be lost. If the exchange is interrupted, the next call completes it.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress

import pyarrow.fs

from gmm_study.training.checkpoint import TRAINING_FILE, continue_training
from gmm_study.training.schedule import can_be_continued
from gmm_study.training.trainer import Trainer
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.continuable import add_to_index, shorter_trials
from gmm_study.trials.record import Record
from gmm_study.trials.warm_start import ORIGIN

logger = logging.getLogger(__name__)

LONGER = ".longer"
LOCK_SECONDS = 5.0
_STATE = f"checkpoint/{TRAINING_FILE}"


def is_longer(config: TrialConfig, other: TrialConfig) -> bool:
    """Whether training `other` is the beginning of training `config`."""
    return (
        config.prefix_id == other.prefix_id
        and config.hyperparameters.total_epochs > other.hyperparameters.total_epochs
        and can_be_continued(other.hyperparameters)
    )


def note_in_index(record: Record, config: TrialConfig, trainer: Trainer) -> None:
    """Add a trial that has ended to the index of its store, if a longer one can continue it.

    An error does not cost the result.
    """
    store = _store_of(record, config)
    if store is not None and trainer.final_states:
        try:
            add_to_index(record.file_system, store, config)
        except Exception as error:
            logger.warning("trial %s is not in the index: %s", config.trial_id, error)


def continue_shorter(
    record: Record, config: TrialConfig, trainer: Trainer, given: Record | None = None
) -> bool:
    """Put a fresh trainer where the longest usable shorter trial ended; False if there is none.

    The shorter trials are `given` alone, or those of the store to which the record belongs. Their
    states that cannot be used are passed over. The trainer may then be unusable, if this is False.
    """
    for shorter in [given] if given else _shorter(record, config):
        try:
            content, origin = shorter.read_file(_STATE), shorter.read_file(ORIGIN)
            if content is None:
                continue
            continue_training(trainer, content)
        except (OSError, ValueError) as error:
            logger.warning("trial %s: %s: %s", config.trial_id, shorter.path, error)
            trainer.start_anew()
            continue
        if origin is not None:
            record.write_file(ORIGIN, origin)
        return True
    return False


def longer_record(folder: Record, config: TrialConfig) -> Record:
    """Where a trial that continues the one in a folder is trained until it is complete."""
    return Record(folder.file_system, f"{folder.path}/{LONGER}/{config.trial_id}")


def complete_exchange(folder: Record) -> None:
    """Put every complete longer trial in the place of the one that it continues."""
    selector = pyarrow.fs.FileSelector(f"{folder.path}/{LONGER}", allow_not_found=True)
    for info in folder.file_system.get_file_info(selector):
        longer = Record(folder.file_system, info.path)
        with suppress(ValueError):
            if info.type == pyarrow.fs.FileType.Directory and longer.result() is not None:
                exchange(folder, longer)


def exchange(folder: Record, longer: Record) -> None:
    """Put a complete longer trial in the place of the one that it continues.

    Its configuration comes last. If the folder holds a trial that is as long, only the longer
    trial's own folder is removed. Another process that does the same is left to it.
    """
    if not folder.take_up(LOCK_SECONDS):
        return
    try:
        if longer.result() is not None:
            held, found = folder.config(), longer.config()
            if held is None or found is None or is_longer(found, held):
                for name in sorted(_files(longer), key=lambda name: (name == "config.json", name)):
                    folder.write_file(name, longer.read_file(name) or b"")
            _remove(folder, longer)
    finally:
        folder.release()


def _remove(folder: Record, longer: Record) -> None:
    """Remove a longer trial from the folder of the shorter one; others that lie there stay."""
    folder.file_system.delete_dir(longer.path)
    selector = pyarrow.fs.FileSelector(f"{folder.path}/{LONGER}")
    if not folder.file_system.get_file_info(selector):
        folder.file_system.delete_dir(selector.base_dir)


def _files(record: Record) -> Iterator[str]:
    selector = pyarrow.fs.FileSelector(record.path, recursive=True)
    for info in record.file_system.get_file_info(selector):
        name = info.path.removeprefix(f"{record.path}/")
        if info.type == pyarrow.fs.FileType.File and not name.startswith("."):
            yield name


def _store_of(record: Record, config: TrialConfig) -> str | None:
    """The path of the store to which a record belongs; None if it is a folder of its own."""
    store, _, name = record.path.rpartition("/")
    return store if name == config.trial_id and not store.endswith(f"/{LONGER}") else None


def _shorter(record: Record, config: TrialConfig) -> Iterator[Record]:
    """The shorter trials in the record's store, the longest of them first."""
    store = _store_of(record, config)
    if store is not None:
        for _, trial_id in shorter_trials(record.file_system, store, config):
            yield Record(record.file_system, f"{store}/{trial_id}")
