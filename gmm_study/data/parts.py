"""The arrays of a user's own data: what they must be, the shape of images, and a threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmm_study.data.data_path import with_setting
from gmm_study.data.dataset import binary_rows, shown
from gmm_study.errors import InputError


@dataclass(frozen=True)
class Part:
    """An array as it was read: rows [N, D] or images [N, H, W].

    `where` calls it in error lines. Of a text `file`, `first` has the fields of the first line: the
    header, or else the first row. Raises InputError for another shape, for what is not a number,
    and for nan.
    """

    values: NDArray[Any]
    where: str
    file: str = ""
    first: tuple[str, ...] = ()
    has_header: bool = False

    def __post_init__(self) -> None:
        values = self.values
        if values.ndim not in (2, 3) or values.size == 0:
            raise InputError(
                f"{self.where}: shape {values.shape}; it must be rows [N, D] or images [N, H, W], "
                "with no side empty"
            )
        if values.dtype.kind not in "biuf":
            raise InputError(f"{self.where}: values of type {values.dtype}; they must be numbers")
        if values.dtype.kind == "f" and np.isnan(values).any():
            row, column = np.argwhere(np.isnan(self.rows))[0]
            raise InputError(
                f"{self.where}, row {row}, column {column} (counted from 0): value nan; every "
                "value must be a number"
            )

    @property
    def rows(self) -> NDArray[Any]:
        """The values as [N, D]; images row by row."""
        return self.values.reshape(len(self.values), -1)

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """(H, W) of images, None for rows."""
        return (self.values.shape[1], self.values.shape[2]) if self.values.ndim == 3 else None


def common_image_shape(parts: Sequence[Part]) -> tuple[int, int] | None:
    """The image shape of all parts. Raises InputError if they have several."""
    first = parts[0]
    for part in parts[1:]:
        if part.image_shape != first.image_shape:
            raise InputError(
                f"{part.where}: {_described(part)}, and {_described(first)} in {first.where}; all "
                "must have the same shape"
            )
    return first.image_shape


def binarised(parts: Sequence[Part], text: str, threshold: float | None) -> list[NDArray[np.uint8]]:
    """The rows [N, D] of each part as 0/1: with a threshold, 1 where a value is above it.

    `text` is the data path, for error lines. Raises InputError for other values than 0 and 1
    without a threshold, which it says how to declare, and for a threshold that leaves one value.
    """
    lowest = min((part.values.min() for part in parts), key=float)
    highest = max((part.values.max() for part in parts), key=float)
    if threshold is None:
        hint = _how_to_declare(text, lowest, highest)
        return [binary_rows(part.rows, part.where, hint) for part in parts]
    above = [_above(threshold, part.rows) for part in parts]
    if all(rows.all() for rows in above) or not any(rows.any() for rows in above):
        bounds = (
            f"it must be at least {shown(lowest)}, the lowest value, and below {shown(highest)}, "
            "the highest"
        )
        right = bounds if lowest < highest else f"they are all {shown(lowest)}"
        raise InputError(
            f"data path '{text}': threshold {shown(threshold)} makes all values equal; {right}"
        )
    return [binary_rows(rows, part.where) for rows, part in zip(above, parts, strict=True)]


def _above(threshold: float, values: Any) -> NDArray[np.bool_]:
    """Whether values, an array or one number, are above a threshold, compared in their own type."""
    whole = values.dtype.kind != "f"
    with np.errstate(over="ignore"):  # a threshold beyond a small type's numbers is infinite
        above: NDArray[np.bool_] = values > (floor(threshold) if whole else threshold)
    return above


def _how_to_declare(text: str, lowest: Any, highest: Any) -> str:
    """What an error adds on thresholds, with an example where one is possible."""
    if lowest == highest:
        return ""
    hint = ", or declare a threshold, above which a value is 1"
    middle = float(lowest) / 2 + float(highest) / 2
    for threshold in (f"{middle:g}", shown(middle), shown(lowest)):
        number = float(threshold)
        if isfinite(number) and _above(number, highest) and not _above(number, lowest):
            return f"{hint}, as in '{with_setting(text, f'threshold={threshold}')}'"
    return hint


def _described(part: Part) -> str:
    shape = part.image_shape
    return "rows" if shape is None else f"images of {shape[0]} x {shape[1]}"
