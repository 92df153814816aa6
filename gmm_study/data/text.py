"""Tables of numbers as text, compressed or not; a header row is told apart from the rows."""

import csv
import gzip
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ENCODING = "utf-8-sig"
"""UTF-8 whose byte order mark, which spreadsheets write, is skipped."""


def read_text(path: Path) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The rows [N, D] of a table of text, and the names in its header, none if it has no header.

    A name that ends with .gz is that of a compressed file. The first line says whether commas,
    semicolons or blanks separate the values. It is a header if it holds no number at all, or
    numbers the columns from 0 or 1, as pandas does with columns without names. The line 0,1 can
    also be a row: it is one if the table has no other values. Raises the exceptions of numpy's
    parser, and ValueError for a column of row numbers, whose header is empty, and for a header of
    another length than the rows.
    """
    skipped, first = _first_line(path)
    separator = next((mark for mark in ",;" if mark in first), None)
    fields = next(csv.reader([first], delimiter=separator)) if separator else first.split()
    fields = [field.strip() for field in fields]
    may_be_row = fields == ["0", "1"]
    header = tuple(fields) if _is_header(fields) and not may_be_row else ()
    if header and not header[0]:
        raise ValueError(
            "its first column has no name and seems to number the rows; write the file without "
            "it (pandas: index=False)"
        )
    rows = _numbers(path, separator, skipped + bool(header))
    if may_be_row and not np.isin(rows, (0, 1)).all():
        return rows[1:], tuple(fields)
    if header and len(header) != rows.shape[1]:
        raise ValueError(
            f"its header has {len(header)} names and its rows have {rows.shape[1]} values; both "
            "must have the same columns"
        )
    return rows, header


def _numbers(path: Path, separator: str | None, skipped: int) -> NDArray[np.float32]:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "loadtxt: input contained no data")
        try:
            return np.loadtxt(
                path,
                np.float32,
                comments=None,
                delimiter=separator,
                skiprows=skipped,
                ndmin=2,
                encoding=ENCODING,
            )
        except ValueError as error:
            if "could not convert" in str(error):
                raise ValueError(f"{error} Every value must be a number, such as 0 or 1") from None
            raise


def _first_line(path: Path) -> tuple[int, str]:
    """The number of blank lines at the start of a file, and the line that follows them."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding=ENCODING) as lines:
        for number, line in enumerate(lines):
            if line.strip():
                return number, line.strip()
    return 0, ""


def _is_header(fields: Sequence[str]) -> bool:
    if not any(map(_is_number, fields)):
        return bool(fields)
    names = fields if fields[0] else fields[1:]  # a column of row numbers has no name
    numbered = [[str(first + column) for column in range(len(names))] for first in (0, 1)]
    return len(fields) > 1 and names in numbered


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
