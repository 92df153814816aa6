"""The table of errors: each mean of test log p with its errors over seeds, data and both."""

from typing import Any

import pandas as pd

from analysis.labels import LOG_P, decimals, error_label, nats, value_label
from analysis.statistics import CONFIDENCE
from analysis.tables.layout import Entry, Table, table
from gmm_study.study.plan import Plan

COLUMNS = ("mean", "over seeds", "over data", "over both", f"{CONFIDENCE:.0%} interval")


def lay_out_errors(plan: Plan, cells: pd.DataFrame) -> list[Table]:
    """A row per complete cell of test log p; no table if there are none."""
    known = cells[(cells["metric"] == LOG_P) & (cells["n"] > 0)]
    if known.empty:
        return []
    places = decimals(known["error_both"].fillna(known["error_data"]))
    return [
        table(
            key=f"{plan.study.name} errors",
            title="Errors of test log p in nats",
            caption=_CAPTION,
            corner=("", ""),
            columns=COLUMNS,
            rows=[(_name(plan, row), _entries(row, places)) for row in known.to_dict("records")],
            places=places,
            why_blank=_BLANK,
            detail=True,
        )
    ]


_CAPTION = (
    "Standard errors of the mean over replicates and test datapoints: over seeds, for this test "
    "set; over data, for these seeds; over both (two-way random effects). The interval is for the "
    "mean over other seeds and other test data of this size. Differences between rows are more "
    "precise, as they are paired over the same datapoints."
)
_BLANK = (
    " Blank: not known, as the trial has one replicate or its record no values of single "
    "datapoints; over both and the interval are then over seeds alone."
)


def _name(plan: Plan, row: dict[Any, Any]) -> str:
    x = [value_label(row["x"])] if plan.x else []
    return ", ".join([str(row["dataset"]), str(row["method"]), *x])


def _entries(row: dict[Any, Any], places: int) -> list[Entry | None]:
    errors = (row["standard_error"], row["error_data"], row["error_both"])
    return [
        Entry(text=nats(row["mean"], places)),
        *(_known(error, error_label(error, places)) for error in errors),
        _known(row["low"], f"[{nats(row['low'], places)}, {nats(row['high'], places)}]"),
    ]


def _known(value: float, text: str) -> Entry | None:
    return Entry(text=text) if value == value else None
