"""Targets beside what was measured.

A row that is held to something has a cell `target`, which begins with "at least" or "at most" and
a number, and a cell `measured`, the number to compare.
"""

import re
from collections.abc import Mapping, Sequence

from bench.cases import Row

FORM = re.compile(r"(at least|at most) (\d+(?:\.\d+)?)\b")


def reached(target: str, measured: float) -> bool:
    """Whether the figure is what the target asks for; ValueError for a target of another form."""
    match = FORM.match(target)
    if match is None:
        raise ValueError(f"target {target!r}: it must begin with 'at least' or 'at most' a number")
    limit = float(match[2])
    return measured >= limit if match[1] == "at least" else measured <= limit


def summary(parts: Mapping[str, Sequence[Row]]) -> list[Row]:
    """All targets of all parts, and whether they were reached."""
    return [
        {
            "part": part,
            "case": case_of(row),
            "target": row["target"],
            "measured": row["measured"],
            "reached": "yes" if reached(str(row["target"]), float(row["measured"])) else "no",
        }
        for part, rows in parts.items()
        for row in rows
        if "target" in row
    ]


def case_of(row: Row) -> str:
    """The cells before the first figure, that say what the row is about."""
    words = []
    for column, cell in row.items():
        if isinstance(cell, float) or column == "target":
            break
        words.append(cell if isinstance(cell, str) else f"{column} {cell}")
    return ", ".join(words)
