"""The best methods in each column of a table: the highest mean, and those not significantly worse.

The best method is bold, and so is every method that a paired t-test does not distinguish from it.
The test is paired because replicates with the same seed share data order and noise. It is not
adjusted for the number of methods, which would give more ties. With three replicates it requires
4.3 standard errors, as the captions state. The verdict uses the same test.
"""

from math import nan
from typing import Any

import pandas as pd

from analysis.differences import LogP
from analysis.labels import LOG_P
from analysis.statistics import LEVEL
from gmm_study.study.plan import Plan

BEST, TIED = "best", "tied"


def rank(plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of a study with three more columns, which compare log p of the methods.

    `rank`: `best` has the highest mean of the complete cells of a data set and value of the axis;
    `tied` does not differ from it significantly at the 5% level, by a paired t-test over replicates
    (`LogP`) that is not adjusted for the number of methods; empty otherwise, and without a rival.
    `p_value` is that of the test; NaN without one, as for one replicate. `paired` is false for
    Welch's test, of trials with different seeds. A method that does not read the axis has no rival.
    """
    log_p = LogP(plan, rows)
    ranks, p_values, paired = [""] * len(cells), [nan] * len(cells), [True] * len(cells)
    columns: dict[tuple[Any, Any], list[tuple[int, dict[Any, Any]]]] = {}
    for place, cell in enumerate(cells.to_dict("records")):
        if cell["metric"] == LOG_P and cell["n"]:
            columns.setdefault((cell["dataset"], cell["x"]), []).append((place, cell))
    for column in columns.values():
        if len(column) < 2:
            continue
        first, best = max(column, key=lambda entry: entry[1]["mean"])
        ranks[first] = BEST
        for place, cell in column:
            if place != first:
                difference = log_p.difference(best, cell)
                p_values[place], paired[place] = difference.p_value, difference.paired
                ranks[place] = TIED if p_values[place] > LEVEL else ""
    rank = pd.Series(ranks, cells.index, "string")
    return cells.assign(rank=rank, p_value=p_values, paired=paired)
