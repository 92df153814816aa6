"""What the variations of a study cost, in a sentence for each method and data set."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import pandas as pd

from analysis.collapse import which_collapsed
from analysis.costs import COSTS, EQUIVALENT, GAINS, SAME, SAME_VALUES, UNRESOLVED
from analysis.decisions import (
    interval_in_words,
    size_interval,
    what_would_decide,
    which_error,
)
from analysis.labels import decimals, error_label, nats
from analysis.statistics import Estimate

COLLAPSED = "collapsed in every replicate"

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
    named apart. Where some replicates of a variation or of the reference did, their number stands
    in place of the seeds that would decide, as their costs are not spread around a mean.
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
    known = [row for row in rows if row["variation"] in estimates]
    parts = _findings(known, estimates, margin, decimals(costs["error_both"]), collapses)
    if parts:
        parts[0] = f"against {rows[0]['reference']}, {parts[0]}"
        parts.append(_of_reference(known[0], collapses))
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


def _of_reference(row: Mapping[Any, Any], collapses: Mapping[str, int]) -> str:
    """How many replicates of the reference collapsed; empty if none did."""
    return which_collapsed(collapses, [(row["reference"], row["reference_trial_id"], row["n"])])


def _findings(
    rows: Sequence[Mapping[Any, Any]],
    estimates: Mapping[str, Estimate],
    margin: float,
    places: int,
    collapses: Mapping[str, int],
) -> list[str]:
    """The costs and gains, then what is equivalent, not resolved, and wholly collapsed."""
    if not rows:
        return []
    if all(isnan(row["standard_error"]) for row in rows):
        return _of_one_replicate(rows, places, collapses)
    texts: dict[str, list[str]] = {}
    for row in rows:
        cost = estimates[row["variation"]]
        group = COSTS if row["finding"] == GAINS else row["finding"]
        group = COLLAPSED if _all_collapsed(row, collapses) else group
        texts.setdefault(group, []).append(
            f"{row['variation']}{_number(row, cost, margin, places, collapses)}"
        )
    heads = {
        COSTS: "",
        EQUIVALENT: _within(margin),
        UNRESOLVED: "not resolved: ",
        COLLAPSED: f"{COLLAPSED}: ",
    }
    parts = [head + ", ".join(texts[group]) for group, head in heads.items() if group in texts]
    parts[0] = f"in nats with simultaneous 95% intervals (Dunnett): {parts[0]}"
    return parts


def _of_one_replicate(
    rows: Sequence[Mapping[Any, Any]], places: int, collapses: Mapping[str, int]
) -> list[str]:
    """The highest cost of what did not collapse, then what did."""
    apart = [row for row in rows if _all_collapsed(row, collapses)]
    highest = next((row for row in rows if not _all_collapsed(row, collapses)), None)
    parts = []
    if highest:
        parts.append(f"{highest['variation']} costs most, {nats(highest['cost'], places)} nats")
    if apart:
        costs = [f"{row['variation']} {nats(row['cost'], places, True)} nats" for row in apart]
        parts.append(f"{COLLAPSED}: {', '.join(costs)}")
    parts[0] += " (one replicate, so no error over seeds)"
    return parts


def _number(
    row: Mapping[Any, Any],
    cost: Estimate,
    margin: float,
    places: int,
    collapses: Mapping[str, int],
) -> str:
    """` costs 1.50 ± 0.29 (0.26 to 2.74)`; of what is equivalent its interval alone."""
    error = error_label(cost.standard_error, places)
    if row["finding"] in (COSTS, GAINS):
        shown = size_interval(cost, places)
        within = f", within the margin of {margin:g}" if row["equivalent"] else ""
        return f" {row['finding']} {nats(abs(cost.mean), places)} ± {error} ({shown}){within}"
    shown, apart = interval_in_words(cost, places), _all_collapsed(row, collapses)
    if row["finding"] == EQUIVALENT:
        return f" ({_within(margin) if apart else ''}{shown})"
    more = "" if apart else _what_is_needed(row, cost, margin, collapses)
    return f" {nats(cost.mean, places, True)} ± {error} ({'; '.join(filter(None, (shown, more)))})"


def _what_is_needed(
    row: Mapping[Any, Any], cost: Estimate, margin: float, collapses: Mapping[str, int]
) -> str:
    """What would decide; with collapsed replicates their number, that of the reference aside."""
    if collapses.keys() & {row["trial_id"], row["reference_trial_id"]}:
        return which_collapsed(collapses, [(row["variation"], row["trial_id"], row["n"])])
    return what_would_decide(cost, margin)


def _all_collapsed(row: Mapping[Any, Any], collapses: Mapping[str, int]) -> bool:
    """Whether every replicate of the variation collapsed."""
    return bool(row["n"] == collapses.get(row["trial_id"]))


def _within(margin: float) -> str:
    return f"no difference beyond the margin of {margin:g}: "
