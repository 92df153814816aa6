"""Readers of .npz, .mat and comma separated files into checked 0/1 arrays; nothing is unpickled."""

import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmm_study.data.dataset import SPLITS, Dataset, binary_rows
from gmm_study.errors import InputError

_Reader = Callable[[Path, Mapping[str, str], str], dict[str, NDArray[Any]]]

# numpy's remark on headers that Python 2 wrote, as the published files have
_PYTHON_2_HEADER = r"Reading `\.npy` or `\.npz` file required additional header parsing"


def read_splits(path: Path, keys: Mapping[str, str], where: str) -> dict[str, NDArray[np.uint8]]:
    """The splits that a file holds, each uint8 [N, D] of 0/1.

    `keys` maps a split to its array's key in an archive (.npz, .mat). Any other file is comma
    separated text and has one split. Error lines call the file `where`. Raises InputError for a
    file that cannot be read, lacks a key, or has other values.
    """
    readers: dict[str, _Reader] = {".npz": _read_npz, ".mat": _read_mat}
    arrays = readers.get(path.suffix, _read_text)(path, keys, where)
    return {
        split: binary_rows(array, f"{where}, split '{split}'") for split, array in arrays.items()
    }


def load_path(name: str) -> Dataset:
    """A user's own data: an .npz file with train, valid, test, or a folder of three .csv files.

    The path is the data set's name. Raises InputError if the path is neither.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        splits: dict[str, NDArray[np.uint8]] = {}
        for split in SPLITS:
            file = path / f"{split}.csv"
            if not file.is_file():
                raise InputError(
                    f"folder '{path}': {file.name} is missing; "
                    "it must hold train.csv, valid.csv and test.csv"
                )
            splits |= read_splits(file, {split: split}, f"file '{file}'")
    elif not path.exists():
        raise InputError(f"data path '{name}': no such file or folder")
    elif path.suffix == ".npz":
        splits = read_splits(path, {split: split for split in SPLITS}, f"file '{path}'")
    else:
        raise InputError(
            f"data path '{name}' must be an .npz file with train, valid and test, "
            "or a folder of train.csv, valid.csv and test.csv"
        )
    return Dataset.from_splits(name, splits)


def _read_npz(path: Path, keys: Mapping[str, str], where: str) -> dict[str, NDArray[Any]]:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{where} is incomplete, or not an .npz archive")
    with _one_line(where, "numeric arrays of 0/1"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", _PYTHON_2_HEADER, UserWarning)
        with np.load(path, allow_pickle=False) as archive:
            _require(keys, archive.files, where)
            return {split: archive[key] for split, key in keys.items()}


def _read_mat(path: Path, keys: Mapping[str, str], where: str) -> dict[str, NDArray[Any]]:
    from scipy.io import loadmat  # type: ignore[import-untyped]

    with _one_line(where, "a MATLAB file of version 7 or earlier"):
        variables = loadmat(path, variable_names=list(keys.values()))
    _require(keys, [name for name in variables if not name.startswith("__")], where)
    return {split: variables[key] for split, key in keys.items()}


def _read_text(path: Path, keys: Mapping[str, str], where: str) -> dict[str, NDArray[Any]]:
    (split,) = keys
    with _one_line(where, "comma separated 0/1 without header"), warnings.catch_warnings():
        warnings.filterwarnings("error", "loadtxt: input contained no data")
        return {split: np.loadtxt(path, np.float32, comments=None, delimiter=",", ndmin=2)}


def _require(keys: Mapping[str, str], found: Iterable[str], where: str) -> None:
    for key in keys.values():
        if key not in found:
            raise InputError(
                f"{where}: key '{key}' is missing; it has {', '.join(found) or 'none'} "
                f"and must have {', '.join(keys.values())}"
            )


@contextmanager
def _one_line(where: str, expected: str) -> Iterator[None]:
    """Turn any exception of a parser, which a damaged file may cause, into one line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{where} cannot be read as {expected}: {reason}") from error
