"""Tables of the quality of gradients: a row per method and half of the model, a column per K."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

import pandas as pd

from analysis.gradients import at_the_end, models_of, name_of, upper_limit_of
from analysis.labels import decimals
from analysis.tables.layout import Entry, Table, table
from gmm_study.study.plan import Plan

HALVES = {"q": "gradient of q", "p": "gradient of p"}
SHOWN = {
    "signal_to_noise": (
        "Signal to noise",
        "Norm of the mean of the gradient estimates over the root of their total variance, "
        "‖E g‖ / √V: below 1, a step is mostly noise.",
    ),
    "cosine": (
        "Cosine",
        "Mean cosine of the angle between an estimate and its target. The target is the "
        "direction of large K, or for methods whose limit differs for every K their own mean.",
    ),
    "seconds": (
        "Milliseconds of an estimate",
        "Median time of one gradient estimate of p and q together; it depends on the machine, and "
        "on what else runs on it.",
    ),
}


def lay_out_gradients(plan: Plan, frame: pd.DataFrame) -> list[Table]:
    """Tables of the frame of `gradient_frame` at the last value of the axis; none if it is empty.

    One per data set, method of training and figure. Only signal to noise is shown in a terminal.
    """
    found: list[Table] = []
    last = at_the_end(frame)
    for _, own in last.groupby(["dataset", "trained_by"], sort=False):
        found += [_table(plan, own, figure) for figure in SHOWN]
    return found


def _table(plan: Plan, own: pd.DataFrame, figure: str) -> Table:
    title, text = SHOWN[figure]
    columns = sorted(dict.fromkeys(own["samples"]))
    rows = list(_rows(own, figure, columns))
    errors = pd.Series(
        [each.standard_error for _, row in rows for each in row if each is not None], dtype=float
    )
    where = models_of(plan, own)
    return table(
        key=f"{plan.study.name} {title} {where}",
        title=f"{title}: {where}",
        caption=text + _caption(own, figure),
        corner=("", "K"),
        columns=[f"{samples:,}" for samples in columns],
        rows=rows,
        places=max(decimals(errors.dropna()), 2),
        why_blank=" A method has no entry at a K that it cannot use.",
        detail=figure != "signal_to_noise",
    )


def _rows(
    own: pd.DataFrame, figure: str, columns: Sequence[int]
) -> Iterator[tuple[str, list[Entry | None]]]:
    halves = ["q"] if figure == "seconds" else list(HALVES)
    for half in halves:
        of_half = own[own["part"] == half]
        entries: dict[tuple[str, int], Entry] = {}
        for row in of_half.to_dict("records"):
            entries[name_of(row), row["samples"]] = _entry(row, figure)
        for name in dict.fromkeys(name for name, _ in entries):
            label = name if figure == "seconds" else f"{HALVES[half]}, {name}"
            yield label, [entries.get((name, samples)) for samples in columns]


def _entry(row: dict[Any, Any], figure: str) -> Entry:
    if figure == "seconds":
        return Entry(text=f"{1e3 * row['seconds']:.2g}")
    if not isfinite(row["signal_to_noise"]):
        return Entry(text="none")
    if not isfinite(row[figure]):
        return Entry(text="n/a")
    if figure == "signal_to_noise" and (limit := upper_limit_of(row)):
        return Entry(text=limit)
    return Entry(row[figure], row[f"{figure}_se"])


def _caption(own: pd.DataFrame, figure: str) -> str:
    n = int(own["n"].min())
    if figure == "seconds":
        return ""
    over = f"over n = {n} replicates (seeds)" if n > 1 else "over draws (jackknife)"
    text = f" Mean ± standard error {over}."
    if own["signal_to_noise"].isna().any():
        text += " None: all estimates are 0, as of q with one sample and a baseline."
    if figure == "signal_to_noise":
        text += " The mean is the root of the mean square. At most: the draws show no signal."
    if (own[figure].isna() & own["signal_to_noise"].notna()).any():
        text += " n/a: the target of a replicate is not larger than its own sampling error."
    if figure == "cosine":
        of_method = own.groupby("method", sort=False)["target"].first()
        text += f" Targets: {'; '.join(f'{name}, {what}' for name, what in of_method.items())}."
    return text
