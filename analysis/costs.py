"""What each variation of a study costs relative to the first one, in nats of test log p."""

from math import isnan, nan
from typing import Any

import pandas as pd

from analysis.differences import LogP
from analysis.labels import LOG_P, decimals, error_label, value_range
from analysis.statistics import LEVEL, holm
from gmm_study.study.plan import Plan
from gmm_study.study.schema import VARIATION

SAME = "the same trial as"
UNPAIRED = "not paired: its replicates have different seeds"

_TYPES = {
    "study": "string",
    "dataset": "string",
    "method": "string",
    "variation": "string",
    "reference": "string",
    "metric": "string",
    "cost": "float64",
    "standard_error": "float64",
    "half_width": "float64",
    "n": "int64",
    "p_value": "float64",
    "paired": "boolean",
    "matters": "bool",
    "trial_id": "string",
    "reference_trial_id": "string",
    "mark": "string",
}


def costs_of_variations(plan: Plan, rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """A row per data set, method and variation; the first variation is the reference.

    Columns: `cost` (mean test log p of the reference minus that of the variation, in nats; positive
    is worse) with its `standard_error` (n - 1), `paired` (whether that is over the differences
    within a replicate, as both trials have the same replicates of one seed, or else from the
    standard errors of both), `half_width` of its 95% confidence interval by Student's t, `n`
    replicates, `p_value` of no cost by the same t, adjusted by Holm for the variations of a data
    set and method, `matters` (whether that is at most 0.05), and `mark` (why there is no number, or
    what is special about it). `rows` are the planned replicates (`join`), `cells` their summary
    (`summarise`). No rows if the report does not run along the variations.
    """
    if plan.x != VARIATION:
        return pd.DataFrame(columns=list(_TYPES)).astype(_TYPES)
    reference, *others = plan.study.variations
    by_replicate = LogP(plan, rows)
    log_p = cells[cells["metric"] == LOG_P]
    found = []
    for (dataset, method), own in log_p.groupby(["dataset", "method"], sort=False):
        by_label = {cell["x"]: cell for cell in own.to_dict("records")}
        family = []
        for label in others:
            known = {"dataset": dataset, "method": method, "variation": label, "metric": LOG_P}
            known |= {"study": plan.study.name, "reference": reference}
            start, end = by_label[reference], by_label[label]
            family.append(known | _cost(by_replicate, start, end))
        for row, p_value in zip(family, holm([row["p_value"] for row in family]), strict=True):
            found.append(row | {"p_value": p_value, "matters": p_value <= LEVEL})
    return pd.DataFrame(found, columns=list(_TYPES), dtype=object).astype(_TYPES)


def cost_sentences(costs: pd.DataFrame) -> list[str]:
    """For each method and data set: the significant costs, highest first, then the other ones."""
    several = costs["dataset"].nunique() > 1
    sentences = []
    for (dataset, method), own in costs.groupby(["dataset", "method"], sort=False):
        prefix = f"{dataset}, " if several else ""
        sentences.append(f"{prefix}{method}: {_sentence(own)}.")
    return sentences


def _cost(log_p: LogP, start: dict[Any, Any], end: dict[Any, Any]) -> dict[str, Any]:
    known = {"trial_id": end["trial_id"], "reference_trial_id": start["trial_id"], "n": 0}
    known |= {"cost": nan, "standard_error": nan, "half_width": nan, "p_value": nan}
    if not start["n"]:
        return known | {"paired": None, "mark": f"{start['x']}: {start['mark']}"}
    if not end["n"]:
        return known | {"paired": None, "mark": end["mark"]}
    if start["trial_id"] == end["trial_id"]:
        zero = {"cost": 0.0, "standard_error": 0.0, "half_width": 0.0, "p_value": nan}
        zero |= {"n": start["n"]}
        return known | zero | {"paired": True, "mark": f"{SAME} {start['x']}"}
    difference = log_p.difference(start, end)
    return known | {
        "cost": difference.mean,
        "standard_error": difference.standard_error,
        "half_width": difference.half_width,
        "p_value": difference.p_value,
        "n": difference.n,
        "paired": difference.paired,
        "mark": "" if difference.paired else UNPAIRED,
    }


def _sentence(costs: pd.DataFrame) -> str:
    """For one method and data set, such as `against authors, K=1 costs 5.22 ± 0.12 nats`."""
    rows = sorted(costs.to_dict("records"), key=lambda row: -row["cost"] if row["n"] else 0.0)
    reference = rows[0]["reference"]
    same = [row["variation"] for row in rows if row["mark"].startswith(SAME)]
    known = [row for row in rows if row["n"] and row["variation"] not in same]
    parts = _significance(known, decimals(costs["standard_error"]))
    if parts:
        parts[0] = f"against {reference}, {parts[0]}"
    if same:
        parts.append(f"{', '.join(same)} is {SAME} {reference}")
    lacking: dict[str, list[str]] = {}
    for row in rows:
        if not row["n"]:
            lacking.setdefault(row["mark"], []).append(row["variation"])
    for mark, labels in lacking.items():
        listed = "every variation" if 1 < len(labels) == len(rows) else ", ".join(labels)
        parts.append(f"not known ({mark}): {listed}")
    return "; ".join(parts)


def _significance(rows: list[dict[Any, Any]], places: int) -> list[str]:
    """The significant costs, then the other variations; without standard errors, the highest."""
    if not rows:
        return []
    if all(isnan(row["standard_error"]) for row in rows):
        highest = f"{rows[0]['variation']} costs most, {rows[0]['cost']:.{places}f} nats"
        return [f"{highest} (one replicate, so no standard error)"]
    significant = [f"{row['variation']} {_in_words(row, places)}" for row in rows if row["matters"]]
    others = [row["variation"] for row in rows if not row["matters"]]
    parts = [", ".join(significant)] if significant else []
    if others:
        n = value_range(row["n"] for row in rows)
        test = f"not significant at 5% by Student's t with n = {n}, adjusted by Holm"
        parts.append(f"{test}: {', '.join(others)}")
    return parts


def _in_words(row: dict[Any, Any], places: int) -> str:
    verb = "costs" if row["cost"] > 0 else "gains"
    how = "" if row["paired"] else ", not paired"
    error = error_label(row["standard_error"], places)
    return f"{verb} {abs(row['cost']):.{places}f} ± {error} nats{how}"
