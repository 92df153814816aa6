"""The rule that decides which trial is the best of a cell, by figures on the validation data alone.

Trials are compared by the mean over replicates of `valid/log_p`: log p of the kept model with the
same number of samples and the same random numbers for all trials. Records of older versions do not
have it. If a candidate of a cell lacks it, all trials of the cell are compared by `valid/bound`.

Reports, MLflow and searches all use this rule. It never sees a test metric.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean
from typing import TypeVar

from gmm_study.training.state import TrialState

VALID_LOG_P = "valid/log_p"
"""The metric: log p of the validation data, with K = `selection_samples`, in nats."""
INDEPENDENT = "valid/independent"
"""The metric: log p of the validation data if all pixels were independent, in nats."""
VALID_BOUND = "valid/bound"
"""The metric: the best validation bound during training, in nats."""
SELECTION_METRICS = (VALID_LOG_P, VALID_BOUND)
"""The metrics by which trials can be compared, the preferred one first."""

Scores = Mapping[str, float]
"""A trial's mean over replicates of each of these metrics that all of them have, in nats. A trial
without any is no candidate."""
Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True)
class Choice:
    """The best trial of a cell."""

    trial_id: str
    selected_by: str
    """The metric by which the trials of the cell were compared."""
    value: float
    """Its mean over the trial's replicates, in nats."""


def scores(wanted: Iterable[tuple[str | None, Mapping[str, float]]]) -> dict[str, float]:
    """A trial's `Scores`, from the state and the metrics of each wanted replicate.

    Empty if a replicate is not complete (a missing one has the state None) or if each of these
    metrics is missing or not finite in a replicate. The result does not depend on the order of the
    replicates (`fmean`), so equal trials tie.
    """
    replicates = list(wanted)
    if any(state != TrialState.COMPLETE for state, _ in replicates):
        return {}
    values = {
        name: [metrics.get(name, nan) for _, metrics in replicates] for name in SELECTION_METRICS
    }
    return {name: fmean(each) for name, each in values.items() if all(map(isfinite, each))}


def common_metric(candidates: Iterable[Scores]) -> str:
    """The metric by which to compare trials, from the scores of all candidates."""
    return VALID_LOG_P if all(VALID_LOG_P in each for each in candidates) else VALID_BOUND


def best_trials(
    places: Iterable[tuple[Group, str]], scores: Mapping[str, Scores]
) -> dict[Group, Choice]:
    """The best trial of each group; among equal ones the first in `places`.

    `places` are pairs of a group and a trial in it, in the plan's order. `scores` has those of each
    trial; a trial for which they are missing or empty is no candidate. A group without a candidate
    is left out.
    """
    candidates: dict[Group, dict[str, Scores]] = {}
    for group, trial_id in places:
        if scores.get(trial_id):
            candidates.setdefault(group, {})[trial_id] = scores[trial_id]
    best = {}
    for group, trials in candidates.items():
        metric = common_metric(trials.values())
        values = {each: own[metric] for each, own in trials.items() if metric in own}
        if values:
            trial_id = max(values, key=lambda each: values[each])
            best[group] = Choice(trial_id, metric, values[trial_id])
    return best
