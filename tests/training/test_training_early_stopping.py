"""Training ends when the validation bound no longer improves, and keeps the best epoch."""

import numpy as np
import pytest
import torch

from gmm_study.data import Dataset, bars_log_likelihood, load_dataset
from gmm_study.estimators import estimate_log_p
from gmm_study.models import RandomStreams
from gmm_study.training.group import ReplicateGroup
from gmm_study.training.state import TrialState
from gmm_study.training.trainer import Trainer
from tests.training.small import METHODS, a_dataset, some_hyperparameters, train

DATA = a_dataset()


@pytest.fixture
def with_bounds(monkeypatch):
    """A trainer of one replicate that finds the given validation bounds, epoch after epoch."""

    def build(bounds, **settings):
        script = iter(bounds)

        def validate(group, data):
            return {"bound": torch.tensor([next(script)], dtype=torch.float64)}

        monkeypatch.setattr(ReplicateGroup, "validate", validate)
        return Trainer(some_hyperparameters(**{"max_epochs": 100} | settings), DATA, [0])

    return build


@pytest.mark.parametrize(
    ("bounds", "patience", "best_epoch", "epochs"),
    [
        ([-5, -4, -3, -3.5, -3.2, -3.1, 0], 3, 3, 6),
        ([-5, -6, -4, -6, -3, -6, -6, 0], 2, 5, 7),
        ([-5, -6, 0], 1, 1, 2),
        ([-5, -5, -5, 0], 2, 1, 3),
    ],
    ids=["flat end", "recovers", "patience 1", "equal is no improvement"],
)
def test_training_stops_after_so_many_epochs_without_improvement(
    with_bounds, bounds, patience, best_epoch, epochs
):
    replicate = train(with_bounds(bounds, patience=patience)).replicates[0]
    assert replicate.state == TrialState.COMPLETE
    assert (replicate.best_epoch, replicate.epoch) == (best_epoch, epochs)
    assert replicate.best_bound == bounds[best_epoch - 1]


def test_the_parameters_of_the_best_epoch_are_kept(with_bounds):
    trainer = with_bounds([-5, -3, -4, -4], patience=2)
    train(trainer, 2)
    at_best = trainer.groups[0].model.parameters.flat.clone()
    train(trainer)
    assert trainer.replicates[0].epoch == 4
    assert torch.equal(trainer.best_model().parameters.flat, at_best)


def test_training_ends_at_the_most_epochs_allowed(with_bounds):
    trainer = train(with_bounds([-5, -4, -3, -2, -1], patience=2, max_epochs=4))
    replicate = trainer.replicates[0]
    assert (replicate.state, replicate.epoch, replicate.best_epoch) == (TrialState.COMPLETE, 4, 4)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_bound_that_is_no_number_ends_a_replicate_as_diverged(with_bounds, bad):
    replicate = train(with_bounds([-5, -4, bad, -3])).replicates[0]
    assert (replicate.state, replicate.epoch, replicate.best_epoch) == (TrialState.DIVERGED, 3, 2)


def test_the_curve_of_a_real_training_shows_which_epoch_was_selected():
    settings = some_hyperparameters(patience=2, max_epochs=30, learning_rate=0.05)
    trainer = train(Trainer(settings, DATA, [0, 1, 2]))
    for replicate in trainer.replicates.values():
        valid = [
            row["value"]
            for row in replicate.curve
            if (row["split"], row["metric"]) == ("valid", "bound")
        ]
        for metric in ("bound", "learning_rate", "seconds"):
            epochs = [
                row["epoch"]
                for row in replicate.curve
                if (row["split"], row["metric"]) == ("train", metric)
            ]
            assert epochs == list(range(1, replicate.epoch + 1))
        assert len(valid) == replicate.epoch
        assert replicate.best_bound == max(valid) == valid[replicate.best_epoch - 1]
        assert replicate.epoch in (replicate.best_epoch + 2, 30)


@pytest.mark.sampled
@pytest.mark.parametrize("method", METHODS)
def test_training_learns_what_no_model_of_independent_pixels_can(method):
    bars = load_dataset("bars")
    splits = {"train": bars.train[:500], "valid": bars.valid[:200], "test": bars.test[:200]}
    data = Dataset.from_splits("bars", splits)
    settings = some_hyperparameters(
        method=method, layers=(12, 6), learning_rate=0.01, batch_size=50, max_epochs=30, patience=30
    )
    trainer = train(Trainer(settings, data, [0]))
    test = torch.from_numpy(data.test)
    streams = RandomStreams(0, [0], "test")
    log_p = estimate_log_p(trainer.best_model(), test, 200, streams)["log_p"][0]
    on = data.train.mean(0)
    independent_pixels = np.log(np.where(data.test, on, 1 - on)).sum(1)
    gained = log_p - torch.from_numpy(independent_pixels)
    short_of_truth = torch.from_numpy(bars_log_likelihood(data.test)) - log_p
    for difference in (gained, short_of_truth):
        assert difference.mean() > 4.0 * difference.std() / len(difference) ** 0.5
