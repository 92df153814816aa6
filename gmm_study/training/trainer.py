"""Training of all replicates, epoch by epoch: validation, early stopping, best parameters."""

from collections.abc import Sequence
from functools import partial
from math import isfinite, nan
from time import perf_counter

import torch
from torch import Tensor

from gmm_study.data import Dataset
from gmm_study.models import Model
from gmm_study.training.build import build_model
from gmm_study.training.group import ReplicateGroup
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.replicate import Replicate, must_validate
from gmm_study.training.schedule import learning_rate
from gmm_study.training.state import TrialState


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
        self.groups = [rest for group in self.groups for rest in self._train_group(group)]

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

    def _train_group(self, group: ReplicateGroup) -> list[ReplicateGroup]:
        """Train a group for one epoch; gives the group of those that go on, if any."""
        replicates = [self.replicates[index] for index in group.replicates]
        settings, epoch = self.hyperparameters, replicates[0].epoch + 1
        started, rate = perf_counter(), learning_rate(settings, epoch)
        group.optimizer.set_learning_rate(rate)
        group.begin_epoch(epoch)
        estimates = {"train": group.train_epoch(self.train_data)}
        validated = must_validate(settings, epoch, max(each.seconds for each in replicates))
        if validated:
            estimates |= group.validate(self.valid_data)
        values = torch.stack(list(estimates.values()), dim=1).tolist()
        seconds = (perf_counter() - started) / len(replicates)
        for row, (replicate, its_own) in enumerate(zip(replicates, values, strict=True)):
            train, *valid = its_own
            replicate.epoch = epoch
            replicate.seconds += seconds
            shown = {"bound": train, "learning_rate": rate, "seconds": replicate.seconds}
            replicate.add_rows("train", shown)
            found = dict(zip(list(estimates)[1:], valid, strict=True))
            replicate.add_rows("valid", found)
            finite = isfinite(train) and isfinite(found.get("bound", 0.0))
            if validated and finite:
                replicate.keep_if_better(found["bound"], partial(group.parameters_of, row))
            replicate.end_if_done(settings, finite, validated)
        return self._going_on(group)

    def _going_on(self, group: ReplicateGroup) -> list[ReplicateGroup]:
        """The group of the replicates that are still running; none if there are none."""
        rows = [
            row
            for row, index in enumerate(group.replicates)
            if self.replicates[index].state is TrialState.RUNNING
        ]
        if len(rows) == len(group.replicates):
            return [group]
        return [group.select(rows, self.dataset.dims)] if rows else []
