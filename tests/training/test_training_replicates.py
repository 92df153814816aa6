"""Replicates train together as they would alone."""

import pytest
import torch

from gmm_study.training.group import ReplicateGroup
from gmm_study.training.state import TrialState
from gmm_study.training.trainer import Trainer
from tests.training.small import (
    OPTIMIZERS,
    SideBySide,
    a_dataset,
    assert_same_replicate,
    row_states,
    some_hyperparameters,
    train,
    without_seconds,
)

DATA = a_dataset()
TRAIN = torch.from_numpy(DATA.train)
VALID = torch.from_numpy(DATA.valid)


def a_group(replicates, **settings):
    return ReplicateGroup(
        some_hyperparameters(**settings), DATA.dims, replicates, torch.device("cpu")
    )


def an_epoch(group):
    """Curves of one more epoch, `[R]` each."""
    with torch.no_grad():
        return {"train": group.train_epoch(TRAIN), **group.validate(VALID)}


def assert_same_streams(state, other):
    names = [name for name in state if name.startswith("stream.")]
    assert len(names) > 1
    for name in names:
        assert torch.equal(state[name], other[name]), name


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("method", "optimizer"), [("gmm", "adam"), ("rws", "rmsprop"), ("vae", "sgd")]
)
def test_a_batched_group_computes_what_each_replicate_computes_alone(method, optimizer):
    settings = {"method": method, "optimizer": optimizer, "deterministic_layers": 1}
    together = a_group([0, 1, 2], **settings)
    alone = [a_group([index], **settings) for index in range(3)]
    for _ in range(4):
        curves = an_epoch(together)
        for row, group in enumerate(alone):
            for name, values in an_epoch(group).items():
                torch.testing.assert_close(curves[name][row], values[0], rtol=1e-4, atol=1e-4)
    for row, group in enumerate(alone):
        assert_same_streams(together.row_state(row), group.row_state(0))
        torch.testing.assert_close(
            together.parameters_of(row), group.parameters_of(0), rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_selected_rows_of_a_group_go_on_where_they_stood(optimizer):
    group = a_group([3, 5, 8], optimizer=optimizer)
    for _ in range(2):
        an_epoch(group)
    states = [group.row_state(row) for row in (2, 0)]
    chosen = group.select([2, 0], DATA.dims)
    assert chosen.replicates == [8, 3]
    for row, state in enumerate(states):
        for name, value in chosen.row_state(row).items():
            assert torch.equal(value, state[name]), name
    curves, of_all = an_epoch(chosen), an_epoch(group)
    for name, values in curves.items():
        torch.testing.assert_close(values, of_all[name][[2, 0]], rtol=1e-4, atol=1e-4)
    assert_same_streams(chosen.row_state(0), group.row_state(2))
    torch.testing.assert_close(chosen.model.parameters.flat, group.model.parameters.flat[[2, 0]])


@pytest.mark.sampled
@pytest.mark.parametrize("method", ["rws", "vae"])
def test_a_whole_training_side_by_side_ends_as_one_at_a_time(method):
    settings = some_hyperparameters(method=method, patience=2, max_epochs=15, learning_rate=0.03)
    one_at_a_time = train(Trainer(settings, DATA, range(6)))
    side_by_side = train(SideBySide(settings, DATA, range(6)))
    for index, expected in one_at_a_time.replicates.items():
        found = side_by_side.replicates[index]
        assert (found.state, found.epoch, found.best_epoch) == (
            expected.state,
            expected.epoch,
            expected.best_epoch,
        )
        curves = without_seconds(found.curve), without_seconds(expected.curve)
        for row, expected_row in zip(*curves, strict=True):
            assert row == expected_row | {"value": pytest.approx(expected_row["value"], rel=1e-3)}
    assert len({replicate.epoch for replicate in one_at_a_time.replicates.values()}) > 1


def test_replicates_of_one_seed_differ_and_another_seed_gives_others():
    trainer = train(Trainer(some_hyperparameters(), DATA, [0, 1]), 2)
    another = train(Trainer(some_hyperparameters(seed=1), DATA, [0]), 2)
    bounds = {
        replicate.best_bound for t in (trainer, another) for replicate in t.replicates.values()
    }
    assert len(bounds) == 3


@pytest.mark.parametrize("kind", [Trainer, SideBySide])
def test_a_replicate_that_has_stopped_is_not_stepped_and_its_streams_are_not_drawn_from(kind):
    settings = some_hyperparameters(patience=1, max_epochs=40, learning_rate=0.05, samples=2)
    trainer = kind(settings, DATA, [0, 1, 2, 3])
    while True:
        groups = list(trainer.groups)
        trainer.train_epoch()
        running = {index for group in trainer.groups for index in group.replicates}
        if len(running) < 4:
            break
    assert running
    ended = {
        index: (group, row)
        for group in groups
        for row, index in enumerate(group.replicates)
        if index not in running
    }
    before = {index: group.row_state(row) for index, (group, row) in ended.items()}
    epochs = {index: trainer.replicates[index].epoch for index in ended}
    curves = {index: list(trainer.replicates[index].curve) for index in ended}
    trainer.train_epoch()
    assert not set(row_states(trainer)) & set(ended)
    for index, (group, row) in ended.items():
        for name, value in group.row_state(row).items():
            assert torch.equal(value, before[index][name]), name
        assert trainer.replicates[index].epoch == epochs[index]
        assert trainer.replicates[index].curve == curves[index]


kinds_and_methods = pytest.mark.parametrize(
    ("kind", "method"),
    [(Trainer, "gmm"), (SideBySide, "gmm"), (SideBySide, "rws"), (SideBySide, "vae")],
)


@kinds_and_methods
def test_a_replicate_whose_parameters_are_poisoned_diverges_alone(kind, method):
    settings = some_hyperparameters(method=method)
    undisturbed = train(kind(settings, DATA, [0, 1]))
    trainer = train(kind(settings, DATA, [0, 1]), 2)
    trainer.groups[0].model.parameters.flat[0, 0] = torch.nan
    train(trainer)
    assert trainer.replicates[0].state == TrialState.DIVERGED
    assert trainer.replicates[0].epoch == 3
    if kind is Trainer:
        assert_same_replicate(trainer, undisturbed, 1)
    else:
        found, expected = trainer.replicates[1], undisturbed.replicates[1]
        assert (found.state, found.epoch) == (expected.state, expected.epoch)
        assert found.best_bound == pytest.approx(expected.best_bound, rel=1e-3)


@kinds_and_methods
def test_a_learning_rate_beyond_all_measure_ends_every_replicate_as_diverged(kind, method):
    settings = some_hyperparameters(method=method, optimizer="sgd", learning_rate=1e38)
    trainer = train(kind(settings, DATA, [0, 1]))
    assert {replicate.state for replicate in trainer.replicates.values()} == {TrialState.DIVERGED}
    assert all(replicate.epoch < 6 for replicate in trainer.replicates.values())
