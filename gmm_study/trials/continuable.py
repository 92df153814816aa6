"""Which trials of a store another trial can go on from, and the index of them, without torch.

An *earlier* trial of a configuration is one whose training is the beginning of its own, or all of
it: they differ in `max_epochs`, in `patience` or in how the model is evaluated, and in nothing
else.

    .continuable/PREFIX/REPLICATES-REACHED-EPOCHS-PATIENCE-TRIAL     an empty file

PREFIX is a hash of everything else that the id of the trial TRIAL depends on. It had REPLICATES, of
which the longest was trained for REACHED epochs; EPOCHS and PATIENCE are the limits. An entry is
written whenever a trial has ended, so that no scan of all records is needed. It is only a hint, as
replicates may have been added since: the training state in the record is checked before it is used.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from gmm_study.storage.folder import Folder
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.schedule import can_be_continued
from gmm_study.trials.config import TrialConfig

INDEX = ".continuable"
_ENTRY = re.compile(r"(\d+)-(\d+)-(\d+)-(\d+)-(\w+)")


class Limits(NamedTuple):
    """The most epochs of a training, over all stages, and the patience of its first stage."""

    epochs: int
    patience: int


class Entry(NamedTuple):
    """A trial in the index."""

    replicates: int
    reached: int
    limits: Limits
    trial_id: str

    @property
    def name(self) -> str:
        """The name of its file."""
        return "-".join(map(str, (self.replicates, self.reached, *self.limits, self.trial_id)))


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


def is_earlier(other: TrialConfig, config: TrialConfig, reached: int) -> bool:
    """Whether another trial, which reached so many epochs, is an earlier one of `config`."""
    alike = other.prefix_id == config.prefix_id and other.trial_id != config.trial_id
    return alike and begins_with(config, limits_of(other.hyperparameters), reached)


def add_to_index(store: Folder, config: TrialConfig, epochs: Collection[int]) -> None:
    """Add a trial to the index of a store, with the epochs of its replicates."""
    limits = limits_of(config.hyperparameters)
    entry = Entry(len(epochs), max(epochs), limits, config.trial_id)
    store.inside(f"{INDEX}/{config.prefix_id}").write_file(entry.name, b"\n")


def earlier_trials(store: Folder, config: TrialConfig, replicates: int) -> list[Entry]:
    """The earlier trials of a configuration in the index, the best ones first.

    Those with more of so many `replicates` come first, and among them those trained longest.
    """
    found = _entries(store.inside(f"{INDEX}/{config.prefix_id}")).get(config.prefix_id, [])
    better = {entry: (min(entry.replicates, replicates), *entry[1:]) for entry in found}
    return sorted(_earlier(found, config), key=better.__getitem__, reverse=True)


def read_index(store: Folder) -> dict[str, list[Entry]]:
    """All trials in the index, by PREFIX; one listing."""
    return _entries(store.inside(INDEX), recursive=True)


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


def _entries(folder: Folder, recursive: bool = False) -> dict[str, list[Entry]]:
    """The entries by the name of the folder they are in; none if it cannot be listed."""
    try:
        paths = [f"{folder.path}/{each.name}" for each in folder.entries(recursive)]
    except OSError:
        return {}
    found: dict[str, list[Entry]] = {}
    for path in paths:
        parent, _, name = path.rpartition("/")
        if entry := _ENTRY.fullmatch(name):
            replicates, reached, *limits = map(int, entry.groups()[:-1])
            place = parent.rpartition("/")[2]
            found.setdefault(place, []).append(
                Entry(replicates, reached, Limits(*limits), entry[5])
            )
    return found
