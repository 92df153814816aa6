"""L1 and L2 penalties take their gradient off the weights, and off nothing else."""

import pytest
import torch

from gmm_study.training.group import ReplicateGroup
from tests.training.small import a_dataset, some_hyperparameters

DATA = a_dataset()


def after_one_step(**settings):
    """The parameters before and after one step of plain ascent with step size 1."""
    hyperparameters = some_hyperparameters(
        optimizer="sgd", momentum=0, learning_rate=1, batch_size=40, **settings
    )
    group = ReplicateGroup(hyperparameters, DATA.dims, [0, 1], torch.device("cpu"))
    before = {name: group.model.parameters[name].clone() for name in group.model.parameters}
    with torch.no_grad():
        group.train_epoch(torch.from_numpy(DATA.train))
    return before, group.model.parameters


@pytest.mark.parametrize(
    ("method", "l1", "l2"), [("gmm", 0.3, 0.0), ("rws", 0.0, 0.7), ("gmm", 0.3, 0.7)]
)
def test_the_penalty_is_ascended_downwards_on_weights_alone(method, l1, l2):
    _, plain = after_one_step(method=method, deterministic_layers=1)
    before, penalised = after_one_step(method=method, deterministic_layers=1, l1=l1, l2=l2)
    for name in penalised:
        moved = penalised[name] - plain[name]
        if not name.endswith(".weight"):
            assert torch.equal(moved, torch.zeros_like(moved)), name
            continue
        weight = before[name].requires_grad_()
        (l1 * weight.abs().sum() + l2 * weight.square().sum()).backward()
        torch.testing.assert_close(moved, -weight.grad, rtol=1e-5, atol=1e-6)


def test_the_autoencoder_has_no_penalty():
    _, plain = after_one_step(method="vae")
    _, penalised = after_one_step(method="vae", l1=0.3, l2=0.7)
    assert torch.equal(plain.flat, penalised.flat)
