"""Steps on the flat buffer are those of torch's own optimisers, whose state can be taken up."""

import pytest
import torch

from gmm_study.models.parameters import Parameters
from gmm_study.training.optimizers import build_optimizer
from tests.training.small import some_hyperparameters

REPLICATES, UNITS, STEPS = 2, 37, 5
OPTIMIZERS = {
    "adam": ({"optimizer": "adam"}, lambda flat: torch.optim.Adam(flat, 0.01, maximize=True)),
    "rmsprop": (
        {"optimizer": "rmsprop"},
        lambda flat: torch.optim.RMSprop(flat, 0.01, maximize=True),
    ),
    "rmsprop with another decay": (
        {"optimizer": "rmsprop", "rmsprop_decay": 0.9},
        lambda flat: torch.optim.RMSprop(flat, 0.01, alpha=0.9, maximize=True),
    ),
    "sgd": (
        {"optimizer": "sgd", "momentum": 0.0},
        lambda flat: torch.optim.SGD(flat, 0.01, maximize=True),
    ),
    "sgd with momentum": (
        {"optimizer": "sgd", "momentum": 0.9},
        lambda flat: torch.optim.SGD(flat, 0.01, momentum=0.9, maximize=True),
    ),
}


def parameters(values):
    made = Parameters({"weight": (UNITS,)}, REPLICATES)
    made.flat.copy_(values)
    return made


def ours_and_torchs(name, values):
    settings, build = OPTIMIZERS[name]
    flat = parameters(values)
    theirs = values.clone().requires_grad_()
    ours = build_optimizer(some_hyperparameters(learning_rate=0.01, **settings), flat)
    return ours, flat, build([theirs]), theirs


def step(ours, flat, torchs, theirs, gradient):
    flat.grad.copy_(gradient)
    theirs.grad = gradient.clone()
    ours.step()
    torchs.step()


def torchs_rows(torchs, theirs):
    state = {
        name: value
        for name, value in torchs.state[theirs].items()
        if isinstance(value, torch.Tensor)
    }
    return [
        {name: value[row] if value.dim() else value for name, value in state.items()}
        for row in range(REPLICATES)
    ]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_and_state_are_those_of_torchs_class(name):
    values = torch.randn(REPLICATES, UNITS)
    ours, flat, torchs, theirs = ours_and_torchs(name, values)
    for _ in range(STEPS):
        step(ours, flat, torchs, theirs, torch.randn(REPLICATES, UNITS))
    torch.testing.assert_close(flat.flat, theirs.detach(), rtol=1e-5, atol=1e-7)
    assert not torch.equal(flat.flat, values)
    for row, expected in enumerate(torchs_rows(torchs, theirs)):
        found = ours.row_state(row)
        assert found.keys() == expected.keys()
        for moment, value in expected.items():
            torch.testing.assert_close(found[moment], value, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_rate_in_memory_gives_the_steps_of_the_number_and_can_be_changed(name):
    values = torch.randn(REPLICATES, UNITS)
    one, its_flat, *_ = ours_and_torchs(name, values)
    other, other_flat, *_ = ours_and_torchs(name, values)
    other.put_rate_in_memory()
    place = other.learning_rate.data_ptr()
    for rate in (0.01, 0.003, 0.02):
        gradient = torch.randn(REPLICATES, UNITS)
        for optimizer, flat in ((one, its_flat), (other, other_flat)):
            optimizer.set_learning_rate(rate)
            flat.grad.copy_(gradient)
            optimizer.step()
        assert torch.equal(its_flat.flat, other_flat.flat)
    assert other.learning_rate.data_ptr() == place


def test_the_steps_of_rmsprop_are_torchs_to_the_last_bit():
    values = torch.randn(REPLICATES, UNITS)
    ours, flat, torchs, theirs = ours_and_torchs("rmsprop", values)
    for _ in range(STEPS):
        step(ours, flat, torchs, theirs, torch.randn(REPLICATES, UNITS))
        assert torch.equal(flat.flat, theirs.detach())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_that_torchs_class_left_is_taken_up(name):
    values = torch.randn(REPLICATES, UNITS)
    _, _, torchs, theirs = ours_and_torchs(name, values)
    for _ in range(STEPS):
        theirs.grad = torch.randn(REPLICATES, UNITS)
        torchs.step()
    ours, flat, *_ = ours_and_torchs(name, theirs.detach().clone())
    ours.restore(torchs_rows(torchs, theirs))
    for _ in range(STEPS):
        step(ours, flat, torchs, theirs, torch.randn(REPLICATES, UNITS))
    torch.testing.assert_close(flat.flat, theirs.detach(), rtol=1e-5, atol=1e-7)
