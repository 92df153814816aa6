"""An average of the parameters: its values, which of the two is kept, and where it begins."""

import numpy as np
import pytest
import torch

from gmm_study.training import passes
from gmm_study.training.average import ParameterAverage
from gmm_study.training.checkpoint import TRAINING_FILE, checkpoint_files, resume_training
from gmm_study.training.trainer import Trainer
from tests.training.small import (
    SideBySide,
    a_dataset,
    assert_same_progress,
    row_states,
    some_hyperparameters,
    train,
)

DATA = a_dataset()
EXPONENTIAL = {"parameter_average": "exponential", "average_decay": 0.8}
UNIFORM = {"parameter_average": "uniform", "average_from_epoch": 3}
KINDS = pytest.mark.parametrize("kind", [EXPONENTIAL, UNIFORM], ids=["exponential", "uniform"])
STAGES = {"stages": [{"max_epochs": 4}, {"max_epochs": 4, "batch_size": 9}]}
STEPS = {0: 3, 1: 5}
"""Steps an epoch in each stage."""


def recorded(monkeypatch, settings, epochs):
    """A trainer after some epochs, and the parameters `[P]` after each step of its replicate 0."""
    seen, original = [], ParameterAverage.step

    def step(average):
        original(average)
        seen.append(average.flat[0].double().numpy().copy())

    monkeypatch.setattr(ParameterAverage, "step", step)
    monkeypatch.setattr(passes, "MOST_RECORDED_STATES", 0)  # a replay calls no Python
    trainer = train(Trainer(settings, DATA, [0]), epochs)
    return trainer, seen


def average_of(seen, kind, first_step):
    """The average by its definition, from all parameters at once."""
    if "average_decay" in kind:
        weights = kind["average_decay"] ** np.arange(len(seen))[::-1]
    else:
        weights = np.ones(len(seen) - first_step)
        seen = seen[first_step:]
    return (weights[:, None] * np.stack(seen)).sum(0) / weights.sum()


@KINDS
@pytest.mark.parametrize("epochs", [1, 3, 5, 6])
def test_the_average_is_that_of_its_definition(monkeypatch, kind, epochs):
    settings = some_hyperparameters(max_epochs=7, **kind)
    trainer, seen = recorded(monkeypatch, settings, epochs)
    average = trainer.groups[0].average
    assert average.begun == (epochs >= 3 or kind is EXPONENTIAL)
    if average.begun:
        expected = average_of(seen, kind, first_step=2 * STEPS[0])
        np.testing.assert_allclose(average.value[0], expected, rtol=1e-4, atol=1e-6)


@KINDS
@pytest.mark.parametrize("epochs", [4, 5, 7])
def test_every_stage_has_a_fresh_average(monkeypatch, kind, epochs):
    settings = some_hyperparameters(**STAGES, **kind | {"average_from_epoch": 1})
    trainer, seen = recorded(monkeypatch, settings, epochs)
    assert trainer.replicates[0].stage == 1
    average, of_stage = trainer.groups[0].average, seen[4 * STEPS[0] :]
    assert len(of_stage) == (epochs - 4) * STEPS[1]
    assert average.steps == len(of_stage)
    if of_stage:
        expected = average_of(of_stage, kind, first_step=0)
        np.testing.assert_allclose(average.value[0], expected, rtol=1e-4, atol=1e-6)


@KINDS
def test_the_average_of_the_second_stage_does_not_know_the_first(kind):
    settings = some_hyperparameters(**STAGES, **kind)
    trainer = train(Trainer(settings, DATA, [0]), 5)
    state = row_states(trainer)[0]
    second = Trainer(settings, DATA, [0]).new_group([0], 1)
    start = train(Trainer(settings, DATA, [0]), 4)
    second.begin_stage([start.replicates[0].best_parameters], [row_states(start)[0]])
    with torch.no_grad():
        second.begin_epoch(1)
        second.train_epoch(torch.from_numpy(DATA.train))
    assert torch.equal(second.row_state(0)["average.value"], state["average.value"])


@KINDS
def test_an_average_leaves_the_training_itself_as_it_is(kind):
    settings = some_hyperparameters(max_epochs=6)
    with_one = train(Trainer(some_hyperparameters(max_epochs=6, **kind), DATA, [0]), 5)
    without = train(Trainer(settings, DATA, [0]), 5)
    for name, value in row_states(without)[0].items():
        assert torch.equal(value, row_states(with_one)[0][name]), name
    assert with_one.replicates[0].points("bound") == without.replicates[0].points("bound")
    assert without.replicates[0].kept is None


@KINDS
@pytest.mark.parametrize("kind_of_group", [Trainer, SideBySide])
@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5, 7])
def test_training_goes_on_bit_for_bit(kind, kind_of_group, stop):
    settings = some_hyperparameters(**STAGES, **kind)
    unstopped = train(kind_of_group(settings, DATA, [0, 1]))
    stopped = train(kind_of_group(settings, DATA, [0, 1]), stop)
    resumed = kind_of_group(settings, DATA, [0, 1])
    resume_training(resumed, checkpoint_files(stopped)[TRAINING_FILE])
    assert_same_progress(resumed, stopped)
    assert_same_progress(train(resumed), unstopped)


def test_the_better_of_the_two_is_kept_and_named():
    """At a high rate the average is better; with a long memory of the start, the raw ones are."""
    noisy = some_hyperparameters(max_epochs=30, learning_rate=0.2, patience=30, **EXPONENTIAL)
    slow = {"parameter_average": "exponential", "average_decay": 0.999999}
    early = some_hyperparameters(max_epochs=6, learning_rate=0.02, **slow)
    kept = []
    for settings in (noisy, early):
        trainer = train(Trainer(settings, DATA, [0]))
        (replicate,) = trainer.replicates.values()
        raw = dict(replicate.points("bound"))
        averaged = dict(replicate.points("bound_averaged"))
        best = max([*raw.values(), *averaged.values()])
        curve = raw if replicate.kept == "raw" else averaged
        assert replicate.best_bound == best == curve[replicate.best_epoch]
        group = trainer.new_group([0])
        group.model.parameters.flat[0] = replicate.best_parameters
        with torch.no_grad():
            found = group.validate(torch.from_numpy(DATA.valid))["bound"].item()
        assert found == best
        kept.append(replicate.kept)
    assert kept == ["averaged", "raw"]


def test_a_uniform_average_is_validated_from_its_first_epoch_on():
    settings = some_hyperparameters(max_epochs=6, **UNIFORM)
    (replicate,) = train(Trainer(settings, DATA, [0])).replicates.values()
    assert [epoch for epoch, _ in replicate.points("bound_averaged")] == [3, 4, 5, 6]


@pytest.mark.parametrize("decay", [1e-6, 0.5, 0.999, 1 - 1e-12])
def test_any_decay_and_any_number_of_steps_give_a_finite_average(decay):
    settings = some_hyperparameters(parameter_average="exponential", average_decay=decay)
    average = ParameterAverage(settings, torch.full((1, 2), 3.0))
    average.begin_epoch(1)
    average.step()
    assert torch.equal(average.value, average.flat)
    average.steps.fill_(1e9)
    average.step()
    assert torch.equal(average.value, average.flat)
