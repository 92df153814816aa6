"""Data sets by name or path, and the list of those that have a name."""

import os
from dataclasses import dataclass
from pathlib import Path

from gmm_study.data.dataset import Dataset
from gmm_study.data.download import check_contents, find_origin, load_files
from gmm_study.data.files import load_path
from gmm_study.data.registry import REGISTRY
from gmm_study.errors import InputError, did_you_mean


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a named data set without reading it.

    `sizes` are the rows of train, valid and test. `origin` is where it would come from now:
    'embedded', 'generated', a path in GMM_STUDY_DATA, 'cached' or 'download'.
    """

    name: str
    dims: int
    sizes: tuple[int, int, int]
    source: str
    origin: str


def load_dataset(name_or_path: str) -> Dataset:
    """A data set by its name, or a user's own by its path, read and verified.

    A path is an .npz file with train, valid and test, or a folder of train.csv, valid.csv and
    test.csv (comma separated 0/1, no header). A name comes before a path; `./name` is a path.
    Raises InputError for an unknown name, a missing path, a file that is not as declared, and a
    download that fails.
    """
    if name_or_path in REGISTRY or not _means_path(name_or_path):
        return fetch_dataset(name_or_path)
    return load_path(name_or_path)


def fetch_dataset(name: str) -> Dataset:
    """A named data set, read and verified, downloaded into the cache if it is not at hand.

    Raises InputError as `load_dataset` does, and for a path.
    """
    entry = REGISTRY.get(name)
    if entry is None:
        raise InputError(f"unknown data set '{name}': {did_you_mean(name, REGISTRY)}")
    if entry.build is None:
        return load_files(entry)
    dataset = Dataset.from_splits(name, entry.build(), entry.image_shape)
    return check_contents(entry, dataset, entry.source)


def image_shape_of(name: str) -> tuple[int, int] | None:
    """(height, width) of the datapoints of a named data set of pictures, else None."""
    entry = REGISTRY.get(name)
    return entry.image_shape if entry else None


def list_datasets() -> list[DatasetInfo]:
    """All named data sets; looks at which files exist, reads and downloads none.

    Raises InputError if GMM_STUDY_DATA names no folder.
    """
    return [
        DatasetInfo(
            entry.name,
            entry.dims,
            entry.sizes,
            entry.source,
            find_origin(entry) if entry.files else entry.origin,
        )
        for entry in REGISTRY.values()
    ]


def _means_path(text: str) -> bool:
    """Whether a text that is no name was meant as a path, rather than a misspelt name."""
    looks_like_path = Path(text).suffix != "" or os.sep in text or text.startswith("~")
    return Path(text).expanduser().exists() or (looks_like_path and not text.startswith("debd/"))
