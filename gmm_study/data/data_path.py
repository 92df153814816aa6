"""The path of a user's own data, with what has to be declared: `PATH?threshold=127&seed=1`."""

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from math import isclose, isfinite
from pathlib import Path
from typing import Any

from gmm_study.errors import InputError, did_you_mean
from gmm_study.paths import expanded

FRACTIONS = "fractions=0.8/0.1/0.1"
"""An example, for error lines."""
MOST_SEEDS = 2**32


@dataclass(frozen=True)
class Declared:
    """What a user says about own data, as their files do not."""

    threshold: float | None = None
    """Values above it become 1, all others 0; None if the values are 0 and 1 already."""
    fractions: tuple[float, float, float] | None = None
    """The shares of train, valid and test in the rows of one array; None for three arrays."""
    seed: int | None = None
    """Of the permutation of the rows before they are split; 0 if there is none."""
    header: bool | None = None
    """Whether the first line of each text is a header; None if the lines show it."""


def path_of(text: str) -> Path:
    """The file or folder in a data path, without the declaration.

    Raises InputError if the path begins with the home folder of an unknown user.
    """
    path = text.rpartition("?")[0] if _declares(text) else text
    return expanded(path, "data path")


def declared_in(text: str) -> Declared:
    """The declaration in a data path; a path that exists as it is declares nothing.

    Raises InputError for a setting that does not exist, appears twice or has an impossible value,
    and for a seed without fractions.
    """
    if not _declares(text):
        return Declared()
    given: dict[str, str] = {}
    known = [field.name for field in fields(Declared)]
    for setting in text.rpartition("?")[2].split("&"):
        name, _, value = (part.strip() for part in setting.partition("="))
        if name not in known:
            hint = did_you_mean(name, known)
            raise InputError(f"data path '{text}': no such setting '{name}'; {hint}")
        if name in given:
            raise InputError(f"data path '{text}': {name} is given twice")
        given[name] = value
    try:
        declared = Declared(**{name: _READERS[name](value) for name, value in given.items()})
    except InputError as error:
        raise InputError(f"data path '{text}': {error}") from None
    if declared.seed is not None and declared.fractions is None:
        raise InputError(
            f"data path '{text}': seed {declared.seed} is not used without fractions, as in "
            f"{FRACTIONS}&seed={declared.seed}"
        )
    return declared


def with_setting(text: str, setting: str) -> str:
    """A data path with one more setting, for error lines."""
    return f"{text}{'&' if _declares(text) else '?'}{setting}"


def _declares(text: str) -> bool:
    return "?" in text and not os.path.exists(expanded(text, "data path"))


def _threshold(text: str) -> float:
    number = _number(text)
    if number is None:
        raise InputError(f"threshold '{text}' must be a number, such as 127")
    return number


def _fractions(text: str) -> tuple[float, float, float]:
    numbers = [_number(part) or 0.0 for part in text.split("/")]
    if len(numbers) != 3 or min(numbers) <= 0 or not isclose(sum(numbers), 1, abs_tol=1e-6):
        raise InputError(
            f"fractions '{text}' must be three numbers above 0 that add up to 1, the shares of "
            "train, valid and test, as in 0.8/0.1/0.1"
        )
    train, valid, test = numbers
    return train, valid, test


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < MOST_SEEDS):
        raise InputError(f"seed '{text}' must be a whole number from 0 to {MOST_SEEDS - 1}")
    return int(text)


def _header(text: str) -> bool:
    if text.casefold() not in ("true", "false"):
        raise InputError(
            f"header '{text}' must be true if the first line names the columns, or false if it is "
            "a row"
        )
    return text.casefold() == "true"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) and "_" not in text else None


_READERS: dict[str, Callable[[str], Any]] = {
    "threshold": _threshold,
    "fractions": _fractions,
    "seed": _seed,
    "header": _header,
}
