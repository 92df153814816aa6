"""The rule that decides which trial is the best of a cell: the mean validation bound.

Reports, MLflow and searches all use it. It never sees a test metric.
"""

from collections.abc import Hashable, Iterable, Mapping
from math import inf, isfinite
from statistics import fmean
from typing import TypeVar

from gmm_study.training.state import TrialState

CRITERION = "valid/bound"
"""The metric by which trials are selected: a replicate's best validation bound, in nats."""
Group = TypeVar("Group", bound=Hashable)


def selection_bound(wanted: Iterable[tuple[str | None, float]]) -> float | None:
    """The mean validation bound of a trial (nats), from state and bound of each wanted replicate.

    None, which means that the trial is no candidate, if a replicate is not complete (a missing one
    has the state None) or has no finite bound. The result does not depend on the order of the
    replicates (`fmean`), so equal trials tie.
    """
    bounds = []
    for state, bound in wanted:
        if state != TrialState.COMPLETE or not isfinite(bound):
            return None
        bounds.append(bound)
    return fmean(bounds)


def best_trials(
    places: Iterable[tuple[Group, str]], bounds: Mapping[str, float | None]
) -> dict[Group, str]:
    """The id of the best trial of each group; among equal ones the first in `places`.

    `places` are pairs of a group and a trial in it, in the plan's order. `bounds` has each trial's
    `selection_bound`; a trial for which it is missing or None is no candidate. A group without a
    candidate is left out.
    """
    best: dict[Group, str] = {}
    highest: dict[Group, float] = {}
    for group, trial_id in places:
        bound = bounds.get(trial_id)
        if bound is not None and bound > highest.get(group, -inf):
            best[group], highest[group] = trial_id, bound
    return best
