"""The figures of a checkpoint: estimates at several K, and exact ones of a small model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, cast

from torch import Tensor

from gmm_study.estimators import (
    INNER_SAMPLES,
    estimate_log_p,
    estimate_log_z2,
    summarise,
    with_p_star,
)
from gmm_study.exact import exact_log_likelihoods, why_no_exact_z, why_not_exact
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.training.checkpoint import Checkpoint

EXACT = "exact"
"""Stands in a row for K where the figures are sums over all states."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Assessment:
    """Which figures of a checkpoint's replicates to estimate, and from how many samples.

    A row of figures is `replicate`, `samples` (the evaluation's K), and figures in nats or, for
    `ess` and `ess_star`, as fractions of K, each with its `..._se` over datapoints; None if not
    finite.
    """

    checkpoint: Checkpoint
    data: Tensor
    """`[N, D]` of 0/1, on the device of the model."""
    replicates: Sequence[int]
    evaluation_samples: Sequence[int]
    """The values of K, each of which gives a row."""
    z_samples: int
    """Samples of p for 2 log Z, if the method has a p*; 0 leaves it out."""
    seed: int = 0
    chunk_rows: int = 4000

    @property
    def has_p_star(self) -> bool:
        """Whether the checkpoint's method has a p*, as gmm."""
        return self.checkpoint.hyperparameters.declaration.has_p_star

    @property
    def sample_rows(self) -> int:
        """The total of the sample rows that `estimates` passes to `watch`."""
        of_data = len(self.data) * sum(self.evaluation_samples)
        return len(self.replicates) * (of_data + self.z_samples * INNER_SAMPLES)

    def estimates(self, watch: Callable[[int], object] = lambda rows: None) -> list[Row]:
        """A row for every replicate and K; calls `watch` with each number of rows it finishes."""
        return [row for index in self.replicates for row in self._estimates_of(index, watch)]

    def exact(self) -> tuple[list[Row], str | None]:
        """A row for every replicate, and why some figures, or all, are missing."""
        found = []
        for index in self.replicates:
            model = self.checkpoint.model([index], self.data.device)
            reason = why_not_exact(model)
            if reason:
                return [], reason
            values = exact_log_likelihoods(model, self.data)
            log_z2 = values.pop("log_z2", None)
            figures = summarise(values, self.has_p_star)
            if log_z2 is not None and self.has_p_star:
                figures |= {"log_z2": log_z2.item(), "log_z2_se": 0.0}
            found.append({"replicate": index, "samples": EXACT, **_finite(figures)})
        return found, why_no_exact_z(model) if self.has_p_star else None

    def _estimates_of(self, index: int, watch: Callable[[int], object]) -> list[Row]:
        model = self.checkpoint.model([index], self.data.device)
        z: tuple[Tensor, Tensor] | None = None
        if self.z_samples:
            network, streams = cast(SigmoidBeliefNetwork, model), self._streams(index, "log_z2")
            z = estimate_log_z2(network, self.z_samples, streams, self.chunk_rows, watch)
        found = []
        for count in self.evaluation_samples:
            streams = self._streams(index, str(count))
            values = estimate_log_p(model, self.data, count, streams, self.chunk_rows, watch)
            figures = summarise(values, self.has_p_star)
            if z:
                figures = with_p_star(figures, *z)
            found.append({"replicate": index, "samples": count, **_finite(figures)})
        return found

    def _streams(self, replicate: int, purpose: str) -> RandomStreams:
        return RandomStreams(self.seed, [replicate], f"evaluate {purpose}", self.data.device)


def _finite(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if isfinite(value) else None for name, value in figures.items()}
