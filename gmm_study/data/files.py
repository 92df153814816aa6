"""Readers of .npz, .npy, .mat and text files into arrays; nothing is unpickled."""

import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmm_study.data.dataset import binary_rows
from gmm_study.data.text import Table, read_text
from gmm_study.errors import InputError

_Reader = Callable[[Path, Mapping[str, str], str], dict[str, NDArray[Any]]]

_TEXT = "a table of 0/1 as text"

# numpy's remark on headers that Python 2 wrote, as the published files have
_PYTHON_2_HEADER = r"Reading `\.npy` or `\.npz` file required additional header parsing"


def read_splits(path: Path, keys: Mapping[str, str], where: str) -> dict[str, NDArray[np.uint8]]:
    """The splits that a file holds, each uint8 [N, D] of 0/1.

    `keys` maps a split to its array's key in an archive (.npz, .mat). Any other file is text and
    has one split. Error lines call the file `where`. Raises InputError for a file that cannot be
    read, lacks a key, or has other values.
    """
    return {
        split: binary_rows(array, f"{where}, split '{split}'")
        for split, array in read_arrays(path, keys, where).items()
    }


def read_arrays(path: Path, keys: Mapping[str, str], where: str) -> dict[str, NDArray[Any]]:
    """The same arrays as they are stored, whatever their shapes and values."""
    readers: dict[str, _Reader] = {".npz": _read_npz, ".mat": _read_mat}
    return readers.get(path.suffix, _read_text)(path, keys, where)


def read_table(path: Path, where: str, header: bool | None) -> Table:
    """The table in a text file; error lines call the file `where`, `header` is as in `read_text`.

    Raises InputError for a file that cannot be read.
    """
    with _one_line(where, _TEXT):
        return read_text(path, header)


def read_array(path: Path, where: str) -> NDArray[Any]:
    """The one array of an .npy or .npz file.

    Error lines call the file `where`. Raises InputError for a file that cannot be read, and for an
    archive of several arrays.
    """
    if path.suffix == ".npz":
        with _opened_archive(path, where) as archive:
            if len(archive.files) != 1:
                raise InputError(
                    f"{where} has the arrays {', '.join(archive.files) or 'none'}; "
                    "to be split by fractions, it must have one"
                )
            array: NDArray[Any] = archive[archive.files[0]]
            return array
    with _one_line(where, "an array of numbers"), path.open("rb") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _read_npz(path: Path, keys: Mapping[str, str], where: str) -> dict[str, NDArray[Any]]:
    with _opened_archive(path, where) as archive:
        _require(keys, archive.files, where)
        return {split: archive[key] for split, key in keys.items()}


@contextmanager
def _opened_archive(path: Path, where: str) -> "Iterator[np.lib.npyio.NpzFile]":
    with _one_line(where, "numeric arrays of 0/1"), path.open("rb") as stream:
        if not zipfile.is_zipfile(stream):
            raise InputError(f"{where} is incomplete, or not an .npz archive")
    with _one_line(where, "numeric arrays of 0/1"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", _PYTHON_2_HEADER, UserWarning)
        with np.load(path, allow_pickle=False) as archive:
            yield archive


def _read_mat(path: Path, keys: Mapping[str, str], where: str) -> dict[str, NDArray[Any]]:
    from scipy.io import loadmat  # type: ignore[import-untyped]

    with _one_line(where, "a MATLAB file of version 7 or earlier"):
        variables = loadmat(path, variable_names=list(keys.values()))
    _require(keys, [name for name in variables if not name.startswith("__")], where)
    return {split: variables[key] for split, key in keys.items()}


def _read_text(path: Path, keys: Mapping[str, str], where: str) -> dict[str, NDArray[Any]]:
    (split,) = keys
    return {split: read_table(path, where, header=False).rows}


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
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where} cannot be read as {expected}: byte {error.object[error.start]:#04x} is not "
            "UTF-8, which the file must be in"
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{where} cannot be read as {expected}: {reason}") from error
