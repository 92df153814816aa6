"""A user's own data: files of rows or images, made binary and split as their path declares.

The checksum is that of the resulting rows of 0 and 1. So it does not depend on how they are stored,
and data that are split and binary already are the same as data for which this is declared.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmm_study.data.data_path import FRACTIONS, declared_in, path_of, with_setting
from gmm_study.data.dataset import SPLITS, Dataset
from gmm_study.data.files import read_array, read_arrays
from gmm_study.data.parts import Part, binarised, common_image_shape
from gmm_study.errors import InputError

ENDINGS = (".csv", ".csv.gz", ".txt", ".txt.gz", ".npy")
"""Of files with one array."""
SHOWN = 3
"""How many names of a header a note shows."""


def load_path(text: str) -> Dataset:
    """A user's own data; the path, with its declaration, is the name of the data set.

    It is an .npz file with train, valid and test, a folder with a file for each, or one file, whose
    rows are split by declared fractions. Images [N, H, W] become rows, and their shape is kept.
    Raises InputError for any other path, and for contents that do not fit the declaration.
    """
    declared, path = declared_in(text), path_of(text)
    if not path.exists():
        raise InputError(f"data path '{text}': no such file or folder")
    if declared.fractions is not None:
        parts = [_whole(text, path)]
        (rows,) = binarised(parts, text, declared.threshold)
        splits = _split(rows, declared.fractions, declared.seed or 0, text)
    else:
        parts = _three(text, path)
        splits = binarised(parts, text, declared.threshold)
    shape, notes = common_image_shape(parts), _notes(text, parts)
    return Dataset.from_splits(text, dict(zip(SPLITS, splits, strict=True)), shape, notes)


def _whole(text: str, path: Path) -> Part:
    if path.is_dir():
        raise InputError(
            f"data path '{text}': fractions are for one file; a folder has train, valid and test"
        )
    if not path.name.endswith((*ENDINGS, ".npz")):
        raise _not_data(text)
    return _part(path, f"file '{path}'")


def _three(text: str, path: Path) -> list[Part]:
    """The parts train, valid and test."""
    if path.is_dir():
        files = _files(path)
        parts = [_part(files[split], f"file '{files[split]}', split '{split}'") for split in SPLITS]
        _refuse_other_names([part for part in parts if part.header])
        return parts
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


def _part(file: Path, where: str) -> Part:
    values, header = read_array(file, f"file '{file}'")
    return Part(values, where, file.name, header)


def _refuse_other_names(parts: Sequence[Part]) -> None:
    """Raise InputError if the headers name different columns."""
    for part in parts[1:]:
        pairs = zip(part.header, parts[0].header, strict=False)
        for column, (name, first) in enumerate(pairs):
            if name != first:
                raise InputError(
                    f"{part.where}: the header calls column {column} (counted from 0) '{name}', "
                    f"and that of {parts[0].file} '{first}'; all must have the same columns"
                )


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
            shares = "/".join(f"{share:g}" for share in fractions)
            raise InputError(
                f"data path '{text}': fractions {shares} of {len(rows)} rows leave {split} empty"
            )
    return splits


def _notes(text: str, parts: Sequence[Part]) -> tuple[str, ...]:
    """One line about the headers, if there are any."""
    named = [part for part in parts if part.header]
    if not named:
        return ()
    header = named[0].header
    names = ", ".join(header[:SHOWN]) + (", ..." if len(header) > SHOWN else "")
    files = ", ".join(part.file for part in named)
    return (f"{text}: the first line of {files} is a header ({names}), not data",)
