"""Whether a chosen number is the smallest or the largest that a study allows.

A better one may then lie beyond it. In a range, its outermost parts count as well. A limit of the
setting itself, such as one sample, is no end: there is nothing beyond it.
"""

from collections import defaultdict
from math import log

import pandas as pd

from analysis.labels import axis_label, is_number, value_label
from analysis.places import counted, listed, place_of
from gmm_study.study.axis import Axis
from gmm_study.study.plan import Plan
from gmm_study.training.hyperparameters import declared_settings, durations

OUTERMOST = 0.05
"""The part of a range's width, in logarithms for `log_uniform`, that counts as one of its ends."""
LIMITS = {spec.name: spec.metadata["at_least"] for spec in declared_settings().values()}
"""The smallest value that a setting can have at all, None if there is none, by its name."""


def end_conditions(plan: Plan, cells: pd.DataFrame) -> list[str]:
    """In which cells a chosen value is an end, by setting and value; nothing if in none.

    `cells` are those of log p that have a mean. The axis of the report is not chosen, nor is the
    only trial that can be compared, unless it was confirmed after a screening.
    """
    axes = {trial.config.trial_id: trial.axes for trial in plan.trials}
    space = {name: axis for name, axis in plan.study.space.items() if _has_ends(plan, name, axis)}
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    at_end, compared = 0, 0
    for cell in cells.to_dict("records"):
        own = axes[cell["trial_id"]]
        known = {name: own[name] for name in space if is_number(own.get(name))}
        if not known or (cell["candidates"] < 2 and not plan.study.screening):
            continue
        found = [name for name, value in known.items() if _is_end(name, space[name], value)]
        for name in found:
            places[name, value_label(known[name])].append(place_of(plan, cell))
        at_end, compared = at_end + bool(found), compared + 1
    if not places:
        return []
    named = [
        f"{axis_label(name)} {value} ({listed(where)})" for (name, value), where in places.items()
    ]
    return [
        f"In {counted(at_end, compared, 'cell')}, a chosen value is the smallest or the largest "
        f"that was allowed, or close to it, and a better one may lie beyond: {listed(named, '; ')}."
    ]


def _has_ends(plan: Plan, name: str, axis: Axis) -> bool:
    """Whether an axis is one of numbers that are compared; a longer study has changed durations."""
    is_changed = plan.study.longer > 1 and name in durations()
    return name != plan.x and not is_changed and (not axis.values or len(_numbers(axis)) > 1)


def _numbers(axis: Axis) -> set[float]:
    return {each for each in axis.values if is_number(each)}


def _is_end(name: str, axis: Axis, value: float) -> bool:
    if value == LIMITS.get(name.partition(".")[0]):
        return False
    if axis.values:
        return value in (min(_numbers(axis)), max(_numbers(axis)))
    low, high = getattr(axis, axis.kind)
    if axis.log_uniform:
        low, high, value = log(low), log(high), log(value)
    return not OUTERMOST < (value - low) / (high - low) < 1.0 - OUTERMOST
