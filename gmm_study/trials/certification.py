"""Intervals for log p, log ptilde, 2 log Z and log p* of a checkpoint, by annealing.

The number of steps grows from round to round until the intervals are narrow enough. Every limit of
every round has its share of the error, so all hold together, and the best lower limit counts.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

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
from gmm_study.models import Model, RandomStreams, SigmoidBeliefNetwork
from gmm_study.phrases import plural
from gmm_study.training.checkpoint import Checkpoint
from gmm_study.trials.assessment import finite

LEVEL = 0.95
ENDS = 4
"""The limits of log ptilde and 2 log Z that the two ends of log p* take; each has its share."""
FIRST_STEPS, FACTOR = 16, 4
"""The steps of the first round, and how many times more each further round has."""
SAMPLES = 50
"""Samples of the model, on which both ends are certified."""
Z_CHAINS = 512
COMPARED = ("log_p", "log_p_tilde", "log_z2", "log_p_star")
Row = dict[str, Any]
Bar = Callable[[str, float | None], AbstractContextManager[Callable[[float], object]]]


def _without_bar(
    what: str, total: float | None
) -> AbstractContextManager[Callable[[float], object]]:
    return nullcontext(lambda done: None)


@dataclass(frozen=True)
class Certification:
    """Intervals for the means over data, each of at least 95 percent, for some replicates.

    A row has `replicate`, `steps`, `narrow` (whether the tolerance was reached) and, in nats,
    `NAME_lower` and `NAME_upper` of `log_p` and, if the method has a p*, of `log_p_tilde`, `log_z2`
    and `log_p_star`. The lower limits of the first
    three hold whatever the chains did. Their upper limits are estimates: `log_p_upper` is the
    larger of `log_p_upper_from_ends`, right if the starts of the ways back are like independent
    samples of p(h | x), and `log_p_upper_by_samples`, right if the data's bounds are as tight as
    those of samples of the model. Each limit of log p* needs an upper limit, so it is an estimate;
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

    def rows(self, bar: Bar = _without_bar) -> list[Row]:
        """A row for each replicate; `bar` shows the progress of each round."""
        return [self._row(index, bar) for index in self.replicates]

    @property
    def has_p_star(self) -> bool:
        """Whether the checkpoint's method has a p*, like gmm."""
        return self.checkpoint.hyperparameters.declaration.has_p_star

    @property
    def rounds(self) -> list[int]:
        """The steps of every round that there may be."""
        steps = [min(FIRST_STEPS, self.most_steps)]
        while steps[-1] < self.most_steps:
            steps.append(min(FACTOR * steps[-1], self.most_steps))
        return steps

    def _row(self, index: int, bar: Bar) -> Row:
        model = _network_of(self.checkpoint, index, self.data.device)
        samples = model.generate(SAMPLES, self._streams(index, "samples")).states
        best: dict[str, float] = {}
        for steps in self.rounds:
            found = self._limits(model, samples, steps, self._streams(index, f"{steps} steps"), bar)
            for name, value in found.items():
                of_data = name.endswith("_lower") and name in best
                best[name] = max(best[name], value) if of_data else value
            row = {**best, **_of_p_star(best)}
            names = ("log_p", "log_p_star") if self.has_p_star else ("log_p",)
            widths = [row[f"{name}_upper"] - row[f"{name}_lower"] for name in names]
            narrow = max(widths) <= self.tolerance
            if narrow:
                break
        return {"replicate": index, "steps": steps, "narrow": narrow, **finite(row)}

    def _streams(self, index: int, purpose: str) -> RandomStreams:
        return RandomStreams(self.seed, [index], f"certify {purpose}", self.data.device)

    def _limits(
        self,
        model: SigmoidBeliefNetwork,
        samples: Sequence[Tensor],
        steps: int,
        streams: RandomStreams,
        bar: Bar,
    ) -> dict[str, float]:
        """The limits of one round, but for those of log p*, with `samples` (x, h) of p."""
        draws = Z_CHAINS if self.has_p_star else 0
        annealer = Annealer(model, self.chains, steps, streams, self.chunk_rows)
        total = annealer.work(len(self.data), SAMPLES, draws)
        with bar(f"annealing in {plural(steps, 'step')}", total) as advance:
            annealer = replace(annealer, watch=advance)
            of_samples = annealer.of_samples(samples)
            of_data = annealer.of_data(self.data, half=bool(draws))
            found = self._of_log_p(of_data[WHOLE], of_samples)
            if draws:
                of_z2, ends = annealer.of_z2(draws)
                near_p_star = [states[:, :SAMPLES] for states in ends]
                of_samples = annealer.of_samples(near_p_star, HALF)
                found |= self._of_log_p_tilde(of_data[HALF], of_samples)
                found["log_z2_lower"] = lower_limit(of_z2.forwards, self._error)
                found["log_z2_upper"] = (-lower_limit(of_z2.backwards, self._error)).clamp(max=0.0)
        return {name: value.item() for name, value in found.items()}

    @property
    def _error(self) -> float:
        return (1.0 - LEVEL) / ENDS / len(self.rounds)

    def _of_log_p(self, of_data: Weights, of_samples: Weights) -> dict[str, Tensor]:
        apart = gaps(of_samples.forwards, of_samples.backwards)
        from_ends = -lower_limit(of_data.backwards, self._error)
        by_samples = upper_by_samples(of_data.forwards, apart, self._error)
        return {
            "log_p_lower": lower_limit(of_data.forwards, self._error),
            "log_p_upper": torch.maximum(from_ends, by_samples),
            "log_p_upper_from_ends": from_ends,
            "log_p_upper_by_samples": by_samples,
            "samples_lower": lower_limit(of_samples.forwards, self._error),
            "samples_upper": upper_limit(of_samples.backwards, self._error),
        }

    def _of_log_p_tilde(self, of_data: Weights, of_samples: Weights) -> dict[str, Tensor]:
        """Twice the limits of the logarithm of its root."""
        limits = self._of_log_p(of_data, of_samples)
        names = ("log_p_lower", "log_p_upper")
        return {name.replace("log_p", "log_p_tilde"): 2.0 * limits[name] for name in names}


