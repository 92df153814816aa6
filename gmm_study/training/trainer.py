"""Training of all replicates, epoch by epoch and stage by stage: validation, best parameters."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from math import isfinite, nan
from time import perf_counter

import torch
from torch import Tensor

from gmm_study.data import Dataset
from gmm_study.models import Model
from gmm_study.training.build import build_model
from gmm_study.training.ending import AVERAGED, criterion_of
from gmm_study.training.group import ReplicateGroup
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.replicate import Replicate, must_validate
from gmm_study.training.schedule import can_be_continued
from gmm_study.training.state import CONTINUABLE, Ending, TrialState


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
        self.stages = hyperparameters.stage_list
        self.dataset = dataset
        self.device = torch.device(device)
        self.train_data = torch.from_numpy(dataset.train).to(self.device)
        self.valid_data = torch.from_numpy(dataset.valid).to(self.device)
        self.replicates = {index: Replicate(index) for index in replicates}
        self.final_states: dict[int, dict[str, Tensor]] = {}
        """The states of the replicates that a training with higher limits can continue."""
        self.start_anew()

    def start_anew(self) -> None:
        """Put every replicate at its first epoch."""
        self.replicates = {index: Replicate(index) for index in self.replicates}
        self.final_states = {}
        self.groups = [self.new_group(peers) for peers in self.side_by_side([*self.replicates])]

    def leave_out(self, replicates: Collection[int]) -> None:
        """Forget some replicates, which are then neither trained nor in a checkpoint."""
        self.replicates = {
            index: each for index, each in self.replicates.items() if index not in replicates
        }
        kept = [
            (group, [row for row, index in enumerate(group.replicates) if index not in replicates])
            for group in self.groups
        ]
        self.groups = [rest for group, rows in kept for rest in self._part(group, rows)]

    @property
    def is_fresh(self) -> bool:
        """Whether no replicate has been trained yet."""
        return all(replicate.epoch == 0 for replicate in self.replicates.values())

    @torch.no_grad()
    def start_from(self, parameters: Mapping[int, Tensor]) -> None:
        """Give replicates that are at their first epoch other initial parameters `[P]`."""
        for group in self.groups:
            for row, index in enumerate(group.replicates):
                if index in parameters and self.replicates[index].epoch == 0:
                    group.model.parameters.flat[row] = parameters[index].to(self.device)

    @property
    def finished(self) -> bool:
        """Whether every replicate has ended."""
        return not self.groups

    @torch.no_grad()
    def train_epoch(self) -> None:
        """Train every running replicate for one epoch, validate it, and end those that are done."""
        self.groups = [rest for group in self.groups for rest in self._train_group(group)]

    def settings_of(self, index: int) -> Hyperparameters:
        """The settings of the stage that a replicate has reached."""
        return self.stages[self.replicates[index].stage]

    def best_model(self, indices: Sequence[int] | None = None) -> Model:
        """The model with the parameters of the best epoch, of some or all replicates."""
        chosen = list(self.replicates) if indices is None else list(indices)
        model = build_model(self.hyperparameters, self.dataset.dims, chosen, self.device)
        for row, index in enumerate(chosen):
            best = self.replicates[index].best_parameters
            model.parameters.flat[row] = nan if best is None else best.to(self.device)
        return model

    def resume(self, replicates: Sequence[Replicate], states: dict[int, dict[str, Tensor]]) -> None:
        """Continue replicates where they stopped; `states` holds those that can go on.

        Replicates of this trainer that are not among them start with their first epoch.
        """
        self.replicates |= {replicate.index: replicate for replicate in replicates}
        ended = [each.index for each in replicates if each.state is not TrialState.RUNNING]
        self.final_states = {index: states[index] for index in ended if states.get(index)}
        running = [r for r in self.replicates.values() if r.state is TrialState.RUNNING]
        self.groups = []
        for place in sorted({replicate.place for replicate in running}):
            peers = [replicate.index for replicate in running if replicate.place == place]
            for indices in self.side_by_side(peers):
                group = self.new_group(indices, self.replicates[indices[0]].stage)
                if self.replicates[indices[0]].epoch > 0:
                    group.restore([states[index] for index in indices])
                self.groups.append(group)

    def side_by_side(self, replicates: Sequence[int]) -> list[list[int]]:
        """The replicates in groups that are trained together on this device."""
        if self.device.type == "cpu":
            return [[index] for index in replicates]
        return [list(replicates)] if replicates else []

    def new_group(self, indices: Sequence[int], stage: int = 0) -> ReplicateGroup:
        """Some replicates as a group at the first epoch of a stage."""
        return ReplicateGroup(self.stages[stage], self.dataset.dims, indices, self.device)

    def _train_group(self, group: ReplicateGroup) -> list[ReplicateGroup]:
        """Train a group for one epoch; gives the groups of those that go on, if any."""
        replicates = [self.replicates[index] for index in group.replicates]
        settings, epoch = group.hyperparameters, replicates[0].epoch_in_stage + 1
        started, rate = perf_counter(), group.begin_epoch(epoch)
        estimates = {"train": group.train_epoch(self.train_data)}
        validated = must_validate(settings, epoch, max(each.seconds for each in replicates))
        if validated:
            estimates |= group.validate(self.valid_data)
        values = _by_replicate(estimates)
        seconds = (perf_counter() - started) / len(replicates)
        moving, needed = [], ("bound", criterion_of(settings))
        for row, (replicate, found) in enumerate(zip(replicates, values, strict=True)):
            train = found.pop("train")
            replicate.epoch += 1
            replicate.seconds += seconds
            shown = {"bound": train, "learning_rate": rate, "seconds": replicate.seconds}
            replicate.add_rows("train", shown)
            replicate.add_rows("valid", found)
            if not all(map(isfinite, (train, *(found[name] for name in needed if found)))):
                replicate.end(Ending.DIVERGED)
            elif validated:
                self._keep_the_better(replicate, found, group, row)
                if self._ends_its_stage(replicate, settings):
                    moving.append(row)
                if replicate.ending in CONTINUABLE and can_be_continued(self.hyperparameters):
                    self.final_states[replicate.index] = group.row_state(row)
        return [*self._staying(group, moving), *self._next_stage(group, moving)]

    def _keep_the_better(
        self, replicate: Replicate, found: Mapping[str, float], group: ReplicateGroup, row: int
    ) -> None:
        """Keep the raw or the averaged parameters of an epoch, if one of them is the best so far.

        They are named only if some stage has an average.
        """
        criterion = criterion_of(group.hyperparameters)
        two_kinds = any(stage.parameter_average != "none" for stage in self.stages)
        parameters = partial(group.parameters_of, row)
        raw = "raw" if two_kinds else None
        replicate.keep_if_better(found[criterion], found["bound"], parameters, raw)
        if f"bound{AVERAGED}" in found:
            values = found[f"{criterion}{AVERAGED}"], found[f"bound{AVERAGED}"]
            replicate.keep_if_better(*values, partial(group.averaged_of, row), "averaged")

    def _ends_its_stage(self, replicate: Replicate, settings: Hyperparameters) -> bool:
        """End a replicate that is done; gives whether it goes on to a further stage instead."""
        ending = replicate.why_to_end(settings)
        if ending is None:
            return False
        if ending is not Ending.TIME and replicate.stage + 1 < len(self.stages):
            return True
        replicate.end(ending)
        return False

    def _staying(self, group: ReplicateGroup, moving: Sequence[int]) -> list[ReplicateGroup]:
        """The group of the replicates that go on in their stage; none if there are none."""
        rows = [
            row
            for row, index in enumerate(group.replicates)
            if self.replicates[index].state is TrialState.RUNNING and row not in moving
        ]
        return self._part(group, rows)

    def _part(self, group: ReplicateGroup, rows: Sequence[int]) -> list[ReplicateGroup]:
        """The group of some replicates of a group; none if there are none."""
        if len(rows) == len(group.replicates):
            return [group]
        return [group.select(rows, self.dataset.dims)] if rows else []

    def _next_stage(self, group: ReplicateGroup, rows: Sequence[int]) -> list[ReplicateGroup]:
        """Some replicates of a group at the start of their next stage; none if none is left.

        They begin with the parameters that they kept. These are validated first, so that a stage
        that only makes them worse leaves them as they were.
        """
        if not rows:
            return []
        started = perf_counter()
        replicates = [self.replicates[group.replicates[row]] for row in rows]
        following = self.new_group([each.index for each in replicates], replicates[0].stage + 1)
        kept = [each.best_parameters for each in replicates if each.best_parameters is not None]
        following.begin_stage(kept, [group.row_state(row) for row in rows])
        values = _by_replicate(following.validate(self.valid_data))
        seconds = (perf_counter() - started) / len(replicates)
        for replicate, found in zip(replicates, values, strict=True):
            replicate.seconds += seconds
            replicate.begin_stage(found[criterion_of(following.hyperparameters)], found["bound"])
        return self._staying(following, [])


def _by_replicate(estimates: Mapping[str, Tensor]) -> list[dict[str, float]]:
    """The estimates, `[R]` each, as numbers for each replicate; the host waits for them once."""
    rows: list[list[float]] = torch.stack(list(estimates.values()), dim=1).tolist()
    return [dict(zip(estimates, row, strict=True)) for row in rows]
