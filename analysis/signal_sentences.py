"""What more samples do to the signal to noise of q's gradient, in a sentence for each method."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import pandas as pd

from analysis.gradients import at_the_end, models_of, name_of, upper_limit_of
from analysis.labels import decimals, error_label
from gmm_study.study.plan import Plan

RESOLVED = 2.0
"""A change is named if it is this many of its standard errors."""


def signal_sentences(plan: Plan, frame: pd.DataFrame) -> list[str]:
    """For each data set and training: from the smallest K to the largest, at the end of the axis.

    `frame` is that of `gradient_frame`. The models are the same for every K, so the error of a
    change, that of two independent means, is on the safe side.
    """
    last = at_the_end(frame)
    sentences = []
    of_q = last[last["part"] == "q"]
    for _, own in of_q.groupby(["dataset", "trained_by"], sort=False):
        by_name = own.groupby(own.apply(name_of, axis=1), sort=False)
        changes = [change for _, of_name in by_name if (change := _change(of_name))]
        if changes:
            place, found = models_of(plan, own), "; ".join(changes)
            sentences.append(f"{place}: the signal to noise of q's gradient {found}.")
    return sentences


def _change(own: pd.DataFrame) -> str | None:
    """Such as `rises from 0.24 ± 0.05 (K = 2) to 1.47 ± 0.15 (K = 50) in gmm`."""
    rows = own[own["signal_to_noise"].notna()].sort_values("samples").to_dict("records")
    if len(rows) < 2:
        return None
    first, last = rows[0], rows[-1]
    errors = [row["signal_to_noise_se"] for row in (first, last)]
    places = max(decimals(error for error in errors if isfinite(error)), 2)
    ends = [f"{_shown(row, places)} (K = {row['samples']:,})" for row in (first, last)]
    verb = "does not clearly change:"
    if all(isfinite(error) for error in errors):
        difference = last["signal_to_noise"] - first["signal_to_noise"]
        if abs(difference) > RESOLVED * (errors[0] ** 2 + errors[1] ** 2) ** 0.5:
            verb = "rises" if difference > 0 else "falls"
    return f"{verb} from {ends[0]} to {ends[1]} in {name_of(last)}"


def _shown(row: Mapping[Any, Any], places: int) -> str:
    value, error = row["signal_to_noise"], row["signal_to_noise_se"]
    return upper_limit_of(row) or f"{value:.{places}f} ± {error_label(error, places)}"
