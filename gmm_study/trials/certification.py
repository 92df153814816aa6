"""Intervals for log p, log ptilde, 2 log Z and log p* of a checkpoint, by annealing.

The number of steps grows from round to round until the intervals are narrow enough. Every limit of
every round has its share of the error, so the interval of log p* has 95 percent, whichever round
ends it, and the best lower limit of all rounds counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from gmm_study.errors import InputError
from gmm_study.estimators import (
    HALF,
    WHOLE,
    Annealer,
    Weights,
    gaps,
    lower_limit,
    upper_by_samples,
    upper_limit,
)
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.training.checkpoint import Checkpoint
from gmm_study.trials.assessment import Row, finite

LEVEL = 0.95
LIMITS = 4
"""The limits of log ptilde and 2 log Z that make the interval of log p*; each has its share."""
FIRST_STEPS, FACTOR = 16, 4
"""The steps of the first round, and how many times more each further round has."""
SAMPLES = 50
"""Samples of the model, on which both limits are certified."""
Z_CHAINS = 512
COMPARED = ("log_p", "log_p_tilde", "log_z2", "log_p_star")


@dataclass(frozen=True)
class Certification:
    """Intervals for the means over data, each of at least 95 percent, for some replicates.

    A row has `replicate`, `steps`, `narrow` (whether the tolerance was reached) and, in nats,
    `NAME_lower` and `NAME_upper` of `log_p` and, if the method has a p*, of `log_p_tilde`, `log_z2`
    and `log_p_star`. The lower limits of the first three hold whatever the chains did. Their upper
    limits are estimates; those of `log_p` and `log_p_tilde` are the larger of
    `NAME_upper_by_reverse_runs`, right if these start at states like independent samples of the
    posterior, and `NAME_upper_by_samples`, right if the data's bounds are as tight as those of
    independent samples of p or p*. Each limit of log p* needs an upper limit, so it is an estimate;
    the lower one with log Z <= 0 in place of the estimate is `log_p_star_lower_certified`. For
    samples of the model both limits are certified: `samples_lower`, `samples_upper`.
    """

    checkpoint: Checkpoint
    data: Tensor
    """`[N, D]` of 0/1, on the device of the model."""
    replicates: Sequence[int]
    chains: int
    """Chains of each datapoint."""
    most_steps: int
    tolerance: float
    """The steps grow until log p, and log p* if there is one, are known to this, in nats."""
    seed: int = 0
    chunk_rows: int = 4000

    def rows(self, watch: Callable[[int], object] = lambda done: None) -> list[Row]:
        """A row for each replicate; calls `watch` as `Annealer` does."""
        return [self._row(index, watch) for index in self.replicates]

    @property
    def most_work(self) -> int:
        """What `rows` passes to `watch` in all, if every round is needed."""
        chains = self.chains * (len(self.data) + SAMPLES)
        if self.checkpoint.has_p_star:
            chains += Z_CHAINS + self.chains * SAMPLES
        return len(self.replicates) * chains * sum(self.rounds)

    @property
    def rounds(self) -> list[int]:
        """The steps of every round that there may be."""
        steps = [min(FIRST_STEPS, self.most_steps)]
        while steps[-1] < self.most_steps:
            steps.append(min(FACTOR * steps[-1], self.most_steps))
        return steps

    def _row(self, index: int, watch: Callable[[int], object]) -> Row:
        model = cast(SigmoidBeliefNetwork, self.checkpoint.model([index], self.data.device))
        samples = model.generate(SAMPLES, self._streams(index, "samples")).states
        best: dict[str, float] = {}
        for steps in self.rounds:
            streams = self._streams(index, f"{steps} steps")
            annealer = Annealer(model, self.chains, steps, streams, self.chunk_rows, watch=watch)
            for name, value in self._limits(annealer, samples).items():
                keeps_best = name.endswith("_lower") and name in best
                best[name] = max(best[name], value) if keeps_best else value
            row = {**best, **_of_p_star(best)}
            names = [name for name in ("log_p", "log_p_star") if f"{name}_lower" in row]
            widths = [row[f"{name}_upper"] - row[f"{name}_lower"] for name in names]
            narrow = max(widths) <= self.tolerance
            if narrow:
                break
        return {"replicate": index, "steps": steps, "narrow": narrow, **finite(row)}

    def _streams(self, index: int, purpose: str) -> RandomStreams:
        return RandomStreams(self.seed, [index], f"certify {purpose}", self.data.device)

    def _limits(self, annealer: Annealer, samples: Sequence[Tensor]) -> dict[str, float]:
        """The limits of one round, but for those of log p*, with `samples` (x, h) of p."""
        has_p_star = self.checkpoint.has_p_star
        of_samples = annealer.of_samples(samples)
        of_data = annealer.of_data(self.data, half=has_p_star)
        found = self._of_log_p(of_data[WHOLE], of_samples)
        if has_p_star:
            of_z2, near_p_star = annealer.of_z2(Z_CHAINS, SAMPLES)
            of_samples = annealer.of_samples(near_p_star, HALF)
            found |= self._of_log_p_tilde(of_data[HALF], of_samples)
            found["log_z2_lower"] = lower_limit(of_z2.forward, self._error)
            found["log_z2_upper"] = (-lower_limit(of_z2.reverse, self._error)).clamp(max=0.0)
        return {name: value.item() for name, value in found.items()}

    @property
    def _error(self) -> float:
        return (1.0 - LEVEL) / LIMITS / len(self.rounds)

    def _of_log_p(self, of_data: Weights, of_samples: Weights) -> dict[str, Tensor]:
        apart = gaps(of_samples.forward, of_samples.reverse)
        by_reverse_runs = -lower_limit(of_data.reverse, self._error)
        by_samples = upper_by_samples(of_data.forward, apart, self._error)
        return {
            "log_p_lower": lower_limit(of_data.forward, self._error),
            "log_p_upper": torch.maximum(by_reverse_runs, by_samples),
            "log_p_upper_by_reverse_runs": by_reverse_runs,
            "log_p_upper_by_samples": by_samples,
            "samples_lower": lower_limit(of_samples.forward, self._error),
            "samples_upper": upper_limit(of_samples.reverse, self._error),
        }

    def _of_log_p_tilde(self, of_data: Weights, of_samples: Weights) -> dict[str, Tensor]:
        """Twice the limits of the logarithm of its root."""
        limits = self._of_log_p(of_data, of_samples).items()
        of_data_alone = [(name, limit) for name, limit in limits if name.startswith("log_p")]
        return {name.replace("log_p", "log_p_tilde"): 2.0 * limit for name, limit in of_data_alone}


def refuse_unusable(checkpoint: Checkpoint) -> None:
    """Raise `InputError` if the model has no binary layers."""
    if not checkpoint.hyperparameters.declaration.model.belief_network:
        raise InputError(
            "certify: it needs a model with binary layers, such as one of gmm or rws, "
            f"not a {checkpoint.method}"
        )


def outside(estimates: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, float]:
    """`NAME_outside`: how far estimates are above an interval of a row, or, if negative, below.

    In nats, 0 within; for each of `COMPARED` that both have.
    """
    found = {}
    for name in COMPARED:
        value = estimates.get(name)
        lower, upper = limits.get(f"{name}_lower"), limits.get(f"{name}_upper")
        if value is not None and lower is not None and upper is not None:
            found[f"{name}_outside"] = max(0.0, value - upper) - max(0.0, lower - value)
    return found


def _of_p_star(limits: Mapping[str, float]) -> dict[str, float]:
    """The limits of log p* = log ptilde - 2 log Z, if those of the two are there."""
    if "log_z2_lower" not in limits:
        return {}
    return {
        "log_p_star_lower": limits["log_p_tilde_lower"] - limits["log_z2_upper"],
        "log_p_star_upper": limits["log_p_tilde_upper"] - limits["log_z2_lower"],
        "log_p_star_lower_certified": limits["log_p_tilde_lower"],
    }
