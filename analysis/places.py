"""Cells and counts in sentences: `gmm at depth 3`, `12 of 36 replicates`, `0.004 to 0.015`."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

import pandas as pd

from analysis.labels import HUGE, axis_label, nats, value_label
from gmm_study.study.fields import VARIATION
from gmm_study.study.plan import Plan

MOST_NAMED = 6
"""Largest number of cells that a sentence lists."""


def place_of(plan: Plan, cell: Mapping[Any, Any]) -> str:
    """A cell in words, such as `gmm at depth 3`; with its data set if the study has several."""
    words = cell["method"]
    if plan.x == VARIATION:
        words = f"{words} with {cell['x']}"
    elif plan.x and cell["x"] is not None:
        words = f"{words} at {axis_label(plan.x)} {value_label(cell['x'])}"
    return f"{words} on {cell['dataset']}" if len(plan.study.datasets) > 1 else words


def rows_of_cell(rows: pd.DataFrame, cell: Mapping[Any, Any]) -> pd.DataFrame:
    """The planned replicates (`join`) of all trials of a cell."""
    at_x = rows["x"].isna() if cell["x"] is None else rows["x"] == cell["x"]
    found: pd.DataFrame
    found = rows[(rows["dataset"] == cell["dataset"]) & (rows["method"] == cell["method"]) & at_x]
    return found


def listed(texts: Sequence[str], separator: str = ", ") -> str:
    """The texts, or the first few of them and the number of the others."""
    more = len(texts) - MOST_NAMED
    rest = [f"and {more} more"] if more > 0 else []
    return separator.join([*texts[:MOST_NAMED], *rest])


def counted(count: int, total: int, noun: str) -> str:
    """`1 of 36 replicates`."""
    return f"{count:,} of {total:,} {noun}{'' if total == 1 else 's'}"


def size_range(values: Iterable[float]) -> str:
    """Two significant digits of the smallest and the largest value: `0.0042 to 0.015`."""
    known = [value for value in values if isfinite(value)]
    low, high = significant(min(known)), significant(max(known))
    return low if low == high else f"{low} to {high}"


def significant(value: float) -> str:
    """A size with two significant digits: `0.0042`, `0.30`, `12`; `1.2e+07` from a million on."""
    if abs(value) >= HUGE:
        return nats(value, 1)
    if abs(value) >= 10:
        return f"{value:,.0f}"
    return f"{value:#.2g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.1g}"
