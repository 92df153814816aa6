"""Which trials of a store another trial can go on from, and the index of them, without torch.

An *earlier* trial of a configuration is one whose training is the beginning of its own, or all of
it: they differ in `max_epochs`, in `patience` or in how the model is evaluated, and in nothing
else.

    .continuable/PREFIX/REACHED-EPOCHS-PATIENCE-TRIAL     an empty file for the trial TRIAL

PREFIX is a hash of everything else that the trial's id depends on, REACHED is the most epochs that
a replicate was trained for, and EPOCHS and PATIENCE are the limits. An entry is written when a
trial has ended, so that no scan of all records is needed. It is only a hint: the training state in
the record is checked before it is used.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

import pyarrow.fs

from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.schedule import can_be_continued
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.folder import Folder

INDEX = ".continuable"
_ENTRY = re.compile(r"(\d+)-(\d+)-(\d+)-(\w+)")


class Limits(NamedTuple):
    """What ends a training that does not diverge: epochs in all, and the first stage's patience."""

    epochs: int
    patience: int


class Entry(NamedTuple):
    """A trial in the index."""

    reached: int
    limits: Limits
    trial_id: str

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.reached}-{self.limits.epochs}-{self.limits.patience}-{self.trial_id}"


def limits_of(settings: Hyperparameters) -> Limits:
    """The limits of a training."""
    return Limits(settings.total_epochs, settings.stage_list[0].patience)


def begins_with(config: TrialConfig, limits: Limits, reached: int) -> bool:
    """Whether the training of `config` begins with one that differs in its limits alone.

    With the same limits it is the same training. At a constant learning rate in a single stage, one
    with less patience is its beginning, if it `reached` no more epochs than `config` allows.
    """
    only, *further = config.hyperparameters.stage_list
    own = limits_of(config.hyperparameters)
    if limits == own:
        return True
    if further or reached > own.epochs or limits.patience > own.patience:
        return False
    return can_be_continued(replace(only, max_epochs=limits.epochs))


def is_earlier(other: TrialConfig, config: TrialConfig) -> bool:
    """Whether another trial is an earlier one of this configuration."""
    alike = other.prefix_id == config.prefix_id and other.trial_id != config.trial_id
    limits = limits_of(other.hyperparameters)
    return alike and begins_with(config, limits, limits.epochs)


def add_to_index(
    file_system: pyarrow.fs.FileSystem, store: str, config: TrialConfig, reached: int
) -> None:
    """Add a trial to the index of the store at a path."""
    entry = Entry(reached, limits_of(config.hyperparameters), config.trial_id)
    folder = Folder(file_system, f"{store}/{INDEX}/{config.prefix_id}")
    folder.write_file(entry.name, b"\n")


def earlier_trials(
    file_system: pyarrow.fs.FileSystem, store: str, config: TrialConfig
) -> list[Entry]:
    """The earlier trials of a configuration in the index; what was trained longest comes first."""
    folder = f"{store}/{INDEX}/{config.prefix_id}"
    found = _entries(file_system, folder, recursive=False).get(config.prefix_id, [])
    return sorted(_earlier(found, config), reverse=True)


def read_index(file_system: pyarrow.fs.FileSystem, store: str) -> dict[str, list[Entry]]:
    """All trials in the index, by PREFIX; one listing."""
    return _entries(file_system, f"{store}/{INDEX}", recursive=True)


def begins_at(config: TrialConfig, index: Mapping[str, list[Entry]]) -> int:
    """The epoch from which a trial without a record will go on, given the index.

    It is the last epoch if another trial has been trained alike to the end.
    """
    own, start = limits_of(config.hyperparameters), 0
    for entry in _earlier(index.get(config.prefix_id, []), config):
        ended = entry.reached < entry.limits.epochs and entry.limits.patience == own.patience
        start = max(start, own.epochs if ended or entry.limits == own else entry.reached)
    return start


def _earlier(entries: Iterable[Entry], config: TrialConfig) -> list[Entry]:
    return [
        entry
        for entry in entries
        if entry.trial_id != config.trial_id and begins_with(config, entry.limits, entry.reached)
    ]


def _entries(
    file_system: pyarrow.fs.FileSystem, folder: str, recursive: bool
) -> dict[str, list[Entry]]:
    """The entries by the name of the folder they are in; none if it cannot be listed."""
    try:
        selector = pyarrow.fs.FileSelector(folder, allow_not_found=True, recursive=recursive)
        paths = [info.path for info in file_system.get_file_info(selector)]
    except OSError:
        return {}
    found: dict[str, list[Entry]] = {}
    for path in paths:
        parent, _, name = path.rpartition("/")
        if entry := _ENTRY.fullmatch(name):
            limits = Limits(int(entry[2]), int(entry[3]))
            place = parent.rpartition("/")[2]
            found.setdefault(place, []).append(Entry(int(entry[1]), limits, entry[4]))
    return found
