"""Validation compares epochs, so every epoch is validated with the same random numbers."""

import json

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


CRITERIA = [
    {"criterion": "log_p"},
    {"criterion": "bound", "criterion_samples": 25},
    {"criterion": "log_p", "criterion_samples": 25},
    {"criterion": "log_p", "criterion_samples": 25, "parameter_average": "uniform"},
]


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda each: ",".join(map(str, each.values())))
@pytest.mark.parametrize("method", METHODS)
def test_the_epoch_that_is_kept_is_the_best_by_the_criterion(method, criterion):
    more = {"learning_rate": 0.1, "max_epochs": 15, "patience": 15}
    settings = some_hyperparameters(method=method, **more, **criterion)
    trainer = train(Trainer(settings, DATA, [0, 1]))
    for replicate in trainer.replicates.values():
        metric = "criterion" if "criterion_samples" in criterion else criterion["criterion"]
        ending = "_averaged" if replicate.kept == "averaged" else ""
        values = [
            value for name in (metric, f"{metric}_averaged") for _, value in replicate.points(name)
        ]
        curve, bounds = (dict(replicate.points(f"{name}{ending}")) for name in (metric, "bound"))
        assert replicate.best_criterion == max(values) == curve[replicate.best_epoch]
        assert replicate.best_bound == bounds[replicate.best_epoch]


def test_a_criterion_with_samples_of_its_own_is_that_estimate():
    settings = some_hyperparameters(criterion="log_p", criterion_samples=25)
    group = ReplicateGroup(settings, DATA.dims, [0, 1], torch.device("cpu"))
    more = some_hyperparameters(samples=25)
    other = ReplicateGroup(more, DATA.dims, [0, 1], torch.device("cpu"))
    found, expected = validated(group), validated(other)
    assert torch.equal(found["criterion"], expected["log_p"])
    plain = ReplicateGroup(some_hyperparameters(), DATA.dims, [0, 1], torch.device("cpu"))
    assert torch.equal(found["bound"], validated(plain)["bound"])


def test_training_stops_when_the_criterion_no_longer_improves(monkeypatch):
    script = iter([(-5.0, -9.0), (-4.0, -8.0), (-3.0, -8.5), (-2.0, -8.2), (-1.0, 0.0)])

    def validate(group, data):
        bound, log_p = next(script)
        return {"bound": torch.tensor([bound]), "log_p": torch.tensor([log_p])}

    monkeypatch.setattr(ReplicateGroup, "validate", validate)
    settings = some_hyperparameters(criterion="log_p", patience=2, max_epochs=9)
    (replicate,) = train(Trainer(settings, DATA, [0])).replicates.values()
    assert (replicate.epoch, replicate.best_epoch) == (4, 2)
    assert (replicate.best_criterion, replicate.best_bound) == (-8.0, -4.0)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_training_by_another_criterion_goes_on_bit_for_bit(stop):
    settings = some_hyperparameters(
        criterion="log_p", criterion_samples=9, parameter_average="exponential", validate_every=2
    )
    unstopped = train(Trainer(settings, DATA, [0, 1]))
    resumed = Trainer(settings, DATA, [0, 1])
    stopped = train(Trainer(settings, DATA, [0, 1]), stop)
    resume_training(resumed, checkpoint_files(stopped)[TRAINING_FILE])
    assert_same_progress(train(resumed), unstopped)


def test_a_state_without_a_criterion_has_the_bound_as_its_best():
    settings = some_hyperparameters()
    trainer = train(Trainer(settings, DATA, [0]), 3)
    tensors = unseal(checkpoint_files(trainer)[TRAINING_FILE])
    (progress,) = json.loads(tensors["progress"].numpy().tobytes())
    new = ("stage", "stage_start", "best_criterion", "kept", "ending")
    old = {name: value for name, value in progress.items() if name not in new}
    text = bytearray(json.dumps([old]).encode())
    tensors["progress"] = torch.frombuffer(text, dtype=torch.uint8)
    resumed = Trainer(settings, DATA, [0])
    resume_training(resumed, seal(tensors))
    assert_same_progress(resumed, trainer)


def test_a_training_state_from_before_validation_used_common_numbers_is_taken_up():
    settings = some_hyperparameters()
    trainer = train(Trainer(settings, DATA, [0, 1]), 3)
    tensors = unseal(checkpoint_files(trainer)[TRAINING_FILE])
    tensors |= {f"{index}.stream.validation": torch.Generator().get_state() for index in (0, 1)}
    resumed = Trainer(settings, DATA, [0, 1])
    resume_training(resumed, seal(tensors))
    assert_same_progress(train(resumed), train(trainer))
