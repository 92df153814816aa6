"""Which first lines of text are headers: decided over all files of a data set, so no row is lost.

A line of names is a header. A line that counts the columns from 0 or 1 can be one, as pandas writes
it for columns without names, or a row. It is a header if no row can have its values, and all files
have it. If it can be a row, the user must say which it is.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gmm_study.data.data_path import Declared, with_setting
from gmm_study.data.parts import Part
from gmm_study.data.text import numbers_columns
from gmm_study.errors import InputError

SHOWN = 3
"""How many fields of a first line are shown."""


def without_headers(
    parts: Sequence[Part], text: str, declared: Declared
) -> tuple[list[Part], tuple[str, ...]]:
    """The parts without the headers that their values begin with, and a line on what was decided.

    `text` is the data path, for error lines. Raises InputError for headers with different names,
    for a first line that may be a header or a row, for one that is a header in some files only, and
    for a `header` that is declared of no text.
    """
    if declared.header is not None:
        if not any(part.first for part in parts):
            raise InputError(f"data path '{text}': header is for text, and these files are not")
        _refuse_other_names(parts)
        return [*parts], ()
    counting = [part for part in parts if _counts(part)]
    if counting:
        _refuse_what_may_be_rows(counting, parts, text, declared)
        parts = [replace(part, values=part.values[1:], has_header=True) for part in parts]
    _refuse_other_names(parts)
    return [*parts], _notes(parts, text)


def _refuse_what_may_be_rows(
    counting: Sequence[Part], parts: Sequence[Part], text: str, declared: Declared
) -> None:
    """Raise InputError unless the lines that count the columns are the header of all parts."""
    example = max(counting, key=lambda part: not _is_binary(part.first))
    others = [part for part in parts if part.first != example.first]
    can_be_row = declared.threshold is not None or _fit_the_values(parts)
    line = f"{example.where}: its first line {_fields(example)}"
    if can_be_row and not any(part.has_header for part in parts):
        header = (
            f"if it is a header, write it into {others[0].file} too"
            if others
            else f"'{with_setting(text, 'header=true')}' if it is a header"
        )
        raise InputError(
            f"{line} may be a row, or a header that counts the columns; say which: "
            f"'{with_setting(text, 'header=false')}' if it is a row, {header}"
        )
    if others:
        raise InputError(
            f"{line} counts the columns, as a header does, and {others[0].file} begins with "
            f"{_fields(others[0])}; all files must have the same header, or none"
        )


def _fit_the_values(parts: Sequence[Part]) -> bool:
    """Whether the lines that count the columns are 0 and 1 too, or other values are not."""
    are_binary = all(_is_binary(part.first) for part in parts if _counts(part))
    return are_binary or not all(
        np.isin(part.values[int(_counts(part)) :], (0, 1)).all() for part in parts
    )


def _is_binary(fields: Sequence[str]) -> bool:
    return {"0", "1"} >= {*fields}


def _counts(part: Part) -> bool:
    """Whether the first line counts the columns and may still be a header."""
    return not part.has_header and numbers_columns(part.first)


def _refuse_other_names(parts: Sequence[Part]) -> None:
    """Raise InputError if the headers name different columns."""
    named = [part for part in parts if part.has_header]
    for part in named[1:]:
        pairs = zip(part.first, named[0].first, strict=False)
        for column, (name, first) in enumerate(pairs):
            if name != first:
                raise InputError(
                    f"{part.where}: the header calls column {column} (counted from 0) '{name}', "
                    f"and that of {named[0].file} '{first}'; all must have the same columns"
                )


def _notes(parts: Sequence[Part], text: str) -> tuple[str, ...]:
    """One line about the headers, if there are any."""
    named = [part for part in parts if part.has_header]
    if not named:
        return ()
    files = ", ".join(part.file for part in named)
    return (f"{text}: the first line of {files} is a header ({_fields(named[0])}), not data",)


def _fields(part: Part) -> str:
    return ", ".join(part.first[:SHOWN]) + (", ..." if len(part.first) > SHOWN else "")
