"""How long trials take: their counted work, times how fast work of the kind was seen to be done."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import log2
from statistics import mean

from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.survey import Standing
from gmm_study.trials.work import DataSize, epoch_work, evaluation_work, geometry

NEAREST = 5
"""Observations whose mean is taken, the nearest by the work of an epoch."""


@dataclass(frozen=True)
class Observation:
    """Work that was seen to be done."""

    method: str
    dataset_sha256: str
    nominal: float
    """Nominal seconds of an epoch of a replicate (`trials/work.py`)."""
    slowness: float
    """Seconds for each nominal second of training."""
    evaluation_slowness: float
    """The same of the final figures."""
    weight: float = 1.0
    """Nominal seconds that were seen: a short trial says little."""


def observations(
    seen: Iterable[tuple[TrialConfig, Standing]],
    sizes: Mapping[str, DataSize],
    on_gpu: bool,
    replicates: int = 1,
) -> list[Observation]:
    """What ended replicates, and trials of so many that run, say of data whose size is known.

    Those on the other kind of device say nothing. A record holds no seconds of its evaluation,
    which is taken to be as slow as its training.
    """
    found = []
    for config, standing in seen:
        epochs, seconds = _trained(standing)
        is_meant = standing.on_gpu == on_gpu
        if standing.state == "running":
            epochs, seconds = _running(standing, replicates)
            is_meant = True
        size = sizes.get(config.dataset_sha256)
        if size is None or not (is_meant and epochs and seconds):
            continue
        nominal = epoch_work(config.hyperparameters, size)
        slowness = seconds / epochs / nominal
        method = config.hyperparameters.method
        key = (method, config.dataset_sha256)
        found.append(Observation(*key, nominal, slowness, slowness, epochs * nominal))
    return found


class Pace:
    """Seconds of trials, from observations; those of the same data and method count first."""

    def __init__(self, seen: Sequence[Observation], sizes: Mapping[str, DataSize]) -> None:
        self._seen = seen
        self._sizes = sizes
        self._near = cache(self._nearest)
        self._known: dict[tuple[Hashable, ...], tuple[float, float]] = {}

    def epoch_seconds(self, config: TrialConfig) -> float:
        """Seconds of an epoch of one replicate, validation included."""
        return self._seconds(config)[0]

    def evaluation_seconds(self, config: TrialConfig) -> float:
        """Seconds of the final figures of one replicate."""
        return self._seconds(config)[1]

    def _seconds(self, config: TrialConfig) -> tuple[float, float]:
        """Of an epoch and of the final figures; worked out once for all trials of a geometry."""
        key = geometry(config)
        if key not in self._known:
            size = self._sizes[config.dataset_sha256]
            nominal = epoch_work(config.hyperparameters, size)
            near = self._near_to(config, nominal)
            training = _mean([(each.slowness, each.weight) for each in near])
            evaluation = _mean([(each.evaluation_slowness, each.weight) for each in near])
            work = evaluation_work(config.hyperparameters, size)
            self._known[key] = (nominal * training, work * evaluation)
        return self._known[key]

    def _near_to(self, config: TrialConfig, nominal: float) -> list[Observation]:
        method = config.hyperparameters.method
        return self._near(method, config.dataset_sha256, round(4 * log2(nominal)))

    def _nearest(self, method: str, dataset_sha256: str, quarter_octaves: int) -> list[Observation]:
        of_method = [each for each in self._seen if each.method == method] or self._seen
        same = [each for each in of_method if each.dataset_sha256 == dataset_sha256] or of_method
        return sorted(same, key=lambda each: abs(4 * log2(each.nominal) - quarter_octaves))[
            :NEAREST
        ]


class Stopping:
    """How much of `max_epochs` trials train, as ended ones show; all of it where none has ended."""

    def __init__(self, seen: Iterable[tuple[TrialConfig, Standing]]) -> None:
        fractions: dict[str, list[float]] = {}
        for config, standing in seen:
            most = config.hyperparameters.max_epochs
            for replicate in standing.ended.values():
                if replicate.get("epochs"):
                    fraction = min(1.0, replicate["epochs"] / most)
                    fractions.setdefault(config.hyperparameters.method, []).append(fraction)
        self._of = {method: mean(values) for method, values in fractions.items()}

    def knows(self, hyperparameters: Hyperparameters) -> bool:
        """Whether trials of its method have ended, or it cannot stop early at all."""
        never = hyperparameters.patience >= hyperparameters.max_epochs
        return never or hyperparameters.method in self._of

    def epochs(self, hyperparameters: Hyperparameters) -> float:
        """Epochs that a trial is expected to train, at most where nothing is known."""
        return hyperparameters.max_epochs * self._of.get(hyperparameters.method, 1.0)


def _mean(weighted: Sequence[tuple[float, float]]) -> float:
    return sum(value * weight for value, weight in weighted) / sum(w for _, w in weighted)


def _running(standing: Standing, replicates: int) -> tuple[float, float]:
    """Epochs that the replicates of a running trial have before them at most, and their seconds."""
    status = standing.status
    try:
        left = (status["max_epochs"] - status["epoch"]) * standing.unended(replicates)
        return float(left), float(status["seconds_left"])
    except (LookupError, TypeError):
        return 0.0, 0.0


def _trained(standing: Standing) -> tuple[float, float]:
    """Epochs and seconds of all ended replicates."""
    numbers = [
        (float(each["epochs"]), float(each["seconds"]))
        for each in standing.ended.values()
        if isinstance(each.get("epochs"), int) and isinstance(each.get("seconds"), float | int)
    ]
    return sum(epochs for epochs, _ in numbers), sum(seconds for _, seconds in numbers)
