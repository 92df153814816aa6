"""A user's own data: files of rows or images, made binary and split as their path declares.

The checksum is that of the resulting rows of 0 and 1. So it does not depend on how they are stored,
and data that are split and binary already are the same as data for which this is declared.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmm_study.data.data_path import FRACTIONS, Declared, declared_in, path_of, with_setting
from gmm_study.data.dataset import SPLITS, Dataset, shown
from gmm_study.data.files import read_array, read_arrays, read_table
from gmm_study.data.headers import without_headers
from gmm_study.data.parts import Part, binarised, common_image_shape
from gmm_study.errors import InputError
from gmm_study.phrases import plural

ENDINGS = (".csv", ".csv.gz", ".txt", ".txt.gz", ".npy")
"""Of files with one array."""


def load_path(text: str) -> Dataset:
    """A user's own data; the path, with its declaration, is the name of the data set.

    It is an .npz file with train, valid and test, a folder with a file for each, or one file, whose
    rows are split by declared fractions. Images [N, H, W] become rows, and their shape is kept.
    Raises InputError for any other path, and for contents that do not fit the declaration.
    """
    declared, path = declared_in(text), path_of(text)
    with _reachable(text):
        path.stat()
        whole = declared.fractions is not None
        stored = [_whole(text, path, declared)] if whole else _three(text, path, declared)
    parts, notes = without_headers(stored, text, declared)
    splits = binarised(parts, text, declared.threshold)
    if declared.fractions is not None:
        splits = _split(splits[0], declared.fractions, declared.seed or 0, text)
    shape = common_image_shape(parts)
    return Dataset.from_splits(text, dict(zip(SPLITS, splits, strict=True)), shape, notes)


@contextmanager
def _reachable(text: str) -> Iterator[None]:
    """Turn what the file system says about a path, and about files in a folder, into one line."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"data path '{text}': no such file or folder") from None
    except OSError as error:
        raise InputError(f"data path '{text}' cannot be read: {error.strerror}") from None


def _whole(text: str, path: Path, declared: Declared) -> Part:
    if path.is_dir():
        raise InputError(
            f"data path '{text}': fractions are for one file; a folder has train, valid and test"
        )
    if not path.name.endswith((*ENDINGS, ".npz")):
        raise _not_data(text)
    return _part(path, f"file '{path}'", declared)


def _three(text: str, path: Path, declared: Declared) -> list[Part]:
    """The parts train, valid and test."""
    if path.is_dir():
        files = _files(path)
        return [
            _part(files[split], f"file '{files[split]}', split '{split}'", declared)
            for split in SPLITS
        ]
    if path.suffix == ".npz":
        arrays = read_arrays(path, {split: split for split in SPLITS}, f"file '{path}'")
        return [Part(arrays[split], f"file '{path}', split '{split}'") for split in SPLITS]
    if not path.name.endswith(ENDINGS):
        raise _not_data(text)
    raise InputError(
        f"data path '{text}': one file needs the shares of train, valid and test, as in "
        f"'{with_setting(text, FRACTIONS)}'; or give a folder with a file for each"
    )


def _not_data(text: str) -> InputError:
    return InputError(
        f"data path '{text}' must be an .npz file with train, valid and test, a folder with a file "
        f"for each of them ({', '.join(ENDINGS)}), or one such file and fractions"
    )


def _files(folder: Path) -> dict[str, Path]:
    """The files by split, all of the ending of which there are most; of several, the first."""

    def of(ending: str) -> dict[str, Path]:
        files = {split: folder / f"{split}{ending}" for split in SPLITS}
        return {split: file for split, file in files.items() if file.is_file()}

    ending = max(ENDINGS, key=lambda each: len(of(each)))
    files = of(ending)
    for split in SPLITS:
        if split not in files:
            raise InputError(
                f"folder '{folder}': {split}{ending} is missing; it must hold train, valid and "
                f"test, all with the same ending of {', '.join(ENDINGS)}"
            )
    return files


def _part(file: Path, where: str, declared: Declared) -> Part:
    called = f"file '{file}'"
    if file.suffix in (".npy", ".npz"):
        return Part(read_array(file, called), where, file.name)
    table = read_table(file, called, declared.header)
    return Part(table.rows, where, file.name, table.first, table.has_header)


def _split(
    rows: NDArray[np.uint8], fractions: tuple[float, float, float], seed: int, text: str
) -> list[NDArray[np.uint8]]:
    """The rows in random order, cut at the rounded shares.

    `RandomState` has the same streams in every version of numpy, so the data keep their checksum.
    """
    order = np.random.RandomState(seed).permutation(len(rows))
    train, valid, _ = fractions
    ends = [round(len(rows) * train), round(len(rows) * (train + valid))]
    splits = np.split(rows[order], ends)
    for split, part in zip(SPLITS, splits, strict=True):
        if not len(part):
            shares, found = "/".join(map(shown, fractions)), plural(len(rows), "row")
            raise InputError(
                f"data path '{text}': fractions {shares} of {found} leave {split} empty; each must "
                "have a row at least"
            )
    return splits