def refuse_unusable(checkpoint: Checkpoint) -> None:
    """Raise `InputError` if the model has no binary layers."""
    _network_of(checkpoint, checkpoint.replicates[0], "cpu")


def _network_of(
    checkpoint: Checkpoint, index: int, device: torch.device | str
) -> SigmoidBeliefNetwork:
    model: Model = checkpoint.model([index], device)
    if not isinstance(model, SigmoidBeliefNetwork):
        raise InputError(
            f"certify: a {checkpoint.method} has no binary layers; intervals are of models that "
            "do, such as those of gmm and rws"
        )
    return model


def outside(estimates: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, float]:
    """`NAME_outside`: how far estimates are above an interval of a row, or, if negative, below.

    In nats, 0 within; for each of `COMPARED` that both have.
    """
    found = {}
    for name in COMPARED:
        value, lower, upper = estimates.get(name), *_interval(limits, name)
        if value is not None and lower is not None and upper is not None:
            found[f"{name}_outside"] = max(0.0, value - upper) - max(0.0, lower - value)
    return found


def _interval(limits: Mapping[str, Any], name: str) -> tuple[float | None, float | None]:
    return limits.get(f"{name}_lower"), limits.get(f"{name}_upper")


def _of_p_star(limits: Mapping[str, float]) -> dict[str, float]:
    """The limits of log p* = log ptilde - 2 log Z, if those of the two are there."""
    if "log_z2_lower" not in limits:
        return {}
    return {
        "log_p_star_lower": limits["log_p_tilde_lower"] - limits["log_z2_upper"],
        "log_p_star_upper": limits["log_p_tilde_upper"] - limits["log_z2_lower"],
        "log_p_star_lower_certified": limits["log_p_tilde_lower"],
    }
