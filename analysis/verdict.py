"""The answer of a study in a sentence a method, from the numbers of its cells."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.costs import cost_sentences, costs_of_variations, log_p_by_replicate
from analysis.frames import is_continuous, x_values
from analysis.labels import LOG_P, axis_label, decimals, error_label, value_label
from analysis.statistics import mean_and_standard_error
from gmm_study.study.plan import Plan
from gmm_study.study.schema import VARIATION


def verdict(plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    """What test log p does along the plan's axis, or between methods where there is none.

    `rows` are the planned replicates (`join`), `cells` their summary (`summarise`). A difference
    is the mean over replicates of the difference within a replicate, ± its standard error (n - 1);
    both ends of it have the same replicates. Where an end is incomplete there is no number; along
    an axis that a search draws from a range of reals there is no verdict, as its ends are chance.
    Variations are held against the first of them.
    """
    if is_continuous(plan):
        return []
    if plan.x == VARIATION:
        return cost_sentences(costs_of_variations(plan, rows, cells))
    log_p = cells[cells["metric"] == LOG_P]
    datasets = list(dict.fromkeys(log_p["dataset"]))
    sentences = []
    for dataset in datasets:
        own = log_p[log_p["dataset"] == dataset]
        prefix = f"{dataset}, " if len(datasets) > 1 else ""
        told = _along_axis(plan, rows, own) if plan.x else _between_methods(rows, own)
        sentences += [prefix + sentence for sentence in told]
    return sentences


def _along_axis(plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    axis = axis_label(plan.x or "")
    sentences = []
    for method in dict.fromkeys(cells["method"]):
        own = cells[cells["method"] == method]
        values = [value for value in x_values(own) if value is not None]
        if len(values) < 2:
            continue
        first, last = (_cell(own, value) for value in (values[0], values[-1]))
        span = f"from {axis} {value_label(values[0])} to {value_label(values[-1])}"
        missing = [
            f"{axis} {value_label(c['x'])}: {c['mark']}" for c in (first, last) if not c["n"]
        ]
        difference = _difference(rows, first, last)
        sentences.append(
            f"{method}: no verdict {span} ({'; '.join(missing)})."
            if missing
            else f"{method}: {difference} nats of test log p {span} ({_pairs(first)})."
        )
    return sentences


def _between_methods(rows: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    known = cells[cells["n"] > 0].sort_values("mean", ascending=False, kind="stable")
    ranked = known.to_dict("records")
    return [
        f"{ranked[0]['method']}: {_difference(rows, other, ranked[0])} nats of test log p over "
        f"{other['method']} ({_pairs(other)})."
        for other in ranked[1:]
    ]


def _cell(cells: pd.DataFrame, x: Any) -> dict[Any, Any]:
    return next(cell for cell in cells.to_dict("records") if cell["x"] == x)


def _difference(rows: pd.DataFrame, start: dict[Any, Any], end: dict[Any, Any]) -> str:
    if not (start["n"] and end["n"]):
        return ""
    ends = [log_p_by_replicate(rows, cell["trial_id"]) for cell in (start, end)]
    mean, error = mean_and_standard_error(ends[1] - ends[0])
    places = decimals([error])
    return f"{mean:+.{places}f}" + ("" if np.isnan(error) else f" ± {error_label(error, places)}")


def _pairs(cell: dict[Any, Any]) -> str:
    one = "one replicate, so no standard error"
    return one if cell["n"] == 1 else f"paired over {cell['n']} replicates"
