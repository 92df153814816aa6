"""The index of the trials of a store that a longer trial can continue, without torch.

    .continuable/PREFIX/EPOCHS-TRIAL     an empty file for the trial TRIAL of at most EPOCHS epochs

PREFIX is a hash of everything else that the trial's id depends on. An entry is written when a trial
has ended by the limit of epochs, so that no scan of all records is needed. It is only a hint: the
training state in the record is checked before it is used.
"""

import re
from collections.abc import Mapping

import pyarrow.fs

from gmm_study.trials.config import TrialConfig
from gmm_study.trials.folder import Folder

INDEX = ".continuable"
_ENTRY = re.compile(r"(\d+)-(\w+)")


def add_to_index(file_system: pyarrow.fs.FileSystem, store: str, config: TrialConfig) -> None:
    """Add a trial to the index of the store at a path."""
    folder = Folder(file_system, f"{store}/{INDEX}/{config.prefix_id}")
    folder.write_file(f"{config.hyperparameters.total_epochs}-{config.trial_id}", b"\n")


def shorter_trials(
    file_system: pyarrow.fs.FileSystem, store: str, config: TrialConfig
) -> list[tuple[int, str]]:
    """The epochs and ids of the trials in the index that a trial continues, the longest first."""
    found = _entries(file_system, f"{store}/{INDEX}/{config.prefix_id}", recursive=False)
    limit = config.hyperparameters.total_epochs
    return sorted(((epochs, each) for _, epochs, each in found if epochs < limit), reverse=True)


def continuable_epochs(file_system: pyarrow.fs.FileSystem, store: str) -> dict[str, list[int]]:
    """By prefix, the epochs of all trials in the index; one listing."""
    epochs: dict[str, list[int]] = {}
    for prefix, reached, _ in _entries(file_system, f"{store}/{INDEX}", recursive=True):
        epochs.setdefault(prefix, []).append(reached)
    return epochs


def begins_at(config: TrialConfig, index: Mapping[str, list[int]]) -> int:
    """The epoch from which a trial without a record will go on, given `continuable_epochs`."""
    limit = config.hyperparameters.total_epochs
    return max((each for each in index.get(config.prefix_id, ()) if each < limit), default=0)


def _entries(
    file_system: pyarrow.fs.FileSystem, folder: str, recursive: bool
) -> list[tuple[str, int, str]]:
    """Prefix, epochs and trial id of the entries in a folder; none if it cannot be listed."""
    try:
        selector = pyarrow.fs.FileSelector(folder, allow_not_found=True, recursive=recursive)
        paths = [info.path for info in file_system.get_file_info(selector)]
    except OSError:
        return []
    found = []
    for path in paths:
        parent, _, name = path.rpartition("/")
        if entry := _ENTRY.fullmatch(name):
            found.append((parent.rpartition("/")[2], int(entry[1]), entry[2]))
    return found
