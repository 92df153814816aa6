"""Which first lines of text are headers: decided over all files of a data set, so no row is lost.

A line of names is a header. A line that counts the columns from 0 or 1 can be one, as pandas writes
it for columns without names, or a row. It is a header only if no row can have its values. If both
are possible, the user must say which, unless another file begins otherwise: then it is a row.
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
    if counting and _is_common(counting, parts, text, declared):
        parts = [replace(part, values=part.values[1:], has_header=True) for part in parts]
        counting = []
    _refuse_other_names(parts)
    return [*parts], (*_note_on_headers(parts, text), *_note_on_rows(counting, parts, text))


def _is_common(
    counting: Sequence[Part], parts: Sequence[Part], text: str, declared: Declared
) -> bool:
    """Whether the lines that count the columns are the header of all parts; else they are rows."""
    example = max(counting, key=lambda part: not _is_binary(part.first))
    others = [part for part in parts if part.first != example.first]
    can_be_row = declared.threshold is not None or _fit_the_values(parts)
    if others and not can_be_row:
        raise InputError(
            f"{example.where}: its first line {_fields(example)} is a header that counts the "
            f"columns, and {others[0].file} begins with {_fields(others[0])}; all files must have "
            "the same header, or none"
        )
    if can_be_row and not others:
        raise InputError(
            f"{example.where}: its first line {_fields(example)} may be a row, or a header that "
            f"counts the columns; say which: '{with_setting(text, 'header=false')}' for a row, "
            f"'{with_setting(text, 'header=true')}' for a header"
        )
    return not can_be_row


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


def _note_on_headers(parts: Sequence[Part], text: str) -> list[str]:
    named = [part for part in parts if part.has_header]
    if not named:
        return []
    files = ", ".join(part.file for part in named)
    return [f"{text}: the first line of {files} is a header ({_fields(named[0])}), not data"]


def _note_on_rows(counting: Sequence[Part], parts: Sequence[Part], text: str) -> list[str]:
    return [
        f"{text}: the first line of {part.file} ({_fields(part)}) counts the columns, and is a "
        "row, as not all files begin with it"
        for part in counting
    ]


def _fields(part: Part) -> str:
    return ", ".join(part.first[:SHOWN]) + (", ..." if len(part.first) > SHOWN else "")
