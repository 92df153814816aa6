"""The quality of the gradients that methods estimate for a trained belief network, layer by layer.

Each method is asked for gradients of one batch at the parameters of the checkpoint, so methods are
compared on the same model, whichever of them has trained it.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from math import nan
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from gmm_study.catalogue import resolved
from gmm_study.data import Dataset
from gmm_study.errors import InputError
from gmm_study.estimators.gradient_quality import (
    Target,
    draw_gradients,
    gradient_quality,
)
from gmm_study.exact import why_no_exact_dreams, why_not_exact
from gmm_study.models import Model, RandomStreams, SigmoidBeliefNetwork
from gmm_study.training.build import build_objective
from gmm_study.training.checkpoint import META_FILE, MODEL_FILE, Checkpoint, read_checkpoint
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.methods import method_named
from gmm_study.trials.asked_gradients import AskedGradients, can_be_assessed
from gmm_study.trials.assessment import EXACT, Row, finite
from gmm_study.trials.record import Record


@dataclass(frozen=True)
class GradientAssessment:
    """Which gradients of a checkpoint to assess, and from how many draws.

    Each row has `method`, `q_baseline` (None if the method has none), `samples` (K), `part`, such
    as `q(h1 | x)`, the number of its `parameters`, `target` (what it is), the `norm` of the target
    in nats and its relative sampling error `target_error`, the figures of `GradientQuality`, and
    the `seconds` of one estimate. A figure that is not finite is None.
    """

    checkpoint: Checkpoint
    data: Tensor
    """The batch, `[N, D]` of 0/1."""
    replicate: int
    wanted: AskedGradients
    seed: int = 0

    def rows(self, watch: Callable[[int], object] = lambda draws: None) -> list[Row]:
        """A row for each method, baseline, K and part; calls `watch` with 1 after each of these.

        Raises `InputError` for a method that cannot be used with the model.
        """
        model = self.checkpoint.model([self.replicate], self.data.device)
        asked = self.asked()
        assert isinstance(model, SigmoidBeliefNetwork)
        found: list[Row] = []
        targets: dict[Hyperparameters, tuple[Target, str]] = {}
        for settings in asked:
            aim = self._of_target(settings)
            if aim not in targets:
                targets[aim] = self._target(aim, model)
            found += self._rows_of(settings, model, *targets[aim])
            watch(1)
        return found

    def asked(self) -> list[Hyperparameters]:
        """The settings of each objective: every method with every K and baseline that it has."""
        return list(dict.fromkeys(self._settings()))

    def _settings(self) -> Iterator[Hyperparameters]:
        own = self.checkpoint.hyperparameters
        if not own.declaration.model.belief_network:
            raise InputError(
                f"checkpoint: gradients are assessed of a belief network, such as one trained by "
                f"gmm, not of a {own.method}"
            )
        for name in self.wanted.methods:
            method = method_named(name)
            if not can_be_assessed(name, own.method):
                raise InputError(
                    f"method: the gradients of '{name}' cannot be assessed on a model that was "
                    f"trained by {own.method}, as it lacks parameters that {name} needs"
                )
            baselines = self.wanted.q_baselines if "q_baseline" in method.reads else ("uniform",)
            usable = [samples for samples in self.wanted.samples if samples >= method.least_samples]
            if not usable:
                raise InputError(f"samples: {name} needs a K of at least {method.least_samples}")
            for samples in usable:
                for baseline in baselines:
                    yield replace(
                        own,
                        method=name,
                        samples=samples,
                        q_baseline=baseline,
                        stages=(),
                        criterion_samples=None,
                    )

    def _rows_of(
        self, settings: Hyperparameters, model: SigmoidBeliefNetwork, target: Target, what: str
    ) -> list[Row]:
        parts, draws = model.parts(), self._draw(settings, model, self.wanted.draws, "draws")
        seconds: list[float] = []
        of_parts = gradient_quality(_timed(draws, seconds), self.wanted.draws, target, parts)
        reads = settings.declaration.reads
        shared = {
            "method": settings.method,
            "q_baseline": settings.q_baseline if "q_baseline" in reads else None,
            "samples": settings.training_samples,
            "target": what,
            "seconds": median(seconds),
        }
        rows = []
        for part, quality in of_parts.items():
            entries = parts[part]
            variance = float(target.variance[entries].sum())
            norm = max(float(target.gradient[entries].square().sum()) - variance, 0.0) ** 0.5
            known = {"norm": norm, "target_error": variance**0.5 / norm if norm else nan}
            known |= asdict(quality)
            rows.append({**shared, "part": part, "parameters": len(entries), **finite(known)})
        return rows

    def _of_target(self, settings: Hyperparameters) -> Hyperparameters:
        """The settings of the target, which is one for every K and baseline if there is a limit."""
        if settings.declaration.exact_direction is None:
            return settings
        return replace(settings, samples=self.wanted.target_samples, q_baseline="uniform")

    def _target(self, settings: Hyperparameters, model: SigmoidBeliefNetwork) -> tuple[Target, str]:
        """What the estimates are compared with, and what that is, in words."""
        direction = settings.declaration.exact_direction
        if direction is None:
            many = 4 * self.wanted.draws
            found = self._draw(settings, model, many, "target")
            return Target.mean_of(found, many), f"the mean of {many:,} further draws"
        needs_dreams = settings.declaration.dreams
        if (why_no_exact_dreams if needs_dreams else why_not_exact)(model) is None:
            function = resolved(direction, f"method: the exact direction of '{settings.method}'")
            return Target.exact(function(model, self.data)[0]), EXACT
        some = self.wanted.draws // 4
        found = self._draw(settings, model, some, "target")
        what = f"the mean of {some:,} draws with K = {self.wanted.target_samples:,}"
        return Target.mean_of(found, some), what

    def _draw(
        self, settings: Hyperparameters, model: Model, draws: int, purpose: str
    ) -> Iterator[Tensor]:
        streams = RandomStreams(
            self.seed, [self.replicate], f"gradients {purpose}", self.data.device
        )
        objective = build_objective(settings)
        return draw_gradients(objective, model, self.data, draws, streams)


def _timed(draws: Iterator[Tensor], seconds: list[float]) -> Iterator[Tensor]:
    """The draws; adds to `seconds` how long each of them took."""
    while True:
        started = perf_counter()
        try:
            draw = next(draws)
        except StopIteration:
            return
        seconds.append(perf_counter() - started)
        yield draw


def assess_record(
    record: Record,
    dataset: Dataset,
    wanted: AskedGradients,
    replicates: int,
    watch: Callable[[int], object] = lambda draws: None,
) -> None:
    """Assess the gradients of the first `replicates` models of a trial into its record.

    Methods that a model cannot be asked for are left out, such as nvil where another method trained
    it. A record that holds what is wanted stays as it is. Raises `InputError` if there is no
    checkpoint, if it lacks one of the replicates, or if it cannot be read.
    """
    if holds_gradients(record, wanted, replicates):
        return
    files = {name: record.read_file(f"checkpoint/{name}") for name in (META_FILE, MODEL_FILE)}
    known = {name: content for name, content in files.items() if content is not None}
    if len(known) < len(files):
        raise InputError(f"checkpoint: '{record.path}' has none, so its gradients are not assessed")
    checkpoint = read_checkpoint(Path(record.path), known)
    lacking = sorted(set(range(replicates)) - set(checkpoint.replicates))
    if lacking:
        raise InputError(
            f"checkpoint: '{record.path}' has no replicate {', '.join(map(str, lacking))}, so its "
            "gradients are not assessed"
        )
    usable = [index for index in checkpoint.usable_replicates() if index < replicates]
    methods = [name for name in wanted.methods if can_be_assessed(name, checkpoint.method)]
    batch = torch.from_numpy(dataset.train[: wanted.datapoints]).float()
    rows = []
    for index in usable:
        own = GradientAssessment(checkpoint, batch, index, replace(wanted, methods=methods))
        rows += [{"replicate": index, **row} for row in own.rows(watch)]
    record.write_gradients(wanted.to_json(replicates), rows)


def holds_gradients(record: Record, wanted: AskedGradients, replicates: int) -> bool:
    """Whether a record holds the wanted gradients of so many replicates, and can be read."""
    try:
        return record.gradients(wanted.to_json(replicates)) is not None
    except ValueError:
        return False
