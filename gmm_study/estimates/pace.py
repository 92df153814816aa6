"""How fast trials train: real seconds per nominal second of work, averaged over timed training.

A mean over all sizes of network is enough: on one core, from one layer of 48 units to twelve of up
to 300 and for K from 1 to 25, every network is within a factor of two of its method's mean.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gmm_study.data import Dataset
from gmm_study.estimates.training import training_work
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.standing import Standing


class Observation(NamedTuple):
    """Training whose duration is known."""

    method: str
    dataset_sha256: str
    work: float
    """Nominal seconds (`estimates/cost.py`)."""
    seconds: float


def observations(
    trials: Iterable[tuple[TrialConfig, Standing, int]],
    datasets: Mapping[str, Dataset],
    on_gpu: bool,
) -> list[Observation]:
    """The ended replicates and the running trials among these trials, for the given data sets.

    Each trial comes with its standing and its number of wanted replicates. Those that ended on the
    other kind of device (CPU or GPU) are left out.
    """
    found = []
    for config, standing, replicates in trials:
        spans, seconds = _spans_and_seconds(standing, on_gpu, replicates)
        dataset = datasets.get(config.dataset_sha256)
        if dataset is not None and seconds > 0:
            settings = config.hyperparameters
            work = sum(training_work(settings, dataset, *span) for span in spans)
            if work > 0:
                observed = Observation(settings.method, config.dataset_sha256, work, seconds)
                found.append(observed)
    return found


class Pace:
    """Mean seconds per nominal second, over at least one observation."""

    def __init__(self, seen: Iterable[Observation]) -> None:
        self._sums: dict[tuple[str, ...], tuple[float, float]] = {}
        for each in seen:
            for kind in _kinds(each.method, each.dataset_sha256):
                seconds, work = self._sums.get(kind, (0.0, 0.0))
                self._sums[kind] = (seconds + each.seconds, work + each.work)

    def of(self, config: TrialConfig) -> float:
        """From observations of the same method and data, else of the same method, else of all."""
        kinds = _kinds(config.hyperparameters.method, config.dataset_sha256)
        seconds, work = next(self._sums[kind] for kind in kinds if kind in self._sums)
        return seconds / work


def fractions_trained(trials: Iterable[tuple[TrialConfig, Standing, int]]) -> dict[str, float]:
    """By method, the mean fraction of the limit of epochs after which replicates ended."""
    fractions: dict[str, list[float]] = {}
    for config, standing, _ in trials:
        settings = config.hyperparameters
        fractions.setdefault(settings.method, []).extend(
            min(1.0, each.epochs / settings.total_epochs) for each in standing.ended.values()
        )
    return {method: sum(each) / len(each) for method, each in fractions.items() if each}


def _kinds(method: str, dataset_sha256: str) -> tuple[tuple[str, ...], ...]:
    """The kinds of trial that an observation counts for, the most specific first."""
    return (method, dataset_sha256), (method,), ()


def _spans_and_seconds(
    standing: Standing, on_gpu: bool, replicates: int
) -> tuple[list[tuple[int, int]], float]:
    """First and last epochs, and the seconds that they took or will take.

    They are those of the ended replicates, or of a running trial those that it still has to train.
    """
    status, ended = standing.status, standing.ended.values()
    if standing.state is TrialState.RUNNING:
        if status.max_epochs is None or status.epoch is None or status.seconds_left is None:
            return [], 0.0
        span = (status.epoch, status.max_epochs)
        return [span] * standing.unended(replicates), status.seconds_left
    if standing.on_gpu != on_gpu:
        return [], 0.0
    return [(0, each.epochs) for each in ended], sum(each.seconds for each in ended)
