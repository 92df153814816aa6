"""Published files, from GMM_STUDY_DATA, the cache or a download, verified before they are used."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmm_study.cache_folder import cache_folder
from gmm_study.data.dataset import Dataset
from gmm_study.data.files import read_splits
from gmm_study.data.registry import NamedDataset, RemoteFile
from gmm_study.data.verification import check_contents, check_shapes, is_published
from gmm_study.errors import InputError
from gmm_study.paths import expanded

TIMEOUT = (5.0, 30.0)
"""Seconds to wait for a connection, and for each further part of a download."""


class DownloadError(InputError):
    """A named data set is neither local nor could it be downloaded."""


def find_origin(entry: NamedDataset) -> str:
    """The current source of the files: a path in GMM_STUDY_DATA, 'cached' or 'download'."""
    local = _data_folder()
    if local is not None and _holds(local, entry):
        first = local / entry.files[0].path
        return str(first if len(entry.files) == 1 else first.parent)
    return "cached" if _holds(cache_folder(), entry) else "download"


def load_files(entry: NamedDataset) -> Dataset:
    """The data set of an entry's files, which are downloaded into the cache if they are missing.

    Raises InputError for a file that is not the published one and DownloadError for a failed
    download; a damaged file in the cache is discarded and downloaded again.
    """
    local = _data_folder()
    if local is not None and _holds(local, entry):
        return _read(entry, local, [f"file '{local / file.path}'" for file in entry.files])
    cache = cache_folder()
    if _holds(cache, entry):
        try:
            return _read(entry, cache, [f"file '{cache / file.path}'" for file in entry.files])
        except InputError:
            for file in entry.files:
                (cache / file.path).unlink(missing_ok=True)
    return _download(entry, cache)


def _data_folder() -> Path | None:
    value = os.environ.get("GMM_STUDY_DATA")
    if not value:
        return None
    folder = expanded(value, "GMM_STUDY_DATA:")
    if not os.path.isdir(folder):
        raise InputError(
            f"GMM_STUDY_DATA is '{value}', which is not a folder; it must name one, or be unset"
        )
    return folder


def _holds(folder: Path, entry: NamedDataset) -> bool:
    return all(os.path.isfile(folder / file.path) for file in entry.files)


def _download(entry: NamedDataset, cache: Path) -> Dataset:
    """Files get their names in the cache only after all of them have passed every check."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        partial = tempfile.TemporaryDirectory(prefix="partial-", dir=cache)
    except OSError as error:
        raise InputError(
            f"cache folder '{cache}' cannot be written ({error.strerror}); "
            "set GMM_STUDY_CACHE to a folder that can"
        ) from error
    with partial:
        folder = Path(partial.name)
        for file in entry.files:
            _retrieve(entry, file, folder)
        dataset = _read(entry, folder, [f"download {file.url}" for file in entry.files])
        for file in entry.files:
            (cache / file.path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder / file.path, cache / file.path)
    return dataset


def _retrieve(entry: NamedDataset, file: RemoteFile, folder: Path) -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # or it advises to pin a hash, which is checked here
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT)
    try:
        pooch.retrieve(file.url, None, fname=file.path, path=folder, downloader=downloader)
    except OSError as error:
        response = getattr(error, "response", None)
        reason = type(error).__name__ if response is None else f"HTTP {response.status_code}"
        raise DownloadError(
            f"data set '{entry.name}' is not on this machine and its download failed: {file.url} "
            f"({reason}); set GMM_STUDY_DATA to a folder that contains {file.path}, "
            "or give the path of your own data"
        ) from error


def _read(entry: NamedDataset, folder: Path, names: Sequence[str]) -> Dataset:
    """The data set of the files below `folder`, which error lines call by `names`."""
    splits: dict[str, NDArray[np.uint8]] = {}
    published = []
    for file, name in zip(entry.files, names, strict=True):
        published.append(is_published(entry, file, folder / file.path, name))
        found = read_splits(folder / file.path, file.keys, name)
        check_shapes(entry, found, name)
        splits |= found
    if entry.column_major and entry.image_shape:
        splits = {split: _by_rows(rows, *entry.image_shape) for split, rows in splits.items()}
    dataset = Dataset.from_splits(entry.name, splits, entry.image_shape)
    return dataset if all(published) else check_contents(entry, dataset, names[0])


def _by_rows(by_columns: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    return by_columns.reshape(-1, width, height).transpose(0, 2, 1).reshape(by_columns.shape)
