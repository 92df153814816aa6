"""A data set: three splits of binary rows and the checksum that identifies their contents."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmm_study.errors import InputError

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Dataset:
    """Binary data in three splits, each a C-contiguous uint8 array [N, D] of 0/1.

    `image_shape` is (height, width), rows of pixels first, where a data point is a picture.
    `sha256` depends only on the contents, not on the name or the file in which they were stored.
    Two data sets are compared by it instead of by their arrays.
    """

    name: str
    train: NDArray[np.uint8] = field(repr=False, compare=False)
    valid: NDArray[np.uint8] = field(repr=False, compare=False)
    test: NDArray[np.uint8] = field(repr=False, compare=False)
    image_shape: tuple[int, int] | None
    sha256: str
    notes: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """A line for each thing about the files that their reader has decided, such as a header."""

    @classmethod
    def from_splits(
        cls,
        name: str,
        splits: Mapping[str, ArrayLike],
        image_shape: tuple[int, int] | None = None,
        notes: tuple[str, ...] = (),
    ) -> "Dataset":
        """The data set of the arrays train, valid and test, [N, D] of 0/1 of any numeric type.

        Raises InputError where a value is neither 0 nor 1, a split is empty or not a matrix, or
        the numbers of columns differ among the splits or from the number of pixels.
        """
        train, valid, test = (
            binary_rows(splits[split], f"data set '{name}', split '{split}'") for split in SPLITS
        )
        columns = [rows.shape[1] for rows in (train, valid, test)]
        if len(set(columns)) > 1:
            raise InputError(
                f"data set '{name}': train, valid and test have {columns[0]}, {columns[1]} and "
                f"{columns[2]} columns; all three must have the same number"
            )
        if image_shape is not None and image_shape[0] * image_shape[1] != columns[0]:
            raise InputError(
                f"data set '{name}': image_shape {image_shape} does not fit {columns[0]} columns"
            )
        return cls(name, train, valid, test, image_shape, _checksum(train, valid, test), notes)

    def with_canonical_test(self) -> "Dataset":
        """The same data with the rows of `test` in an order that depends on nothing but the rows.

        So its checksum compares `test` as a multiset. The rows are sorted and then shuffled by a
        fixed permutation, so that the first rows are a sample of all.
        """
        ascending = self.test[np.lexsort(self.test.T[::-1])]
        test = ascending[np.random.RandomState(0).permutation(len(ascending))]
        checksum = _checksum(self.train, self.valid, test)
        return replace(self, test=test, sha256=checksum)

    @property
    def dims(self) -> int:
        """D, the number of binary dimensions of a data point."""
        return int(self.train.shape[1])


def binary_rows(values: ArrayLike, where: str, otherwise: str = "") -> NDArray[np.uint8]:
    """`values` as a C-contiguous uint8 array [N, D], not copied if it is one already.

    Raises InputError, which begins with `where`, unless it is a matrix of 0 and 1; `otherwise` adds
    to it what can be done about another value.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{where}: values of type {array.dtype}; they must be the numbers 0 and 1")
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"{where}: shape {array.shape}; it must be [N, D], with no side empty")
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        row, column = np.unravel_index(wrong.argmax(), wrong.shape)
        raise InputError(
            f"{where}, row {row}, column {column} (counted from 0): value "
            f"{shown(array[row, column])}; every value must be 0 or 1{otherwise}"
        )
    return np.ascontiguousarray(array, dtype=np.uint8)


def shown(value: Any) -> str:
    """A number in the fewest digits that tell it from all others of its type; False is 0."""
    return str(value + 0 if isinstance(value, bool | np.bool_) else value).removesuffix(".0")


def _checksum(*splits: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256()
    for rows in splits:
        digest.update(f"{rows.shape[0]}x{rows.shape[1]}:".encode())
        digest.update(rows.data)
    return digest.hexdigest()
