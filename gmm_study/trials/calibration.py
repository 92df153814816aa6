"""A short calibration: a few batches of some configurations, timed, where no record says more."""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

import torch

from gmm_study.data import Dataset
from gmm_study.estimators import estimate_log_p
from gmm_study.training.group import ReplicateGroup
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.pace import Observation
from gmm_study.trials.work import (
    DataSize,
    Network,
    epoch_work,
    forward_work,
    geometry,
    training_work,
)

CONFIGURATIONS = 12
SECONDS = 6.0
"""Of all timings together, at most about."""
SECONDS_EACH = 2.0
"""Of those of one configuration, at most about."""


def spanning(
    configs: Sequence[TrialConfig], sizes: Mapping[str, DataSize], most: int = CONFIGURATIONS
) -> list[TrialConfig]:
    """Some configurations of every method that span the range of an epoch's work."""
    chosen = []
    configs = list({geometry(config): config for config in configs}.values())
    methods = list(dict.fromkeys(config.hyperparameters.method for config in configs))
    for method in methods:
        by_work = {
            round(epoch_work(config.hyperparameters, sizes[config.dataset_sha256]), 9): config
            for config in configs
            if config.hyperparameters.method == method
        }
        ordered = [by_work[work] for work in sorted(by_work)]
        count = min(len(ordered), max(2, most // len(methods)))
        places = {round(i * (len(ordered) - 1) / max(1, count - 1)) for i in range(count)}
        chosen += [ordered[place] for place in sorted(places)]
    return chosen


def calibrate(
    configs: Sequence[TrialConfig],
    datasets: Mapping[str, Dataset],
    threads: int,
    watch: Callable[[float], None] = lambda done: None,
) -> list[Observation]:
    """Time each configuration on the CPU for a moment; writes nothing and keeps no model."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = []
        for config in configs:
            dataset = datasets[config.dataset_sha256]
            found.append(_observe(config, dataset, min(SECONDS / len(configs), SECONDS_EACH)))
            watch(1)
        return found
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def _observe(config: TrialConfig, dataset: Dataset, seconds: float) -> Observation:
    hyperparameters, size = config.hyperparameters, DataSize.of(dataset)
    network = Network.of(hyperparameters, size.dims)
    group = ReplicateGroup(hyperparameters, size.dims, [0], torch.device("cpu"))
    train, test = torch.from_numpy(dataset.train), torch.from_numpy(dataset.test)
    batches = torch.arange(len(train)).split(hyperparameters.batch_size)

    def step(number: int) -> int:
        chosen = batches[number % len(batches)]
        group.train_on(train, chosen.unsqueeze(0))
        return len(chosen)

    def evaluate(number: int) -> int:
        row = test[number % len(test) :][:1]
        samples, streams = hyperparameters.evaluation_samples, group.streams["validation"]
        estimate_log_p(group.model, row, samples, streams)
        return 1

    trained, of_training = _timed(step, seconds / 2)
    evaluated, of_evaluation = _timed(evaluate, seconds / 4)
    samples = hyperparameters.evaluation_samples
    return Observation(
        hyperparameters.method,
        config.dataset_sha256,
        epoch_work(hyperparameters, size),
        of_training / training_work(hyperparameters, network, trained),
        of_evaluation / (evaluated * forward_work(hyperparameters, network, 1, samples)),
    )


def _timed(work: Callable[[int], int], seconds: float) -> tuple[int, float]:
    """Rows done and seconds taken, of about so many seconds; the first call only warms up."""
    work(0)
    started, rows, number = perf_counter(), 0, 0
    while not number or perf_counter() - started < seconds:
        number += 1
        rows += work(number)
    return rows, perf_counter() - started
