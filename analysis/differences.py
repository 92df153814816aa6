"""Test log p of the trials of a study: means and differences, with errors over seeds and data.

Values of datapoints are read when a mean or a difference needs them, so a report reads those of
the trials behind its cells and no others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.labels import LOG_P
from analysis.planned import each_once
from analysis.pooling import pool_of
from analysis.simultaneous import ONE, Family, Kind
from analysis.statistics import (
    Estimate,
    equal,
    mean_of,
    paired_difference,
    unpaired_difference,
)
from analysis.two_way import Values
from gmm_study.study.plan import Plan

Reader = Callable[[str], Mapping[int, Values]]
"""Reads the values of a trial's datapoints, float32 `[N]` in nats by replicate."""

Ends = Sequence[Mapping[Any, Any]]
"""The complete cells at the first and at the last value of an axis."""


def _nothing(trial_id: str) -> Mapping[int, Values]:
    return {}


class LogP:
    """The test log p of the planned replicates (`join`) by trial, in nats.

    `read` gives the values of datapoints (`Records.datapoints`); without it, and for records from
    before these were stored, errors are over seeds alone.
    """

    def __init__(self, plan: Plan, rows: pd.DataFrame, read: Reader = _nothing) -> None:
        self.margin = plan.study.report.margin
        self._seeds = {t.config.trial_id: t.config.hyperparameters.seed for t in plan.trials}
        once = each_once(rows)
        columns = (once[name].tolist() for name in ("trial_id", "replicate", LOG_P))
        by_trial: dict[str, dict[int, float]] = {}
        for trial_id, replicate, value in zip(*columns, strict=True):
            by_trial.setdefault(trial_id, {})[int(replicate)] = float(value)
        self._of_trial = by_trial
        self._read = read
        self._values: dict[str, Values | None] = {}

    def of(self, trial_id: str) -> Values:
        """The `[R]` means of the trial's replicates, in their order."""
        return np.array(list(self._of_trial[trial_id].values()))

    def values(self, trial_id: str) -> Values | None:
        """The `[R, N]` values of the planned replicates; None if any of them is not known."""
        if trial_id not in self._values:
            found, wanted = self._read(trial_id), list(self._of_trial[trial_id])
            sizes = {len(found[replicate]) for replicate in wanted if replicate in found}
            whole = len(sizes) == 1 and all(replicate in found for replicate in wanted)
            self._values[trial_id] = np.stack([found[each] for each in wanted]) if whole else None
        return self._values[trial_id]

    def mean(self, trial_id: str) -> Estimate:
        """The mean of a complete trial."""
        return mean_of(self.of(trial_id), self.values(trial_id))

    def difference(self, first: Mapping[Any, Any], second: Mapping[Any, Any]) -> Estimate:
        """The trial of the first complete cell minus that of the second.

        Paired over seeds if both trials have the same replicates of one seed, which share data
        order and noise; paired over datapoints in any case.
        """
        return self._difference((first["trial_id"], second["trial_id"]), ONE)

    def against(self, reference: str, others: Sequence[str]) -> dict[str, Estimate]:
        """The reference trial minus each of the other trials, with Dunnett's intervals."""
        return dict(zip(others, self._from_first([reference, *others], "reference"), strict=True))

    def below_best(self, cells: Sequence[Mapping[Any, Any]]) -> list[Estimate]:
        """The first complete cell minus each of the others, where the first is the best of them.

        Which one is the best depends on the figures, so with three trials or more the intervals
        are those of all pairs (Tukey), of which these are some. Of two it is `difference`.
        """
        return self._from_first([cell["trial_id"] for cell in cells], "pairs")

    def of_changes(self, ours: Ends, others: Ends) -> Estimate | None:
        """The change of one method between the ends of an axis minus that of a second method.

        Each change is paired over seeds; None if its two trials do not have the same replicates of
        one seed.
        """
        trials = [(start["trial_id"], last["trial_id"]) for start, last in (ours, others)]
        if not all(self._share_seeds(*each) for each in trials):
            return None
        first, second = (self.of(last) - self.of(start) for start, last in trials)
        both = _on_the_same_data(*(self._changes(*each) for each in trials))
        is_paired = self._share_seeds(trials[0][0], trials[1][0])
        compare = paired_difference if is_paired else unpaired_difference
        same = all(self._are_equal(*pair) for pair in zip(*trials, strict=True))
        return replace(compare(first, second, both), same=same)

    def first_equal(self, trials: Iterable[str]) -> dict[str, str]:
        """For each trial the first one with the same values in every replicate, mostly itself.

        A trial without values of datapoints can be equal to several that differ in them; it counts
        as the first of these.
        """
        found: dict[str, str] = {}
        for trial in dict.fromkeys(trials):
            firsts = dict.fromkeys(found.values())
            earlier = (other for other in firsts if self._are_equal(other, trial))
            found[trial] = next(earlier, trial)
        return found

    def _from_first(self, trials: Sequence[str], kind: Kind) -> list[Estimate]:
        """The first trial minus each of the others, their variance over seeds pooled if paired.

        Trials with the same values count once: a copy adds nothing to the pooled variance and is
        no further comparison.
        """
        first, equals = trials[0], self.first_equal(trials)
        distinct = dict.fromkeys(equals[trial] for trial in trials[1:])
        others = [trial for trial in distinct if trial != first]
        family = Family(kind, len(others) + (kind == "pairs"))
        paired = [trial for trial in (first, *others) if self._share_seeds(first, trial)]
        means = {trial: self.of(trial) for trial in paired}
        pool = pool_of(means)
        found = {first: self._difference((first, first), ONE)} if first in distinct else {}
        for other in others:
            if other in means:
                both = self._both(first, other)
                found[other] = pool.difference((first, other), means, both, family)
            else:
                found[other] = self._difference((first, other), family)
        return [found[equals[trial]] for trial in trials[1:]]

    def _difference(self, trials: tuple[str, str], family: Family) -> Estimate:
        compare = paired_difference if self._share_seeds(*trials) else unpaired_difference
        first, second = trials
        return compare(self.of(first), self.of(second), self._both(first, second), family)

    def _are_equal(self, first: str, second: str) -> bool:
        """Whether two trials of one seed have the same values in every replicate."""
        ours, others = self.of(first), self.of(second)
        # Values of datapoints are read only if the means do not differ.
        return (
            self._share_seeds(first, second)
            and equal(ours, others, None)
            and equal(ours, others, self._both(first, second))
        )

    def _share_seeds(self, first: str, second: str) -> bool:
        """Whether two trials have the same replicates of one seed."""
        one_seed = self._seeds[first] == self._seeds[second]
        return one_seed and list(self._of_trial[first]) == list(self._of_trial[second])

    def _both(self, first: str, second: str) -> tuple[Values, Values] | None:
        """The values of two trials on the same datapoints, if they are known."""
        return _on_the_same_data(self.values(first), self.values(second))

    def _changes(self, start: str, last: str) -> Values | None:
        """The `[R, N]` changes of single datapoints, if they are known."""
        both = self._both(last, start)
        return np.subtract(*both, dtype=np.float64) if both else None


def _on_the_same_data(ours: Values | None, others: Values | None) -> tuple[Values, Values] | None:
    """Two tables of values of the same datapoints; None if they are not known."""
    if ours is None or others is None or ours.shape[1] != others.shape[1]:
        return None
    return ours, others
