"""Validation of some replicates: the mean of every estimate, and the criterion by which they stop.

Every validation uses the same random numbers. The best epoch is then the one with the best
parameters, not the one with the luckiest samples.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from gmm_study.estimators import estimate_bound
from gmm_study.models import Model, RandomStreams
from gmm_study.objectives import Objective
from gmm_study.training.build import build_objective
from gmm_study.training.ending import CRITERION, criterion_of
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.passes import rows_of_a_pass


class Validation:
    """Estimates on validation data `[N, D]`, with the K of training.

    If the criterion has a K of its own, it is estimated too, as `criterion`.
    """

    def __init__(self, settings: Hyperparameters, replicates: Sequence[int]) -> None:
        self.settings, self.replicates = settings, list(replicates)
        self.criterion = criterion_of(settings)
        self._own: Objective | None = None
        if settings.criterion_samples is not None:
            own = replace(settings, samples=settings.criterion_samples)
            self._own = build_objective(own)

    def estimates(self, objective: Objective, model: Model, data: Tensor) -> dict[str, Tensor]:
        """The mean over the data of every estimate of the objective, each `[R]`."""
        found = self._means(objective, model, data)
        if self._own is not None:
            found[CRITERION] = self._means(self._own, model, data)[self.settings.criterion]
        return found

    def _means(self, objective: Objective, model: Model, data: Tensor) -> dict[str, Tensor]:
        device = model.parameters.flat.device
        streams = RandomStreams(self.settings.seed, self.replicates, "validation", device)
        rows = rows_of_a_pass(device.type == "cuda", len(self.replicates))
        estimates = estimate_bound(objective, model, data, streams, rows)
        return {name: values.mean(1) for name, values in estimates.items()}
