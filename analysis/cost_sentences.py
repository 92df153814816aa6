"""What the variations of a study cost, in a sentence for each method and data set."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import pandas as pd

from analysis.costs import COSTS, EQUIVALENT, GAINS, SAME, UNRESOLVED
from analysis.decisions import interval_in_words, what_would_decide
from analysis.labels import decimals, error_label
from analysis.statistics import Estimate

Estimates = Mapping[tuple[str, str, str], Estimate]


def cost_sentences(costs: pd.DataFrame, estimates: Estimates, margin: float) -> list[str]:
    """For each method and data set: the costs, highest first, then what shows none.

    `costs` is the frame of `costs_of_variations`, `estimates` are those of `estimates_of_costs`.
    """
    several = costs["dataset"].nunique() > 1
    sentences = []
    for (dataset, method), own in costs.groupby(["dataset", "method"], sort=False):
        prefix = f"{dataset}, " if several else ""
        mine = {key[2]: each for key, each in estimates.items() if key[:2] == (dataset, method)}
        sentences.append(f"{prefix}{method}: {_sentence(own, mine, margin)}.")
    return sentences


def _sentence(costs: pd.DataFrame, estimates: Mapping[str, Estimate], margin: float) -> str:
    rows = sorted(costs.to_dict("records"), key=lambda row: -row["cost"] if row["n"] else 0.0)
    reference = rows[0]["reference"]
    same = [row["variation"] for row in rows if row["mark"].startswith(SAME)]
    known = [row for row in rows if row["variation"] in estimates]
    parts = _findings(known, estimates, margin, decimals(costs["error_both"]))
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


def _findings(
    rows: Sequence[Mapping[Any, Any]],
    estimates: Mapping[str, Estimate],
    margin: float,
    places: int,
) -> list[str]:
    """The costs and gains, then what is equivalent and what is not resolved."""
    if not rows:
        return []
    if all(isnan(row["standard_error"]) for row in rows):
        highest = f"{rows[0]['variation']} costs most, {rows[0]['cost']:.{places}f} nats"
        return [f"{highest} (one replicate, so no error over seeds)"]
    texts: dict[str, list[str]] = {}
    for row in rows:
        label, cost = row["variation"], estimates[row["variation"]]
        error, ends = error_label(cost.standard_error, places), interval_in_words(cost, places)
        if row["finding"] in (COSTS, GAINS):
            text = f"{label} {row['finding']} {abs(cost.mean):.{places}f} ± {error} ({ends})"
            texts.setdefault(COSTS, []).append(text)
        elif row["finding"] == EQUIVALENT:
            texts.setdefault(EQUIVALENT, []).append(label)
        else:
            needed = what_would_decide(cost, margin)
            text = f"{label} {cost.mean:+.{places}f} ± {error} ({ends}; {needed})"
            texts.setdefault(UNRESOLVED, []).append(text)
    how = "simultaneous 95% intervals by Dunnett"
    if not all(estimate.knows_data for estimate in estimates.values()):
        how += ", over seeds alone"
    heads = {
        COSTS: f"in nats with {how}, ",
        EQUIVALENT: f"no difference beyond the margin of {margin:g} nats: ",
        UNRESOLVED: f"not resolved, with {how}: ",
    }
    return [head + ", ".join(texts[kind]) for kind, head in heads.items() if kind in texts]
