"""Training of all replicates, epoch by epoch: validation, early stopping, best parameters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from gmm_study.data import Dataset
from gmm_study.models import Model
from gmm_study.training.build import build_model
from gmm_study.training.group import ReplicateGroup
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.schedule import learning_rate
from gmm_study.training.state import TrialState


@dataclass
class Replicate:
    """The progress of one seed of the trial."""

    index: int
    state: TrialState = TrialState.RUNNING
    epoch: int = 0
    best_epoch: int = 0
    best_bound: float = -torch.inf
    best_parameters: Tensor | None = None
    """`[P]`, of the epoch with the best validation bound."""
    seconds: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)
    """Rows of epoch, split, metric and value."""


class Trainer:
    """Trains R replicates of one configuration, epoch by epoch.

    On a CPU the replicates step one at a time, because a batched product would not fit into the
    cache; on a GPU they step together. The random numbers are the same. A replicate that has
    stopped takes no further time.
    """

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        dataset: Dataset,
        replicates: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        self.hyperparameters = hyperparameters
        self.dataset = dataset
        self.device = torch.device(device)
        self.train_data = torch.from_numpy(dataset.train).to(self.device)
        self.valid_data = torch.from_numpy(dataset.valid).to(self.device)
        self.replicates = {index: Replicate(index) for index in replicates}
        self.groups = [self.new_group(indices) for indices in self.side_by_side(replicates)]

    @property
    def finished(self) -> bool:
        """Whether every replicate has ended."""
        return not self.groups

    @torch.no_grad()
    def train_epoch(self) -> None:
        """Train every running replicate for one epoch, validate it, and end those that are done."""
        remaining = []
        for group in self.groups:
            started = perf_counter()
            epoch = self.replicates[group.replicates[0]].epoch + 1
            group.optimizer.set_learning_rate(learning_rate(self.hyperparameters, epoch))
            train_bound = group.train_epoch(self.train_data)
            estimates = group.validate(self.valid_data)
            train, *valid = torch.stack([train_bound, *estimates.values()]).tolist()
            values = dict(zip(estimates, valid, strict=True))
            seconds = (perf_counter() - started) / len(group.replicates)
            for row, index in enumerate(group.replicates):
                replicate = self.replicates[index]
                replicate.seconds += seconds
                its_own = {name: of_all[row] for name, of_all in values.items()}
                self._close_epoch(replicate, train[row], its_own, group, row)
            running = [
                row
                for row, index in enumerate(group.replicates)
                if self.replicates[index].state is TrialState.RUNNING
            ]
            if len(running) == len(group.replicates):
                remaining.append(group)
            elif running:
                remaining.append(group.select(running, self.dataset.dims))
        self.groups = remaining

    def best_model(self, indices: Sequence[int] | None = None) -> Model:
        """The model with the parameters of the best epoch, of some or all replicates."""
        chosen = list(self.replicates) if indices is None else list(indices)
        model = build_model(self.hyperparameters, self.dataset.dims, chosen, self.device)
        for row, index in enumerate(chosen):
            best = self.replicates[index].best_parameters
            model.parameters.flat[row] = nan if best is None else best.to(self.device)
        return model

    def resume(self, replicates: Sequence[Replicate], states: dict[int, dict[str, Tensor]]) -> None:
        """Continue replicates where they stopped; `states` holds those that are still running.

        Replicates of this trainer that are not among them start with their first epoch.
        """
        self.replicates |= {replicate.index: replicate for replicate in replicates}
        running = [r for r in self.replicates.values() if r.state is TrialState.RUNNING]
        self.groups = []
        for epoch in sorted({replicate.epoch for replicate in running}):
            peers = [replicate.index for replicate in running if replicate.epoch == epoch]
            for indices in self.side_by_side(peers):
                group = self.new_group(indices)
                if epoch > 0:
                    group.restore([states[index] for index in indices])
                self.groups.append(group)

    def side_by_side(self, replicates: Sequence[int]) -> list[list[int]]:
        """The replicates in groups that are trained together on this device."""
        if self.device.type == "cpu":
            return [[index] for index in replicates]
        return [list(replicates)] if replicates else []

    def new_group(self, indices: Sequence[int]) -> ReplicateGroup:
        """Some replicates as a group at their first epoch."""
        return ReplicateGroup(self.hyperparameters, self.dataset.dims, indices, self.device)

    def _close_epoch(
        self,
        replicate: Replicate,
        train_bound: float,
        valid: dict[str, float],
        group: ReplicateGroup,
        row: int,
    ) -> None:
        replicate.epoch += 1
        values = {"train": {"bound": train_bound}, "valid": valid}
        replicate.curve += [
            {"epoch": replicate.epoch, "split": split, "metric": metric, "value": value}
            for split, metrics in values.items()
            for metric, value in metrics.items()
        ]
        if not (isfinite(train_bound) and isfinite(valid["bound"])):
            replicate.state = TrialState.DIVERGED
            return
        if valid["bound"] > replicate.best_bound:
            replicate.best_bound = valid["bound"]
            replicate.best_epoch = replicate.epoch
            replicate.best_parameters = group.parameters_of(row)
        waited = replicate.epoch - replicate.best_epoch
        if (
            waited >= self.hyperparameters.patience
            or replicate.epoch >= self.hyperparameters.max_epochs
        ):
            replicate.state = TrialState.COMPLETE
