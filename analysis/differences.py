"""Differences of test log p between two trials of a study, paired by replicate if possible."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.labels import LOG_P
from analysis.statistics import Difference, paired_difference, unpaired_difference
from gmm_study.study.plan import Plan


class LogP:
    """The test log p of the planned replicates (`join`) by trial, in nats."""

    def __init__(self, plan: Plan, rows: pd.DataFrame) -> None:
        self._seeds = {t.config.trial_id: t.config.hyperparameters.seed for t in plan.trials}
        once = rows.drop_duplicates(["trial_id", "replicate"])
        columns = (once[name].tolist() for name in ("trial_id", "replicate", LOG_P))
        by_trial: dict[str, dict[int, float]] = {}
        for trial_id, replicate, value in zip(*columns, strict=True):
            by_trial.setdefault(trial_id, {})[int(replicate)] = float(value)
        self._of_trial = by_trial

    def of(self, trial_id: str) -> pd.Series:
        """The values of a trial, indexed by replicate."""
        return pd.Series(self._of_trial[trial_id])

    def difference(self, first: Mapping[Any, Any], second: Mapping[Any, Any]) -> Difference:
        """The trial of the first complete cell minus that of the second.

        Paired if both trials have the same replicates of one seed, which share data order and
        noise; otherwise Welch's.
        """
        ids = first["trial_id"], second["trial_id"]
        ours, others = map(self.of, ids)
        one_seed = self._seeds[ids[0]] == self._seeds[ids[1]]
        if one_seed and set(ours.index) == set(others.index):
            return paired_difference(ours, others)
        return unpaired_difference(ours, others)
