"""Collapsed replicates: counted, and marked at every mean that includes them."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from analysis.labels import decimals, nats
from analysis.places import counted
from analysis.planned import each_once


def collapsed_replicates(rows: pd.DataFrame) -> dict[str, int]:
    """The number of collapsed replicates of each trial that has any, by its id."""
    once = each_once(rows)
    found = once.loc[once["collapsed"], "trial_id"]
    return {str(trial_id): int(count) for trial_id, count in found.value_counts().items()}


def which_collapsed(collapsed: Mapping[str, int], trials: Iterable[tuple[str, str, int]]) -> str:
    """`1 of 3 replicates of gmm at depth 5 collapsed`; empty if none of these trials has any.

    `collapsed` are the numbers of `collapsed_replicates`, `trials` the name, the id and the number
    of replicates of each trial.
    """
    texts = [
        f"{counted(collapsed[trial_id], n, 'replicate')} of {name}"
        for name, trial_id, n in trials
        if trial_id in collapsed
    ]
    return f"{' and '.join(texts)} collapsed" if texts else ""


def mark_collapsed(cells: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The cells (`summarise`), with collapsed replicates noted in the `mark` of their means.

    The mark gives the mean of the other replicates as well.
    """
    collapsed = collapsed_replicates(rows)
    if not collapsed:
        return cells
    others = dict(list(each_once(rows[~rows["collapsed"]]).groupby("trial_id")))
    marks = [
        _joined(
            _mark(cell, collapsed[cell["trial_id"]], others.get(cell["trial_id"])), cell["mark"]
        )
        if cell["n"] and cell["trial_id"] in collapsed
        else cell["mark"]
        for cell in cells.to_dict("records")
    ]
    return cells.assign(mark=pd.Series(marks, cells.index, "string"))


def mark_collapsed_costs(costs: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The costs of variations, with collapsed replicates of either trial noted in their `mark`."""
    collapsed = collapsed_replicates(rows)
    marks = []
    for cost in costs.to_dict("records"):
        names = ("variation", "trial_id"), ("reference", "reference_trial_id")
        trials = [(cost[name], cost[trial], cost["n"]) for name, trial in names if cost["n"]]
        marks.append(_joined(cost["mark"], which_collapsed(collapsed, trials)))
    return costs.assign(mark=pd.Series(marks, costs.index, "string"))


def _mark(cell: dict[Any, Any], count: int, others: pd.DataFrame | None) -> str:
    text = f"{count} of {cell['n']} replicates collapsed: no better than independent pixels"
    if others is None:
        return text
    mean = nats(others[cell["metric"]].mean(), decimals([cell["standard_error"]]))
    return f"{text}; the mean of the others is {mean}"


def _joined(*texts: str) -> str:
    return "; ".join(filter(None, texts))
