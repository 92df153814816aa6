"""A short calibration: times a few batches of each method whose speed no record shows."""

from collections.abc import Iterable, Mapping
from itertools import cycle
from time import perf_counter

import torch

from gmm_study.data import Dataset
from gmm_study.estimates.cost import Workload, epoch_work
from gmm_study.estimates.pace import Observation
from gmm_study.training.group import ReplicateGroup
from gmm_study.trials.config import TrialConfig

SECONDS = 1.0
"""The approximate time for each method."""


def calibrate(
    configs: Iterable[TrialConfig],
    datasets: Mapping[str, Dataset],
    threads: int,
) -> list[Observation]:
    """For each method, train the configuration of median work for a moment, on the CPU."""

    def work(config: TrialConfig) -> float:
        first = config.hyperparameters.stage_list[0]
        return epoch_work(Workload.of(first, datasets[config.dataset_sha256]))

    by_method: dict[str, list[TrialConfig]] = {}
    for config in sorted(configs, key=work):
        by_method.setdefault(config.hyperparameters.method, []).append(config)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        chosen = [ordered[len(ordered) // 2] for ordered in by_method.values()]
        return [_observe(config, datasets[config.dataset_sha256]) for config in chosen]
    finally:
        torch.set_num_threads(threads_before)


@torch.no_grad()
def _observe(config: TrialConfig, dataset: Dataset) -> Observation:
    settings = config.hyperparameters.stage_list[0]
    group = ReplicateGroup(settings, dataset.dims, [0], torch.device("cpu"))
    train = torch.from_numpy(dataset.train)
    batches = cycle(torch.arange(len(train)).split(settings.batch_size))
    group.train_on(train, next(batches).unsqueeze(0))  # the first step compiles
    rows, started = 0, perf_counter()
    while not rows or perf_counter() - started < SECONDS:
        batch = next(batches)
        group.train_on(train, batch.unsqueeze(0))
        rows += len(batch)
    seconds = perf_counter() - started
    trained = Workload.of(settings, dataset)._replace(train=rows, valid=0)
    return Observation(settings.method, config.dataset_sha256, epoch_work(trained), seconds)
