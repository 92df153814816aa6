"""Training that was stopped goes on as if it had not been, to the last bit."""

import pytest
import torch

from gmm_study.training.checkpoint import TRAINING_FILE, checkpoint_files, resume_training
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.state import TrialState
from gmm_study.training.trainer import Trainer
from tests.training.small import (
    OPTIMIZERS,
    SideBySide,
    a_dataset,
    assert_same_progress,
    assert_same_replicate,
    row_states,
    some_hyperparameters,
    train,
    without_seconds,
)

DATA = a_dataset()


def stopped_and_resumed(trainer: Trainer, replicates=None) -> Trainer:
    """A fresh trainer that takes up what the files of the first one hold."""
    content = checkpoint_files(trainer)[TRAINING_FILE]
    wanted = list(trainer.replicates) if replicates is None else replicates
    fresh = type(trainer)(trainer.hyperparameters, trainer.dataset, wanted, trainer.device)
    resume_training(fresh, content)
    return fresh


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("kind", "method", "optimizer"),
    [
        (Trainer, "gmm", "adam"),
        (SideBySide, "gmm", "sgd"),
        (Trainer, "rws", "rmsprop"),
        (SideBySide, "rws", "adam"),
        (Trainer, "vae", "sgd"),
        (SideBySide, "vae", "rmsprop"),
    ],
)
def test_every_method_and_optimizer_resumes_bit_for_bit(kind, method, optimizer):
    settings = some_hyperparameters(method=method, optimizer=optimizer, deterministic_layers=1)
    unstopped = train(kind(settings, DATA, [0, 1]), 5)
    resumed = stopped_and_resumed(train(kind(settings, DATA, [0, 1]), 3))
    assert_same_progress(train(resumed, 2), unstopped)
    assert_same_progress(train(resumed), train(unstopped))


@pytest.mark.parametrize("settings", [{"momentum": 0, "optimizer": "sgd"}, {"bound": "iwae"}])
def test_other_settings_resume_bit_for_bit(settings):
    method = "vae" if "bound" in settings else "gmm"
    hyperparameters = some_hyperparameters(method=method, **settings)
    unstopped = train(Trainer(hyperparameters, DATA, [0, 1]))
    resumed = stopped_and_resumed(train(Trainer(hyperparameters, DATA, [0, 1]), 2))
    assert_same_progress(train(resumed), unstopped)


@pytest.mark.parametrize("kind", [Trainer, SideBySide])
@pytest.mark.parametrize("epochs", [1, 2, 5])
@pytest.mark.parametrize("stages", [[], [{"max_epochs": 3}, {"kl_warm_up_epochs": 2}]])
def test_a_kl_divergence_that_warms_up_resumes_bit_for_bit(kind, epochs, stages):
    settings = some_hyperparameters(method="vae", kl_warm_up_epochs=4, stages=stages)
    unstopped = train(kind(settings, DATA, [0, 1]))
    resumed = stopped_and_resumed(train(kind(settings, DATA, [0, 1]), epochs))
    assert_same_progress(train(resumed), unstopped)
    sudden = some_hyperparameters(
        method="vae", stages=[{**each, "kl_warm_up_epochs": 0} for each in stages]
    )
    with pytest.raises(AssertionError):
        assert_same_progress(train(kind(sudden, DATA, [0, 1])), unstopped)


@pytest.mark.sampled
@pytest.mark.parametrize("stops", [[0], [1], [6], [1, 1, 1], [2, 0, 3]])
def test_it_does_not_matter_when_or_how_often_training_was_stopped(stops):
    settings = some_hyperparameters()
    trainer = Trainer(settings, DATA, [0, 1])
    for epochs in stops:
        stopped = train(trainer, epochs)
        trainer = stopped_and_resumed(stopped)
        assert_same_progress(trainer, stopped)
    assert_same_progress(train(trainer), train(Trainer(settings, DATA, [0, 1])))


