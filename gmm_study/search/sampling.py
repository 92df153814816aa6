"""Optuna's samplers and pruners for the search of a cell.

The generator of every proposal is seeded by the cell and the proposal's number, so a search that
is continued draws what it would have drawn, without drawing all earlier proposals once more: with
tpe, whose draws take longer the more trials there are, that would take minutes for thousands.
"""

import warnings
from hashlib import sha256
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler
from optuna.study import Study as OptunaStudy
from optuna.trial import FrozenTrial

from gmm_study.study.plan import Cell
from gmm_study.study.strategies import (
    AshaScheduler,
    CmaEsSearch,
    MedianScheduler,
    Scheduler,
    TpeSearch,
)


class SeededSampler(BaseSampler):
    """Draws each axis of a cell by tpe, or at random; depends on nothing but the trials so far.

    Draws are rounded, as they are trained.
    """

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._axes = cell.study.drawn
        self._number = -1
        self._sampler: BaseSampler = RandomSampler()

    def infer_relative_search_space(
        self, study: OptunaStudy, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Nothing: every axis is drawn by itself."""
        return {}

    def sample_relative(
        self, study: OptunaStudy, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing: every axis is drawn by itself."""
        return {}

    def sample_independent(
        self,
        study: OptunaStudy,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A value of an axis."""
        if trial.number != self._number:
            self._number, self._sampler = trial.number, self._seeded(trial.number)
        value = self._sampler.sample_independent(study, trial, param_name, param_distribution)
        return self._axes[param_name].rounded(value)

    def _seeded(self, number: int) -> BaseSampler:
        seed = int.from_bytes(sha256(f"{self._cell.key} {number}".encode()).digest()[:4])
        search = self._cell.study.search
        if isinstance(search, TpeSearch):
            return TPESampler(seed=seed, n_startup_trials=search.startup_trials)
        return RandomSampler(seed=seed)


def sampler_of(cell: Cell) -> BaseSampler:
    """The sampler of a cell's search.

    CMA-ES alone has a state, which only its draws restore, and they take the same time each.
    """
    if not isinstance(cell.study.search, CmaEsSearch):
        return SeededSampler(cell)
    seed = int(cell.key[:8], 16)
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        return CmaEsSampler(
            seed=seed,
            independent_sampler=RandomSampler(seed=seed),
            warn_independent_sampling=False,
            consider_pruned_trials=isinstance(cell.study.scheduler, Scheduler),
        )


def pruner_of(cell: Cell) -> optuna.pruners.BasePruner:
    """The pruner that decides at the milestones of a cell's trials.

    Its steps are epochs; where the grace is a share of them, they are multiples of the grace.
    """
    scheduler = cell.study.prolonged_scheduler
    if isinstance(scheduler, AshaScheduler):
        return optuna.pruners.SuccessiveHalvingPruner(
            min_resource=1 if scheduler.is_share else int(scheduler.grace_epochs),
            reduction_factor=scheduler.reduction_factor,
        )
    if isinstance(scheduler, MedianScheduler):
        return optuna.pruners.MedianPruner(n_startup_trials=scheduler.startup_trials)
    return optuna.pruners.NopPruner()
