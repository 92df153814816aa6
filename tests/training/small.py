"""Data and trials so small that an epoch takes milliseconds."""

from typing import Any

import numpy as np
import torch

from gmm_study.data import Dataset
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.trainer import Trainer

METHODS = ("gmm", "rws", "vae", "wake_wake", "vimco", "nvil")
OPTIMIZERS = ("adam", "sgd", "rmsprop")


def a_dataset(name: str = "bits", seed: int = 0, dims: int = 6, **more: Any) -> Dataset:
    """Noisy copies of three patterns: 40 rows to train on, 20 to validate, 12 to test."""
    random = np.random.RandomState(seed)
    patterns = random.randint(2, size=(3, dims))
    rows = patterns[random.randint(3, size=72)] ^ (random.uniform(size=(72, dims)) < 0.1)
    splits = dict(zip(("train", "valid", "test"), np.split(rows, [40, 60]), strict=True))
    return Dataset.from_splits(name, splits, **more)


def some_hyperparameters(**settings: Any) -> Hyperparameters:
    """A tiny network that learns fast enough to move far in a few epochs."""
    defaults = {
        "layers": (5, 3),
        "samples": 4,
        "batch_size": 16,
        "max_epochs": 6,
        "learning_rate": 0.01,
        "evaluation_samples": 50,
    }
    return Hyperparameters.from_mapping(defaults | settings)


def train(trainer: Trainer, epochs: int | None = None) -> Trainer:
    """Train for some epochs, or to the end."""
    for _ in range(200 if epochs is None else epochs):
        if trainer.finished:
            return trainer
        trainer.train_epoch()
    assert epochs is not None, "training comes to no end"
    return trainer


class SideBySide(Trainer):
    """All replicates in one batched group, as on a GPU."""

    def side_by_side(self, replicates):
        return [list(replicates)] if replicates else []


def assert_same_progress(found: Trainer, expected: Trainer) -> None:
    """Every replicate is where the other's is, bit for bit, whatever the time it took."""
    assert sorted(found.replicates) == sorted(expected.replicates)
    for index in expected.replicates:
        assert_same_replicate(found, expected, index)


def assert_same_replicate(found: Trainer, expected: Trainer, index: int) -> None:
    one, other = dict(vars(found.replicates[index])), dict(vars(expected.replicates[index]))
    best, its_best = one.pop("best_parameters"), other.pop("best_parameters")
    assert (best is None) == (its_best is None)
    assert best is None or torch.equal(best, its_best)
    for each in (one, other):
        del each["seconds"]
        each["curve"] = without_seconds(each["curve"])
    assert one == other
    state, other_state = row_states(found).get(index), row_states(expected).get(index)
    assert (state is None) == (other_state is None)
    for name in other_state or {}:
        assert torch.equal(state[name], other_state[name]), name


def without_seconds(curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a curve that do not depend on the clock."""
    return [row for row in curve if row["metric"] != "seconds"]


def row_states(trainer: Trainer) -> dict[int, dict[str, torch.Tensor]]:
    """Parameters, moments and random streams of every replicate that still runs."""
    return {
        index: group.row_state(row)
        for group in trainer.groups
        for row, index in enumerate(group.replicates)
    }
