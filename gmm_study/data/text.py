"""Tables of numbers as text, compressed or not; a header of names is told apart from the rows."""

import csv
import gzip
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ENCODING = "utf-8-sig"
"""UTF-8 whose byte order mark, which spreadsheets write, is skipped."""
SHOWN = 40
"""How many characters of a value an error shows."""
MISSING = frozenset({"", "?", ".", "-", "*", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"})
"""What people write for a value that is missing, in lower case."""
_ROW_NUMBERS = (
    "its first column has no name and seems to number the rows; write the file without it "
    "(pandas: index=False)"
)

# what numpy's parser says; it counts columns from 1, and rows from 1 in the second of these
_NO_NUMBER = re.compile(r"could not convert string (.*) to float64 at row (\d+), column (\d+)")
_OTHER_LENGTH = re.compile(r"columns changed from (\d+) to (\d+) at row (\d+)")


@dataclass(frozen=True)
class Table:
    """The rows [N, D] of a text, and the fields of its first line, a header or the first row."""

    rows: NDArray[np.float64]
    first: tuple[str, ...]
    has_header: bool


def read_text(path: Path, header: bool | None = None) -> Table:
    """The table in a text file; a name that ends with .gz is that of a compressed one.

    `header` says whether the first line is a header. If it is None, a line of names is one, and a
    line of numbers is a row. The first line also says whether commas, semicolons or blanks separate
    the values. Raises the exceptions of numpy's parser, and ValueError for a first line that is
    neither names nor numbers, for a header of another length than the rows, and for a column of row
    numbers, which has no name.
    """
    skipped, first = _first_line(path)
    separator = next((mark for mark in ",;" if mark in first), None)
    fields = _fields(first, separator)
    has_header = _is_header(fields, skipped + 1) if header is None else header
    if has_header and fields and not fields[0]:
        raise ValueError(_ROW_NUMBERS)
    rows = _numbers(path, separator, skipped + has_header)
    if has_header and len(fields) != rows.shape[1]:
        raise ValueError(
            f"its header has {len(fields)} names and its rows have {rows.shape[1]} values; both "
            "must have the same columns"
        )
    return Table(rows, tuple(fields), has_header)


def numbers_columns(fields: Sequence[str]) -> bool:
    """Whether a line counts the columns from 0 or 1, as headers of columns without names do."""
    counts = [_count(start, len(fields)) for start in (0, 1)]
    return len(fields) > 0 and list(fields) in counts


def _fields(line: str, separator: str | None) -> list[str]:
    """The fields of a line. Names that hold blanks can be told apart if a tab separates them."""
    if separator is None:
        by_blanks = next(csv.reader([" ".join(line.split())], delimiter=" "))
        if "\t" not in line or all(map(_is_number, by_blanks)):
            return by_blanks
    return [field.strip() for field in next(csv.reader([line], delimiter=separator or "\t"))]


def _is_header(fields: Sequence[str], line: int) -> bool:
    """Whether the first line has names: different texts, of which none is a number."""
    are_numbers = [_is_number(field) for field in fields]
    if all(are_numbers):
        return False
    different = len({*fields}) == len(fields)
    if not any(are_numbers) and different and not {f.casefold() for f in fields} <= MISSING:
        return True
    if not fields[0] and numbers_columns(fields[1:]):
        raise ValueError(_ROW_NUMBERS)
    column = are_numbers.index(False)
    raise ValueError(
        f"line {line}, column {column} (counted from 0): {_shown(repr(fields[column]))} is not a "
        "number, as every value must be; if this line is a header, add header=true to the data path"
    )


def _count(start: int, length: int) -> list[str]:
    return [str(number) for number in range(start, start + length)]


def _numbers(path: Path, separator: str | None, skipped: int) -> NDArray[np.float64]:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "loadtxt: input contained no data")
            rows = np.loadtxt(
                path,
                np.float64,
                comments=None,
                delimiter=separator,
                skiprows=skipped,
                ndmin=2,
                encoding=ENCODING,
                quotechar='"',
            )
    except ValueError as error:
        raise _explained(error) from None
    if rows.size == 0:
        raise ValueError("it has no rows")
    return rows


def _explained(error: ValueError) -> ValueError:
    """An error of numpy's parser in words that fit all errors about data."""
    message = str(error)
    if found := _NO_NUMBER.search(message):
        return ValueError(
            f"row {found[2]}, column {int(found[3]) - 1} (counted from 0): {_shown(found[1])} is "
            "not a number, as every value must be"
        )
    if found := _OTHER_LENGTH.search(message):
        return ValueError(
            f"row {int(found[3]) - 1} (counted from 0) has {found[2]} values, and the rows before "
            f"it {found[1]}; all must have the same columns"
        )
    return error


def _first_line(path: Path) -> tuple[int, str]:
    """The number of blank lines at the start of a file, and the line that follows them."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding=ENCODING) as lines:
        for number, line in enumerate(lines):
            if line.strip():
                return number, line.strip()
    return 0, ""


def _shown(value: str) -> str:
    return value if len(value) <= SHOWN else f"{value[:SHOWN]}..."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
