"""Validation compares epochs, so every epoch is validated with the same random numbers."""

import pytest
import torch

from gmm_study.training.checkpoint import TRAINING_FILE, checkpoint_files, resume_training
from gmm_study.training.group import ReplicateGroup
from gmm_study.training.sealed import seal, unseal
from gmm_study.training.trainer import Trainer
from tests.training.small import (
    METHODS,
    a_dataset,
    assert_same_progress,
    some_hyperparameters,
    train,
)

DATA = a_dataset()
TRAIN, VALID = torch.from_numpy(DATA.train), torch.from_numpy(DATA.valid)


def validated(group):
    with torch.no_grad():
        return group.validate(VALID)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_parameters_are_validated_alike_at_every_epoch(method):
    group = ReplicateGroup(
        some_hyperparameters(method=method), DATA.dims, [0, 1], torch.device("cpu")
    )
    start, first = group.model.parameters.flat.clone(), validated(group)
    with torch.no_grad():
        group.train_epoch(TRAIN)
    assert not torch.equal(validated(group)["bound"], first["bound"])
    group.model.parameters.flat.copy_(start)
    for name, values in validated(group).items():
        assert torch.equal(values, first[name]), name


def test_a_learning_rate_of_almost_nothing_gives_an_almost_flat_curve():
    """Without common numbers the noise of 20 datapoints with K = 4 would be tenths of a nat."""
    settings = some_hyperparameters(learning_rate=1e-9, max_epochs=6)
    (replicate,) = train(Trainer(settings, DATA, [0])).replicates.values()
    bounds = [value for _, value in replicate.points("bound")]
    assert max(bounds) - min(bounds) < 1e-4


def test_replicates_are_validated_with_numbers_of_their_own():
    group = ReplicateGroup(some_hyperparameters(), DATA.dims, [0, 1], torch.device("cpu"))
    group.model.parameters.flat[1] = group.model.parameters.flat[0]
    first, second = validated(group)["bound"].tolist()
    assert first != second


def test_a_training_state_from_before_validation_used_common_numbers_is_taken_up():
    settings = some_hyperparameters()
    trainer = train(Trainer(settings, DATA, [0, 1]), 3)
    tensors = unseal(checkpoint_files(trainer)[TRAINING_FILE])
    tensors |= {f"{index}.stream.validation": torch.Generator().get_state() for index in (0, 1)}
    resumed = Trainer(settings, DATA, [0, 1])
    resume_training(resumed, seal(tensors))
    assert_same_progress(train(resumed), train(trainer))
