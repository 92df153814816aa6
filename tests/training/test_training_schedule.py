"""The learning rate of an epoch is that of its formula, wherever training was stopped."""

import math

import numpy as np
import pytest

from gmm_study.errors import InputError
from gmm_study.training.checkpoint import TRAINING_FILE, checkpoint_files, resume_training
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.schedule import ends_fallen, learning_rate
from gmm_study.training.trainer import Trainer
from tests.training.small import a_dataset, assert_same_progress, some_hyperparameters, train

DATA = a_dataset()
RATE, FINAL, EPOCHS = 0.02, 0.001, 12


def rates(**settings):
    """The rates of all epochs."""
    defaults = {"learning_rate": RATE, "final_learning_rate": FINAL, "max_epochs": EPOCHS}
    chosen = Hyperparameters.from_mapping(defaults | settings)
    return [learning_rate(chosen, epoch) for epoch in range(1, chosen.max_epochs + 1)]


def along(shape, warm_up=0, hold=0):
    """The same by a second way: the whole curve at once, from its three pieces."""
    rising = np.linspace(0.0, RATE, warm_up + 2)[1:-1]
    fraction = np.linspace(0.0, 1.0, EPOCHS - warm_up - hold + 1)[1:]
    return [*rising, *[RATE] * hold, *shape(fraction)]


SHAPES = {
    "cosine": lambda f: FINAL + (RATE - FINAL) * np.cos(math.pi * f / 2.0) ** 2,
    "linear": lambda f: np.interp(f, [0.0, 1.0], [RATE, FINAL]),
    "exponential": lambda f: np.exp(np.interp(f, [0.0, 1.0], np.log([RATE, FINAL]))),
}


@pytest.mark.parametrize("epochs", [(0, 0), (3, 0), (0, 4), (3, 4), (1, 10)])
@pytest.mark.parametrize("kind", SHAPES)
def test_a_falling_rate_is_that_of_its_formula_and_ends_where_it_should(kind, epochs):
    warm_up, hold = epochs
    found = rates(schedule=kind, warm_up_epochs=warm_up, hold_epochs=hold)
    assert found == pytest.approx(along(SHAPES[kind], warm_up, hold), rel=1e-12)
    assert found[-1] == FINAL
    assert found[warm_up : warm_up + hold] == [RATE] * hold
    falling = found[warm_up + hold :]
    assert falling == sorted(falling, reverse=True)


def test_a_rate_in_steps_is_multiplied_after_so_many_epochs():
    found = rates(schedule="step", step_epochs=3, step_factor=0.5, warm_up_epochs=1, hold_epochs=2)
    steps = [0.5, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert found == pytest.approx([RATE * step for step in steps], rel=1e-12)


def test_a_constant_rate_is_the_number_that_was_given():
    assert rates() == [RATE] * EPOCHS
    assert rates(warm_up_epochs=3) == pytest.approx(
        [RATE / 4, RATE / 2, RATE * 3 / 4, *[RATE] * 9], rel=1e-12
    )


@pytest.mark.parametrize(
    ("settings", "fallen"),
    [
        ({"schedule": "cosine"}, True),
        ({"schedule": "cosine", "hold_epochs": 11}, True),
        ({"schedule": "cosine", "hold_epochs": 12}, False),
        ({"schedule": "linear", "warm_up_epochs": 20}, False),
        ({"schedule": "step", "step_epochs": 11}, True),
        ({"schedule": "step", "step_epochs": 12}, False),
        ({"warm_up_epochs": 20}, False),
        ({}, False),
    ],
)
def test_it_is_known_whether_the_rate_has_fallen_by_the_last_epoch(settings, fallen):
    assert ends_fallen(Hyperparameters(max_epochs=EPOCHS, learning_rate=RATE, **settings)) is fallen


def test_a_rate_that_would_rise_is_refused_where_it_is_read():
    low = {"learning_rate": 1e-6}
    with pytest.raises(InputError, match=r"^final_learning_rate: 1e-05 must be at most the learn"):
        Hyperparameters(schedule="cosine", **low)
    Hyperparameters(schedule="step", **low)
    Hyperparameters(**low)


@pytest.mark.parametrize(
    "unread",
    [
        {"hold_epochs": 3},
        {"final_learning_rate": 1e-4},
        {"step_epochs": 3},
        {"schedule": "cosine", "step_factor": 0.5},
        {"schedule": "step", "final_learning_rate": 1e-4},
    ],
)
def test_a_setting_of_another_schedule_is_not_read(unread):
    name = list(unread)[-1]
    with pytest.raises(InputError, match=f"^{name}: .*would have no effect; it needs schedule"):
        Hyperparameters(**unread).refuse_unread({name: unread[name]})


MOVING = {"warm_up_epochs": 2, "schedule": "cosine", "hold_epochs": 2, "max_epochs": 8}


@pytest.mark.parametrize("stop", range(1, 8))
def test_training_that_was_stopped_goes_on_at_the_rate_of_its_epoch(stop):
    settings = some_hyperparameters(**MOVING, patience=8)
    unstopped = train(Trainer(settings, DATA, [0, 1]))
    stopped = train(Trainer(settings, DATA, [0, 1]), stop)
    resumed = Trainer(settings, DATA, [0, 1])
    resume_training(resumed, checkpoint_files(stopped)[TRAINING_FILE])
    assert_same_progress(train(resumed), unstopped)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_an_epoch_at_another_rate_moves_the_parameters_in_proportion(optimizer):
    """The first step of every optimiser here is proportional to the rate."""

    def moved(**settings):
        chosen = some_hyperparameters(optimizer=optimizer, batch_size=40, max_epochs=1, **settings)
        trainer = Trainer(chosen, DATA, [0])
        before = trainer.groups[0].parameters_of(0)
        return train(trainer).best_model().parameters.flat[0] - before

    full, half = moved(), moved(warm_up_epochs=1)
    np.testing.assert_allclose(half, full / 2.0, rtol=2e-3, atol=1e-6)
    assert full.abs().max() > 1e-5
