"""Data sets by name or path, and the list of those that have a name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from gmm_study.catalogue import called, resolved
from gmm_study.data.data_path import path_of
from gmm_study.data.dataset import SPLITS, Dataset
from gmm_study.data.download import find_origin, load_files
from gmm_study.data.own import load_path
from gmm_study.data.registry import DATASETS, REGISTRY, NamedDataset
from gmm_study.data.verification import check_contents, check_shapes
from gmm_study.errors import InputError, did_you_mean


@dataclass(frozen=True)
class DatasetInfo:
    """A named data set, described without reading it.

    `sizes` are the rows of train, valid and test. `origin` is its current source: 'embedded',
    'generated', 'package NAME', a path in GMM_STUDY_DATA, 'cached' or 'download'.
    """

    name: str
    dims: int
    sizes: tuple[int, int, int]
    source: str
    origin: str


def load_dataset(name_or_path: str) -> Dataset:
    """A data set by its name, or a user's own by its path, read and verified.

    A path is an .npz file with train, valid and test, a folder with a file for each of them (.csv,
    .csv.gz, .txt, .txt.gz or .npy), or one such file whose rows are split by declared fractions, as
    in `rows.npy?fractions=0.8/0.1/0.1&seed=0`. `?threshold=127` makes other values binary, and
    `?header=true` says that the first line of a text is no row. A name takes precedence over a
    path; `./name` is a path. Raises InputError for an unknown name, a missing path, a file that
    differs from its declaration, and a failed download.
    """
    if name_or_path in DATASETS or not _means_path(name_or_path):
        return fetch_dataset(name_or_path)
    return load_path(name_or_path)


def fetch_dataset(name: str) -> Dataset:
    """A named data set, read and verified, and downloaded into the cache if it is missing.

    Raises InputError as `load_dataset` does, and for a path.
    """
    entry = find_entry(name)
    if entry is None:
        named, separator, _ = name.partition("?")
        if separator and named in DATASETS:
            raise InputError(
                f"data path '{name}': only files have settings, and '{named}' is a named data set"
            )
        raise InputError(f"unknown data set '{name}': {did_you_mean(name, DATASETS)}")
    return load_files(entry) if entry.build is None else _built(entry)


def find_entry(name: str) -> NamedDataset | None:
    """The declaration of a named data set, None for any other text.

    Raises InputError if it belongs to another package and cannot be used.
    """
    return DATASETS.get(name)


def image_shape_of(name: str) -> tuple[int, int] | None:
    """(height, width) of the datapoints of a built-in data set of pictures, else None."""
    entry = REGISTRY.get(name)
    return entry.image_shape if entry else None


def list_datasets() -> list[DatasetInfo]:
    """All named data sets. Looks for files, but reads and downloads none.

    Those of other packages come last. Those that cannot be used are left out; `dataset_problems`
    gives the reasons. Raises InputError if GMM_STUDY_DATA does not name a folder.
    """
    return [
        DatasetInfo(
            entry.name,
            entry.dims,
            entry.sizes,
            entry.source,
            _origin(entry),
        )
        for entry in DATASETS.usable()[0].values()
    ]


def dataset_problems() -> list[str]:
    """A line for each data set of an installed package that cannot be used, with the reason."""
    return DATASETS.usable()[1]


def is_downloaded_now(name: str) -> bool:
    """Whether loading a data set would download it now.

    Raises InputError as `find_entry` does, and if GMM_STUDY_DATA does not name a folder.
    """
    entry = find_entry(name)
    return entry is not None and _origin(entry) == "download"


def _origin(entry: NamedDataset) -> str:
    if entry.files:
        return find_origin(entry)
    package = DATASETS.package_of(entry.name)
    return f"package {package}" if package else entry.origin


def _built(entry: NamedDataset) -> Dataset:
    where = f"data set '{entry.name}'"
    build = resolved(entry.build or "", where)
    splits = called(build, f"{where}: its build failed")
    if not isinstance(splits, Mapping) or not {*SPLITS} <= {*splits}:
        raise InputError(f"{where}: its build must return a mapping of {', '.join(SPLITS)}")
    dataset = Dataset.from_splits(entry.name, splits, entry.image_shape)
    check_shapes(entry, {split: getattr(dataset, split) for split in SPLITS}, entry.source)
    return check_contents(entry, dataset, entry.source)


def _means_path(text: str) -> bool:
    """Whether a text that is not a name is probably a path rather than a misspelt name."""
    path, written = path_of(text), text.partition("?")[0]
    looks_like_path = path.suffix != "" or os.sep in written or text.startswith("~")
    return os.path.exists(path) or (looks_like_path and not text.startswith("debd/"))
