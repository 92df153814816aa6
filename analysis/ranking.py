"""The best methods in each column of a table: the highest mean, and those equivalent to it.

The best is bold. A method is marked as equivalent only if that is shown: the 90% interval of its
difference from the best lies within the margin of the study (two one-sided tests at 5%). One that
is neither may be worse, or its difference may not be resolved; the table says nothing about it.
"""

from math import nan
from typing import Any

import pandas as pd

from analysis.decisions import is_equivalent
from analysis.differences import LogP
from analysis.labels import LOG_P

BEST, EQUIVALENT = "best", "equivalent"
_DIFFERENCE = ("behind", "behind_seeds", "behind_data", "behind_both", "behind_low", "behind_high")


def rank(log_p: LogP, cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of a study with more columns, which compare log p of the methods.

    `rank`: `best` has the highest mean of the complete cells of a data set and value of the axis;
    `equivalent` differs from it by less than the margin of the study (`is_equivalent`); empty
    otherwise, and without a rival. `behind` is the mean of the best minus that of the cell, in
    nats, with its standard errors over seeds, over data and over both (`behind_seeds`,
    `behind_data`, `behind_both`) and the ends of its 95% interval (`behind_low`, `behind_high`;
    `LogP.below_best`); NaN of the best. Methods that do not read the axis are compared with one
    another; one alone has no rival.
    """
    ranks = [""] * len(cells)
    behind: dict[str, list[float]] = {name: [nan] * len(cells) for name in _DIFFERENCE}
    columns: dict[tuple[Any, Any], list[tuple[int, dict[Any, Any]]]] = {}
    for place, cell in enumerate(cells.to_dict("records")):
        if cell["metric"] == LOG_P and cell["n"]:
            columns.setdefault((cell["dataset"], cell["x"]), []).append((place, cell))
    for column in columns.values():
        if len(column) < 2:
            continue
        column.sort(key=lambda entry: -entry[1]["mean"])
        ranks[column[0][0]] = BEST
        differences = log_p.below_best([cell for _, cell in column])
        for (place, _), found in zip(column[1:], differences, strict=True):
            ranks[place] = EQUIVALENT if is_equivalent(found, log_p.margin) else ""
            errors = found.over_seeds, found.over_data, found.standard_error
            for name, value in zip(
                _DIFFERENCE, (found.mean, *errors, *found.interval()), strict=True
            ):
                behind[name][place] = value
    return cells.assign(rank=pd.Series(ranks, cells.index, "string"), **behind)
