"""The data sets of a study: checksums for its plan, contents for the data sets to be trained on."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from gmm_study.api.feedback import Working, silently
from gmm_study.errors import InputError

if TYPE_CHECKING:
    from gmm_study.data import Dataset


class StudyData:
    """The data sets of a study, each read at most once.

    A data set that cannot be downloaded is left out, and `missing` gets one line about it. Raises
    `InputError` if no data set is left, and for a data set that is unknown or damaged.
    """

    def __init__(self, names: Sequence[str], working: Working = silently) -> None:
        from gmm_study.data import DownloadError

        self._working = working
        self._loaded: dict[str, Dataset] = {}
        self.checksums: dict[str, str] = {}
        """By name, of those that are available."""
        self.notes: dict[str, None] = {}
        """One line for each thing that was decided in reading the files."""
        unavailable: dict[str, DownloadError] = {}
        for name in names:
            try:
                self.checksums[name] = self._checksum(name)
            except DownloadError as error:
                unavailable[name] = error
        self.missing = tuple(f"no data: {error}" for error in unavailable.values())
        if not self.checksums:
            several = "none of the study's data sets is available: " if len(names) > 1 else ""
            raise InputError(f"{several}{unavailable[names[0]]}")

    def by_checksum(self, needed: Mapping[str, str]) -> "dict[str, Dataset]":
        """By checksum: the data sets read so far, and those in `needed` (names by checksum)."""
        for checksum, name in needed.items():
            if checksum not in self._loaded:
                self._load(name)
        return self._loaded

    def dims(self, name: str) -> int:
        """The number D of dimensions of a data set, which is read only if it is not declared."""
        from gmm_study.data import find_entry

        entry = find_entry(name)
        if entry:
            return entry.dims
        return self.by_checksum({self.checksums[name]: name})[self.checksums[name]].dims

    def forget(self) -> None:
        """Release the content of all data sets; their checksums stay."""
        self._loaded.clear()

    def _checksum(self, name: str) -> str:
        """The checksum. That of generated data is known in advance, without generating them."""
        from gmm_study.data import find_entry

        entry = find_entry(name)
        if entry and entry.build and entry.sha256:
            return entry.sha256
        return self._load(name).sha256

    def _load(self, name: str) -> "Dataset":
        dataset = read_dataset(name, self._working)
        self._loaded[dataset.sha256] = dataset
        self.notes |= dict.fromkeys(dataset.notes)
        return dataset


def read_dataset(
    name_or_path: str,
    working: Working = silently,
    read: "Callable[[str], Dataset] | None" = None,
) -> "Dataset":
    """A data set. `working` is shown while it is read; a download shows its own progress bar."""
    from gmm_study.data import is_downloaded_now, load_dataset

    has_a_bar = is_downloaded_now(name_or_path)
    with nullcontext() if has_a_bar else working(f"reading {name_or_path}"):
        return (read or load_dataset)(name_or_path)
