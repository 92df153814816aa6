"""What each variation of a study costs relative to the first one, in nats of test log p."""

from collections.abc import Mapping
from math import nan
from typing import Any

import pandas as pd

from analysis.decisions import differs, is_equivalent
from analysis.differences import LogP
from analysis.labels import LOG_P
from analysis.statistics import Estimate
from gmm_study.study.fields import VARIATION
from gmm_study.study.plan import Plan

SAME = "the same trial as"
SAME_VALUES = "the same values as"
UNPAIRED = "not paired over seeds: its replicates have other seeds"
COSTS, GAINS, EQUIVALENT, UNRESOLVED = "costs", "gains", "equivalent", "not resolved"

_TYPES = {
    "study": "string",
    "dataset": "string",
    "method": "string",
    "variation": "string",
    "reference": "string",
    "metric": "string",
    "cost": "float64",
    "standard_error": "float64",
    "error_data": "float64",
    "error_both": "float64",
    "low": "float64",
    "high": "float64",
    "n": "int64",
    "finding": "string",
    "matters": "bool",
    "equivalent": "bool",
    "trial_id": "string",
    "reference_trial_id": "string",
    "mark": "string",
}
_NUMBERS = ("cost", "standard_error", "error_data", "error_both", "low", "high")


def estimates_of_costs(
    plan: Plan, log_p: LogP, cells: pd.DataFrame
) -> dict[tuple[str, str, str], Estimate]:
    """The cost of each variation by data set, method and label, of those that have one.

    The variations of a method on a data set are one family (Dunnett, `LogP.against`). Those that
    share the trial or the values of the reference are not in it and have no estimate, and those
    that share a trial or values with one another count once.
    """
    reference = next(iter(plan.study.variations))
    found = {}
    known = cells[(cells["metric"] == LOG_P) & (cells["n"] > 0)]
    for (dataset, method), own in known.groupby(["dataset", "method"], sort=False):
        trials = dict(zip(own["x"], own["trial_id"], strict=True))
        start = trials.pop(reference, None)
        others = [trial_id for trial_id in dict.fromkeys(trials.values()) if trial_id != start]
        if start is None or not others:
            continue
        estimates = log_p.against(start, others)
        for label, trial_id in trials.items():
            if trial_id != start and not estimates[trial_id].same:
                found[str(dataset), str(method), str(label)] = estimates[trial_id]
    return found


def costs_of_variations(
    plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame, log_p: LogP | None = None
) -> pd.DataFrame:
    """A row per data set, method and variation; the first variation is the reference.

    Columns: `cost` (mean test log p of the reference minus that of the variation, in nats; positive
    is worse), its `standard_error` over seeds (from the variance pooled over the variations of the
    method), `error_data` (over test datapoints, paired; NaN if not known) and `error_both`; `low`
    and `high`, the ends of its simultaneous 95% interval (Dunnett, for all variations of a method
    on a data set, `LogP.against`); `n` replicates; `finding` (`costs`, `gains`, `equivalent` within
    the margin, `not resolved`, or empty); `matters` (whether the interval excludes 0);
    `equivalent` (whether the 90% interval lies within the margin; a small effect can be both); and
    `mark` (why there is no number, or what is special about it). `rows` are the planned replicates
    (`join`), `cells` their summary (`summarise`). No rows if the report does not run along the
    variations.
    """
    if plan.x != VARIATION:
        return pd.DataFrame(columns=list(_TYPES)).astype(_TYPES)
    reference, *others = plan.study.variations
    log_p = log_p or LogP(plan, rows)
    estimates = estimates_of_costs(plan, log_p, cells)
    found = []
    for (dataset, method), own in cells[cells["metric"] == LOG_P].groupby(
        ["dataset", "method"], sort=False
    ):
        by_label = {cell["x"]: cell for cell in own.to_dict("records")}
        firsts = log_p.first_equal(own.loc[own["n"] > 0, "trial_id"])
        for label in others:
            known = {"dataset": dataset, "method": method, "variation": label, "metric": LOG_P}
            known |= {"study": plan.study.name, "reference": reference}
            known |= _without_number(by_label[reference], by_label[label])
            estimate = estimates.get((str(dataset), str(method), label))
            if estimate:
                known |= _number(estimate, log_p.margin, _twin(firsts, by_label, label))
            found.append(known)
    return pd.DataFrame(found, columns=list(_TYPES), dtype=object).astype(_TYPES)


def finding_of(cost: Estimate, margin: float) -> str:
    """What a cost shows: one of the words of the column `finding`; empty for one replicate."""
    if cost.n == 1:
        return ""
    if differs(cost):
        return COSTS if cost.mean > 0 else GAINS
    return EQUIVALENT if is_equivalent(cost, margin) else UNRESOLVED


def _without_number(start: Mapping[Any, Any], end: Mapping[Any, Any]) -> dict[str, Any]:
    """The row of a variation, as it is without an estimate of its cost."""
    known = {"trial_id": end["trial_id"], "reference_trial_id": start["trial_id"]}
    known |= dict.fromkeys(_NUMBERS, nan) | {"n": 0, "finding": ""}
    known |= {"matters": False, "equivalent": False}
    if not start["n"]:
        return known | {"mark": f"{start['x']}: {start['mark']}"}
    if not end["n"]:
        return known | {"mark": end["mark"]}
    same = SAME if start["trial_id"] == end["trial_id"] else SAME_VALUES
    return known | dict.fromkeys(_NUMBERS, 0.0) | {"n": start["n"], "mark": f"{same} {start['x']}"}


def _twin(firsts: Mapping[str, str], by_label: Mapping[Any, Mapping[Any, Any]], label: str) -> str:
    """The mark of a variation with the values of an earlier one; empty without one."""
    own = by_label[label]["trial_id"]
    if firsts[own] == own:
        return ""
    earlier = (name for name, cell in by_label.items() if cell["trial_id"] == firsts[own])
    return f"{SAME_VALUES} {next(earlier)}"


def _number(cost: Estimate, margin: float, twin: str) -> dict[str, Any]:
    errors = cost.over_seeds, cost.over_data, cost.standard_error
    numbers = dict(zip(_NUMBERS, (cost.mean, *errors, *cost.interval()), strict=True))
    known = {"n": cost.n, "finding": finding_of(cost, margin), "matters": differs(cost)}
    known["equivalent"] = is_equivalent(cost, margin)
    mark = "; ".join(filter(None, (twin, "" if cost.paired else UNPAIRED)))
    return numbers | known | {"mark": mark}
