"""Replicates that are trained in step with each other.

Every parameter has a leading replicate dimension. On a GPU all replicates form one group, and each
matrix product is one batched product. On a CPU each replicate is a group of its own, because a
batched product does not fit into the cache (measured). The code is the same for both.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from gmm_study.models import RandomStreams
from gmm_study.objectives import FollowsEpochs
from gmm_study.training.average import build_average
from gmm_study.training.build import build_model, build_objective
from gmm_study.training.captured import Graphs, StepRunner, build_graphs
from gmm_study.training.ending import AVERAGED
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.optimizers import build_optimizer
from gmm_study.training.precision import matmul_precision
from gmm_study.training.schedule import learning_rate
from gmm_study.training.validation import Validation

STREAM_PURPOSES = ("order", "noise")

BuildGraphs = Callable[[Hyperparameters, torch.device, Sequence[torch.Generator]], Graphs | None]


class ReplicateGroup:
    """The parameters, optimiser and random streams of some replicates at the same epoch.

    Data are `[N, D]` tensors of 0/1 on the device. Each replicate has its own order of the data and
    its own noise, which do not depend on the other replicates of the group. If `build_graphs` gives
    anything, the steps are replays of it.
    """

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        data_dims: int,
        replicates: Sequence[int],
        device: torch.device,
        build_graphs: BuildGraphs = build_graphs,
    ) -> None:
        self.hyperparameters = hyperparameters
        self.replicates = list(replicates)
        self.model = build_model(hyperparameters, data_dims, self.replicates, device)
        self.model.initialise(
            RandomStreams(hyperparameters.seed, self.replicates, "initialisation")
        )
        self.objective = build_objective(hyperparameters)
        self._validation = Validation(hyperparameters, replicates)
        self.optimizer = build_optimizer(hyperparameters, self.model.parameters)
        self.average = build_average(hyperparameters, self.model.parameters.flat)
        self.streams = {
            purpose: RandomStreams(
                hyperparameters.seed,
                self.replicates,
                purpose,
                "cpu" if purpose == "order" else device,
            )
            for purpose in STREAM_PURPOSES
        }
        self._penalised = self._penalty_mask()
        self._total = torch.zeros(len(self.replicates), dtype=torch.float64, device=device)
        self._build_graphs = build_graphs
        self._data: Tensor | None = None
        self._runner: StepRunner | None = None

    def begin_epoch(self, epoch: int) -> float:
        """Set what depends on the epoch of the stage, from 1; returns the learning rate."""
        rate = learning_rate(self.hyperparameters, epoch)
        self.optimizer.set_learning_rate(rate)
        if isinstance(self.objective, FollowsEpochs):
            self.objective.begin_epoch(epoch)
        if self.average is not None:
            self.average.begin_epoch(epoch)
        return rate

    def train_epoch(self, data: Tensor) -> Tensor:
        """One pass over `data` `[N, D]` in a new order; returns the mean bound `[R]` in nats."""
        orders = self.streams["order"].permutations(len(data))
        if data.device.type == "cuda":
            orders = orders.pin_memory().to(data.device, non_blocking=True)
        return self.train_on(data, orders)

    def train_on(self, data: Tensor, orders: Tensor) -> Tensor:
        """One pass over `data` `[N, D]` in the orders `[R, N]`; returns mean bounds `[R]` in nats.

        The host does not wait for the GPU, except while a graph is captured.
        """
        if self._runner is None or data is not self._data:  # a graph reads the data it captured
            generators = self.streams["noise"].generators
            graphs = self._build_graphs(self.hyperparameters, data.device, generators)
            if graphs is not None:
                self.optimizer.put_rate_in_memory()
            self._runner = StepRunner(graphs)
            self._data = data
        self._total.zero_()
        batches = orders.split(self.hyperparameters.batch_size, dim=1)
        with matmul_precision(self.hyperparameters.matmul_precision):
            self._runner.run(partial(self._step, data), batches)
        return self._total / len(data)

    def validate(self, data: Tensor) -> dict[str, Tensor]:
        """Mean of every estimate over `data` `[N, D]`, each `[R]`, with the K of training.

        If there is an average of the parameters, its bound and criterion have names that end in
        `_averaged`.
        """
        found = self._validation.estimates(self.objective, self.model, data)
        if self.average is not None and self.average.begun:
            with self.average.in_place_of_raw():
                averaged = self._validation.estimates(self.objective, self.model, data)
            for name in dict.fromkeys(("bound", self._validation.criterion)):
                found[f"{name}{AVERAGED}"] = averaged[name]
        return found

    def parameters_of(self, row: int) -> Tensor:
        """A copy of one replicate's parameters, `[P]`, on the CPU."""
        return self.model.parameters.flat[row].detach().cpu().clone()

    def averaged_of(self, row: int) -> Tensor:
        """A copy of one replicate's averaged parameters, `[P]`, on the CPU."""
        assert self.average is not None
        return self.average.value[row].detach().cpu().clone()

    def row_state(self, row: int) -> dict[str, Tensor]:
        """Everything that one replicate needs to continue as if it had never stopped."""
        state = {"parameters": self.parameters_of(row)}
        for name, value in self.optimizer.row_state(row).items():
            state[f"optimizer.{name}"] = value.cpu()
        if self.average is not None:
            for name, value in self.average.row_state(row).items():
                state[f"average.{name}"] = value.cpu()
        for purpose, streams in self.streams.items():
            state[f"stream.{purpose}"] = streams.generators[row].get_state()
        return state

    def restore(self, states: Sequence[Mapping[str, Tensor]]) -> None:
        """Set the state of every row; the reverse of `row_state`."""
        parameters = self.model.parameters
        parameters.flat.copy_(torch.stack([state["parameters"] for state in states]))
        self.optimizer.restore([_part(state, "optimizer.") for state in states])
        if self.average is not None:
            self.average.restore([_part(state, "average.") for state in states])
        self._restore_streams(states)
        self._runner = None  # the old graphs may not fit the new state

    def begin_stage(
        self, parameters: Sequence[Tensor], states: Sequence[Mapping[str, Tensor]]
    ) -> None:
        """Start a new group from given parameters `[P]` of each row, with streams that go on.

        `states` are the `row_state` of the rows in the stage before.
        """
        self.model.parameters.flat.copy_(torch.stack(list(parameters)))
        self._restore_streams(states)

    def _restore_streams(self, states: Sequence[Mapping[str, Tensor]]) -> None:
        for purpose, streams in self.streams.items():
            streams.restore([state[f"stream.{purpose}"] for state in states])

    def select(self, rows: Sequence[int], data_dims: int) -> "ReplicateGroup":
        """The group of some of its replicates, which continue where they are."""
        chosen = ReplicateGroup(
            self.hyperparameters,
            data_dims,
            [self.replicates[row] for row in rows],
            self.model.parameters.flat.device,
            self._build_graphs,
        )
        chosen.restore([self.row_state(row) for row in rows])
        return chosen

    def _step(self, data: Tensor, indices: Tensor) -> None:
        """Train on the datapoints at `indices` `[R, B]`, under the rules of `captured.Step`."""
        parameters = self.model.parameters
        batch = data.index_select(0, indices.flatten()).to(parameters.flat.dtype)
        batch = batch.view(*indices.shape, -1)
        parameters.grad.zero_()
        bound = self.objective.add_gradient(self.model, batch, self.streams["noise"])
        self._add_penalty_gradient()
        self.optimizer.step()
        if self.average is not None:
            self.average.step()
        self._total += bound.sum(1, dtype=torch.float64)

    def _penalty_mask(self) -> Tensor | None:
        """1 for a weight with a penalty, 0 for other parameters, `[P]`; None without penalties."""
        l1, l2 = self.hyperparameters.l1, self.hyperparameters.l2
        if not (l1 or l2) or not self.hyperparameters.declaration.model.penalised:
            return None
        parameters = self.model.parameters
        mask = torch.zeros_like(parameters.flat[:1])
        for name, view in parameters.views_of(mask).items():
            view.fill_(name.endswith(".weight"))
        return mask[0]

    def _add_penalty_gradient(self) -> None:
        if self._penalised is None:
            return
        l1, l2 = self.hyperparameters.l1, self.hyperparameters.l2
        flat = self.model.parameters.flat
        self.model.parameters.grad.sub_((l1 * flat.sign() + 2.0 * l2 * flat) * self._penalised)


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names have a prefix, by the rest of their names."""
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
