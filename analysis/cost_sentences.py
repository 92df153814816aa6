"""What the variations of a study cost, in a sentence for each method and data set."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import pandas as pd

from analysis.costs import COSTS, EQUIVALENT, GAINS, SAME, SAME_VALUES, UNRESOLVED
from analysis.decisions import (
    interval_in_words,
    size_interval,
    what_would_decide,
    which_error,
)
from analysis.labels import decimals, error_label, nats
from analysis.statistics import Estimate

COLLAPSED = "collapsed"

Estimates = Mapping[tuple[str, str, str], Estimate]


def cost_sentences(
    costs: pd.DataFrame,
    estimates: Estimates,
    margin: float,
    collapses: Mapping[str, int] | None = None,
) -> list[str]:
    """For each method and data set: the costs, highest first, then what shows none.

    `costs` is the frame of `costs_of_variations`, `estimates` are those of `estimates_of_costs`,
    `collapses` the numbers of collapsed replicates by trial. What collapsed in every replicate is
    named apart. Where some did, their number stands in place of the seeds that would decide, as
    their costs are not spread around a mean.
    """
    several, collapses = costs["dataset"].nunique() > 1, collapses or {}
    sentences = []
    for (dataset, method), own in costs.groupby(["dataset", "method"], sort=False):
        prefix = f"{dataset}, " if several else ""
        mine = {key[2]: each for key, each in estimates.items() if key[:2] == (dataset, method)}
        sentences.append(f"{prefix}{method}: {_sentence(own, mine, margin, collapses)}.")
    return sentences


def _sentence(
    costs: pd.DataFrame,
    estimates: Mapping[str, Estimate],
    margin: float,
    collapses: Mapping[str, int],
) -> str:
    rows = sorted(costs.to_dict("records"), key=lambda row: -row["cost"] if row["n"] else 0.0)
    reference = rows[0]["reference"]
    known = [row for row in rows if row["variation"] in estimates]
    collapsed = {row["variation"]: collapses.get(row["trial_id"], 0) for row in known}
    parts = _findings(known, estimates, margin, decimals(costs["error_both"]), collapsed)
    if parts:
        parts[0] = f"against {reference}, {parts[0]}"
    parts += _shared(rows, estimates)
    lacking: dict[str, list[str]] = {}
    for row in rows:
        if not row["n"]:
            lacking.setdefault(row["mark"], []).append(row["variation"])
    for mark, labels in lacking.items():
        listed = "every variation" if 1 < len(labels) == len(rows) else ", ".join(labels)
        parts.append(f"not known ({mark}): {listed}")
    return "; ".join(filter(None, (*parts, which_error(estimates.values()))))


def _shared(rows: Sequence[Mapping[Any, Any]], estimates: Mapping[str, Estimate]) -> list[str]:
    """Which variations have the trial, or the values, of the reference."""
    parts = []
    for what, (one, several) in {SAME: ("is", "are"), SAME_VALUES: ("has", "have")}.items():
        labels = [
            row["variation"]
            for row in rows
            if row["variation"] not in estimates and row["mark"].startswith(what)
        ]
        if labels:
            verb = one if len(labels) == 1 else several
            parts.append(f"{', '.join(labels)} {verb} {what} {rows[0]['reference']}")
    return parts


def _findings(
    rows: Sequence[Mapping[Any, Any]],
    estimates: Mapping[str, Estimate],
    margin: float,
    places: int,
    collapsed: Mapping[str, int],
) -> list[str]:
    """The costs and gains, then what is equivalent and what is not resolved."""
    if not rows:
        return []
    if all(isnan(row["standard_error"]) for row in rows):
        highest = f"{rows[0]['variation']} costs most, {nats(rows[0]['cost'], places)} nats"
        return [f"{highest} (one replicate, so no error over seeds)"]
    texts: dict[str, list[str]] = {}
    for row in rows:
        cost = estimates[row["variation"]]
        group = COSTS if row["finding"] == GAINS else row["finding"]
        count = collapsed[row["variation"]]
        group = COLLAPSED if count == row["n"] else group
        texts.setdefault(group, []).append(
            f"{row['variation']}{_number(row, cost, margin, places, count)}"
        )
    heads = {
        COSTS: "",
        EQUIVALENT: f"no difference beyond the margin of {margin:g}: ",
        UNRESOLVED: "not resolved: ",
        COLLAPSED: "collapsed in every replicate: ",
    }
    parts = [head + ", ".join(texts[group]) for group, head in heads.items() if group in texts]
    parts[0] = f"in nats with simultaneous 95% intervals (Dunnett): {parts[0]}"
    return parts


def _number(
    row: Mapping[Any, Any],
    cost: Estimate,
    margin: float,
    places: int,
    collapsed: int,
) -> str:
    """` costs 1.50 ± 0.29 (0.26 to 2.74)`; of what is equivalent its interval alone."""
    error = error_label(cost.standard_error, places)
    if row["finding"] in (COSTS, GAINS):
        shown = size_interval(cost, places)
        within = f", within the margin of {margin:g}" if row["equivalent"] else ""
        return f" {row['finding']} {nats(abs(cost.mean), places)} ± {error} ({shown}){within}"
    shown = interval_in_words(cost, places)
    if row["finding"] == EQUIVALENT:
        return f" ({shown})"
    some = f"{collapsed} of {row['n']} collapsed" if collapsed < row["n"] else ""
    more = some if collapsed else what_would_decide(cost, margin)
    return f" {nats(cost.mean, places, True)} ± {error} ({'; '.join(filter(None, (shown, more)))})"
