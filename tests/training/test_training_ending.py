"""Every replicate says why it ended, and whether it was still rising then."""

import numpy as np
import pytest

from gmm_study.training.ending import rise
from gmm_study.training.state import Ending, TrialState
from gmm_study.training.trainer import Trainer
from tests.training.small import a_dataset, some_hyperparameters, train

DATA = a_dataset()


def the_end(**settings):
    trainer = Trainer(some_hyperparameters(**settings), DATA, [0])
    return train(trainer).replicates[0]


@pytest.mark.parametrize(
    ("settings", "ending"),
    [
        ({"patience": 1, "learning_rate": 0.3, "max_epochs": 100}, Ending.CONVERGED),
        ({"max_epochs": 3}, Ending.EPOCHS),
        ({"max_epochs": 3, "schedule": "cosine"}, Ending.SCHEDULE),
        ({"max_epochs": 3, "schedule": "cosine", "hold_epochs": 3}, Ending.EPOCHS),
        ({"max_epochs": 3, "warm_up_epochs": 5}, Ending.EPOCHS),
        ({"max_epochs": 3, "max_seconds": 1e-9}, Ending.TIME),
        ({"max_epochs": 3, "max_seconds": 1e9}, Ending.EPOCHS),
        ({"optimizer": "sgd", "learning_rate": 1e38}, Ending.DIVERGED),
    ],
)
def test_a_replicate_says_why_it_ended(settings, ending):
    found = the_end(**settings)
    assert found.ending is ending
    diverged = ending is Ending.DIVERGED
    assert found.state is (TrialState.DIVERGED if diverged else TrialState.COMPLETE)


def test_a_replicate_that_has_no_time_left_is_validated_before_it_ends():
    found = the_end(max_epochs=100, max_seconds=1e-9, validate_every=50)
    assert found.ending is Ending.TIME
    assert found.best_epoch == found.epoch < 50


@pytest.mark.parametrize(("every", "most"), [(1, 7), (2, 7), (3, 7), (7, 7), (10, 7)])
def test_every_nth_epoch_and_the_last_are_validated(every, most):
    found = the_end(validate_every=every, max_epochs=most, patience=most)
    expected = [epoch for epoch in range(1, most + 1) if epoch % every == 0 or epoch == most]
    assert [epoch for epoch, _ in found.points("bound")] == expected


def test_patience_is_counted_where_there_is_a_validation():
    found = the_end(validate_every=4, patience=1, learning_rate=0.3, max_epochs=100)
    assert found.ending is Ending.CONVERGED
    assert (found.epoch - found.best_epoch) == 4


def points_of(values, start=1):
    return list(zip(range(start, start + len(values)), values, strict=True))


@pytest.mark.parametrize("length", [5, 23, 50, 200])
def test_the_slope_at_the_end_and_its_error_are_those_of_least_squares(length):
    random = np.random.default_rng(length)
    points = points_of(list(np.log(np.arange(1, length + 1)) + random.normal(size=length)), 11)
    last = points[-max(5, length // 10) :]
    epochs, values = np.array(last).T
    design = np.stack([np.ones(len(last)), epochs - epochs.mean()], axis=1)
    coefficients, (left,), *_ = np.linalg.lstsq(design, values, rcond=None)
    variance = left / (len(last) - 2) * np.linalg.inv(design.T @ design)[1, 1]
    residuals, n = values - design @ coefficients, len(last)
    rho = (n * np.sum(residuals[1:] * residuals[:-1]) / left + 2) / max(1, n - 4)
    rho = np.clip(rho, 0, 0.9)
    error = np.sqrt(variance * (1 + rho) / (1 - rho))
    assert rise(points) == pytest.approx((coefficients[1], error), rel=1e-9)


def test_the_slope_is_in_nats_per_epoch_whatever_is_validated():
    line = [(epoch, -20.0 + 0.25 * epoch) for epoch in range(3, 200, 3)]
    slope, error = rise(line)
    assert slope == pytest.approx(0.25)
    assert error == pytest.approx(0.0, abs=1e-9)


def test_the_error_of_the_slope_covers_the_truth_as_often_as_it_says():
    random, found = np.random.default_rng(0), []
    for _ in range(400):
        slope, error = rise(points_of(list(random.normal(size=300) + 0.01 * np.arange(300))))
        found.append(abs(slope - 0.01) < 2.048 * error)  # t at 28 degrees of freedom
    misses = found.count(False)
    assert misses < 0.05 * 400 + 4 * (400 * 0.05 * 0.95) ** 0.5
    assert misses > 0


@pytest.mark.parametrize(("epochs", "most"), [(50, 0.12), (300, 0.08), (1000, 0.05)])
def test_a_criterion_that_wanders_without_rising_is_seldom_called_rising(epochs, most):
    """AR(1) with a correlation of 0.8, a slope above two errors; independent errors: 0.2 to 0.27.

    What is left is the noise of the correlation, which five to a hundred points do not fix.
    """
    random, count = np.random.default_rng(1), 600
    noise = random.normal(size=(count, epochs + 100))
    values = np.empty_like(noise)
    values[:, 0] = noise[:, 0]
    for epoch in range(1, epochs + 100):
        values[:, epoch] = 0.8 * values[:, epoch - 1] + noise[:, epoch]
    found = [rise(points_of(list(each))) for each in values[:, 100:]]
    rising = sum(slope > 2 * error for slope, error in found)
    assert rising < most * count + 4 * (count * most * (1 - most)) ** 0.5


def test_a_smooth_curve_that_still_rises_is_called_rising():
    epochs = np.arange(1, 301)
    for values in (-20 - 5 * np.exp(-epochs / 100), -20 - 300 / epochs):
        slope, error = rise(points_of(list(values)))
        assert slope > 10 * error


@pytest.mark.parametrize("length", [0, 1, 2])
def test_there_is_no_slope_of_fewer_than_three_points(length):
    assert rise(points_of([-1.0] * length)) is None
