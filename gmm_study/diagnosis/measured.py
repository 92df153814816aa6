"""What is measured of the model of one replicate, for the rules on models; each once, if asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gmm_study.data import Dataset, independent_log_likelihoods
from gmm_study.diagnosis.refined import can_be_refined, gain_of_refining
from gmm_study.diagnosis.units import Layer, layers_of
from gmm_study.estimators import estimate_bound, estimate_log_p
from gmm_study.estimators.gradient_quality import (
    GradientQuality,
    Target,
    draw_gradients,
    gradient_quality,
)
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork, VariationalAutoencoder
from gmm_study.training.build import build_objective
from gmm_study.training.checkpoint import Checkpoint
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.margin import MARGIN

REFINED_ROWS = 100
"""Validation rows for which q is refined, at most."""
REPEATS = 20
"""Independent estimates of the bound of every row, of which the mean is taken: with the K of
training, a single one is noisy."""


@dataclass(frozen=True)
class Mean:
    """A mean over datapoints and its standard error."""

    value: float
    error: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Mean":
        """The mean of `[N]`; its error is NaN for one value."""
        error = values.std(ddof=1) / sqrt(len(values)) if len(values) > 1 else np.nan
        return cls(float(values.mean()), float(error))

    def less(self, other: "Mean") -> "Mean":
        """The difference from the mean of other datapoints."""
        return Mean(self.value - other.value, float(np.hypot(self.error, other.error)))


@dataclass(frozen=True)
class Likelihoods:
    """log p with many samples, and by how much it exceeds the bound with the K of training.

    All are means in nats, of as many training rows as validation rows. `valid_gain_of_samples` is
    by how much the limit of that bound with many samples exceeds it on validation rows: of a method
    with a p*, such as gmm, log ptilde, which can be below log p with any K; of others, log p.
    """

    rows: int
    samples: int
    """The large K."""
    train_log_p: Mean
    valid_log_p: Mean
    train_gap: Mean
    valid_gap: Mean
    valid_gain_of_samples: Mean
    independent: float
    """log p of the validation rows if all pixels were independent."""

    @property
    def learned(self) -> float:
        """What the model gains over independent pixels, at least 0."""
        return max(self.valid_log_p.value - self.independent, 0.0)


class Measured:
    """Measurements of the model of one replicate on its data, on a device.

    `samples` is the large K, `datapoints` the number of rows of each split (at most those there
    are), drawn at random. `watch` is called with the number of sample rows of each finished chunk.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        replicate: int,
        dataset: Dataset,
        samples: int,
        datapoints: int,
        draws: int,
        seed: int = 0,
        chunk_rows: int = 4000,
        device: str = "cpu",
        margin: float = MARGIN,
        watch: Callable[[int], object] = lambda rows: None,
    ) -> None:
        self.checkpoint, self.replicate, self.dataset = checkpoint, replicate, dataset
        self.samples, self.draws, self.seed = samples, draws, seed
        self.chunk_rows, self.margin, self.watch = chunk_rows, margin, watch
        self.device = torch.device(device)
        self.model = checkpoint.model([replicate], self.device)
        count = min(datapoints, len(dataset.train), len(dataset.valid))
        self.train, self.valid = (
            self._some(rows, count, name)
            for name, rows in (("train", dataset.train), ("valid", dataset.valid))
        )

    @property
    def settings(self) -> Hyperparameters:
        """The settings of the last stage of the training."""
        return self.checkpoint.hyperparameters.stage_list[-1]

    @cached_property
    def likelihoods(self) -> Likelihoods:
        """Of as many training rows as validation rows."""
        train_log_p, train_gap, _ = self._of_rows(self.train, "train")
        valid_log_p, valid_gap, of_samples = self._of_rows(self.valid, "valid")
        rows = self.valid.cpu().numpy()
        independent = independent_log_likelihoods(self.dataset.train, rows).mean()
        means = train_log_p, valid_log_p, train_gap, valid_gap, of_samples
        return Likelihoods(len(rows), self.samples, *means, float(independent))

    @cached_property
    def gain_of_refining(self) -> Mean | None:
        """What the bound gains if q is refined for each validation row; None if it cannot be."""
        if not can_be_refined(self.model):
            return None
        rows, streams = self.valid[:REFINED_ROWS], self._streams("refining")
        gain = gain_of_refining(self.settings, self.model, rows, streams)
        self.watch(self.refining_rows)
        return None if gain is None else Mean.of(gain.numpy())

    @cached_property
    def layers(self) -> list[Layer]:
        """Its latent layers on validation rows."""
        return layers_of(self.model, self.valid, self._streams("units"))

    @cached_property
    def gradient_of_q(self) -> dict[str, GradientQuality]:
        """The signal of a step's gradient in each layer of q; empty if its layers are not known.

        The batch is one of training rows, of the size that training uses.
        """
        groups = self._parts_of_q()
        if not groups:
            return {}
        objective, streams = build_objective(self.settings), self._streams("gradients")
        size = min(self.settings.batch_size, len(self.dataset.train))
        batch = self._some(self.dataset.train, size, "batch").to(self.model.parameters.flat.dtype)
        draws = draw_gradients(objective, self.model, batch, self.draws, streams)
        none = Target.exact(torch.zeros_like(self.model.parameters.flat[0]))
        return gradient_quality(draws, self.draws, none, groups)

    @property
    def refining_rows(self) -> int:
        """The sample rows that count for refining q in `watch`."""
        rows = min(REFINED_ROWS, len(self.valid))
        return rows * self.samples if can_be_refined(self.model) else 0

    @property
    def sample_rows(self) -> int:
        """The total number of sample rows that all measurements will pass to `watch`."""
        return 2 * len(self.valid) * self.samples + self.refining_rows

    def _parts_of_q(self) -> Mapping[str, Tensor]:
        """The numbers of the parameters of each layer of q."""
        if not isinstance(self.model, SigmoidBeliefNetwork | VariationalAutoencoder):
            return {}
        parts = self.model.parts()
        return {part: entries for part, entries in parts.items() if part.startswith("q(")}

    def _of_rows(self, rows: Tensor, purpose: str) -> tuple[Mean, Mean, Mean]:
        """log p of rows, and by how much it and the limit of their bound exceed that bound."""
        streams = self._streams(purpose)
        chunk, watch = self.chunk_rows, self.watch
        many = estimate_log_p(self.model, rows, self.samples, streams, chunk, watch)
        limit = "log_p_tilde" if self.settings.declaration.has_p_star else "log_p"
        objective = build_objective(self.settings)
        bounds = [
            estimate_bound(objective, self.model, rows, streams, chunk)["bound"]
            for _ in range(REPEATS)
        ]
        bound = torch.stack(bounds).mean(0)
        log_p = many["log_p"]
        values, gaps, gains = (
            Mean.of(each[0].double().cpu().numpy())
            for each in (log_p, log_p - bound, many[limit] - bound)
        )
        return values, gaps, gains

    def _some(self, rows: NDArray[np.uint8], count: int, purpose: str) -> Tensor:
        """So many rows, drawn at random without repeats."""
        streams = RandomStreams(self.seed, [self.replicate], f"diagnose rows {purpose}")
        chosen = streams.permutations(len(rows))[0, :count].numpy()
        return torch.from_numpy(rows[chosen]).to(self.device)

    def _streams(self, purpose: str) -> RandomStreams:
        return RandomStreams(self.seed, [self.replicate], f"diagnose {purpose}", self.device)