@pytest.mark.parametrize("kind", [Trainer, SideBySide])
def test_the_best_epoch_before_the_stop_is_remembered(kind):
    settings = some_hyperparameters(learning_rate=0.3, max_epochs=30, patience=30)
    trainer = kind(settings, DATA, [0, 1])
    while not all(r.best_epoch < r.epoch for r in trainer.replicates.values()):
        trainer.train_epoch()
    assert_same_progress(stopped_and_resumed(trainer), trainer)


def impatient(**settings) -> Hyperparameters:
    """Replicates stop early, each at an epoch of its own."""
    return some_hyperparameters(
        patience=1, max_epochs=40, learning_rate=0.05, samples=2, **settings
    )


@pytest.mark.parametrize("kind", [Trainer, SideBySide])
def test_a_replicate_that_has_stopped_early_stays_as_it_ended(kind):
    settings, indices = impatient(), [0, 1, 2, 3]
    trainer = kind(settings, DATA, indices)
    while len({replicate.state for replicate in trainer.replicates.values()}) == 1:
        trainer.train_epoch()
    ended = [r.index for r in trainer.replicates.values() if r.state == TrialState.COMPLETE]
    before = {index: trainer.replicates[index].best_parameters.clone() for index in ended}
    resumed = train(stopped_and_resumed(trainer))
    assert_same_progress(resumed, train(kind(settings, DATA, indices)))
    for index in ended:
        assert torch.equal(resumed.replicates[index].best_parameters, before[index])
    assert len({replicate.epoch for replicate in resumed.replicates.values()}) > 1


def test_a_replicate_that_has_diverged_stays_diverged():
    settings = some_hyperparameters()
    trainer = train(Trainer(settings, DATA, [0, 1]), 1)
    trainer.groups[0].model.parameters.flat.fill_(torch.nan)
    train(trainer, 1)
    resumed = stopped_and_resumed(trainer)
    assert [replicate.state for replicate in resumed.replicates.values()] == [
        TrialState.DIVERGED,
        TrialState.RUNNING,
    ]
    train(resumed)
    assert resumed.replicates[0].epoch == 2
    assert_same_replicate(resumed, train(Trainer(settings, DATA, [1])), 1)


@pytest.mark.parametrize("kind", [Trainer, SideBySide])
def test_more_replicates_after_completion_train_alone_and_leave_the_others_untouched(kind):
    settings = some_hyperparameters()
    two = train(kind(settings, DATA, [0, 1]))
    three = stopped_and_resumed(two, [0, 1, 2])
    assert [group.replicates for group in three.groups] == [[2]]
    train(three)
    assert_same_replicate(three, two, 0)
    assert_same_replicate(three, two, 1)
    assert_same_replicate(three, train(kind(settings, DATA, [2])), 2)
    best = three.best_model()
    assert torch.equal(best.parameters.flat[:2], two.best_model().parameters.flat)


def test_more_replicates_half_way_train_beside_the_others():
    settings = some_hyperparameters()
    three = stopped_and_resumed(train(Trainer(settings, DATA, [0, 1]), 3), [0, 1, 2])
    assert_same_progress(train(three), train(Trainer(settings, DATA, [0, 1, 2])))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_gpu_resumes_and_goes_on_when_a_replicate_stops(optimizer):
    settings = some_hyperparameters(optimizer=optimizer)
    unstopped = train(Trainer(settings, DATA, [0, 1, 2], "cuda"))
    trainer = stopped_and_resumed(train(Trainer(settings, DATA, [0, 1, 2], "cuda"), 2))
    trainer.groups[0].model.parameters.flat[1].fill_(torch.nan)
    train(trainer)
    assert trainer.replicates[1].state == TrialState.DIVERGED
    for index in (0, 2):
        torch.testing.assert_close(
            *(
                torch.tensor([row["value"] for row in without_seconds(t.replicates[index].curve)])
                for t in (trainer, unstopped)
            ),
            rtol=1e-4,
            atol=1e-4,
        )
    assert row_states(trainer) == {}
