"""Whether a chosen value is at the end of those that a study allows, beyond which a better may lie.

The ends are the smallest and the largest number of a grid or a choice, and the outermost parts of a
range. Zero is no end, as there is nothing beyond it for the settings that can be zero.
"""

from collections import defaultdict

import pandas as pd

from analysis.labels import axis_label, value_label
from analysis.places import counted, listed, place_of
from gmm_study.study.axis import Axis
from gmm_study.study.plan import Plan

OUTERMOST = 0.05
"""The part of a range's width, in logarithms for `log_uniform`, that counts as one of its ends."""


def end_conditions(plan: Plan, cells: pd.DataFrame) -> list[str]:
    """In which cells a chosen value is at an end, by setting and value; nothing if in none.

    `cells` are those of log p that have a mean. The axis of the report is not chosen.
    """
    axes = {trial.config.trial_id: trial.axes for trial in plan.trials}
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    at_end, chosen = 0, 0
    for cell in cells.to_dict("records"):
        own = {name: value for name, value in axes[cell["trial_id"]].items() if name != plan.x}
        compared = [(name, value) for name, value in own.items() if name in plan.study.space]
        found = [pair for pair in compared if _is_at_end(plan.study.space[pair[0]], pair[1])]
        for name, value in found:
            places[name, value_label(value)].append(place_of(plan, cell))
        at_end, chosen = at_end + bool(found), chosen + bool(compared)
    if not places:
        return []
    named = [
        f"{axis_label(name)} {value} ({listed(where)})" for (name, value), where in places.items()
    ]
    return [
        f"In {counted(at_end, chosen, 'cell')}, a chosen value is at the end of those that were "
        f"allowed, and a better one may lie beyond: {listed(named, '; ')}."
    ]


def _is_at_end(axis: Axis, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or value == 0:
        return False
    if not axis.values:
        return not axis.at(OUTERMOST) < value < axis.at(1.0 - OUTERMOST)
    numbers = {each for each in axis.values if isinstance(each, int | float)}
    return len(numbers) > 1 and value in (min(numbers), max(numbers))
