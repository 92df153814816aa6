"""The example's direction has the exact gradient of its bound as its mean."""

import pytest
import torch

from tests.networks import DIMS, a_network, some_streams
from tests.oracle import all_states, enumerate_states, every_draw, leaf_tensors
from tests.plugins.conftest import EXAMPLE
from tests.z_tests import assert_every_mean_within_standard_errors

SEEDS = 1500
SOME_X = all_states(DIMS)[[0, 5, 6, 14]]
networks = pytest.mark.parametrize(("sizes", "deterministic_layers"), [((3,), 1), ((2, 1, 1), 0)])


@pytest.fixture
def objective(monkeypatch):
    """The example's module, straight from its source."""
    monkeypatch.syspath_prepend(EXAMPLE)
    from gmm_study_rloo import objective

    return objective


def bound(log_weights):
    return log_weights.mean(-1)


def directions(objective, model):
    """What the objective adds to the gradient, `[R, P]`, every replicate an independent draw."""
    seeds = model.parameters.replicates
    model.parameters.grad.zero_()
    with torch.no_grad():
        objective.add_gradient(model, SOME_X.expand(seeds, -1, -1), some_streams(seeds))
    return model.parameters.grad


def exact_gradient(model, samples):
    """Of the mean over data of E[log w], `[P]`: every draw of K states, by autograd."""
    tensors = leaf_tensors(model.parameters)
    draws = every_draw(enumerate_states(tensors, SOME_X), samples)
    gradients = torch.autograd.grad(draws.mean(bound).mean(), list(tensors.values()))
    return torch.cat([gradient[0].flatten() for gradient in gradients])


@networks
@pytest.mark.parametrize(
    ("samples", "baseline"), [(2, "leave_one_out"), (3, "leave_one_out"), (2, "none")]
)
def test_the_mean_direction_is_the_exact_gradient_of_the_bound(
    objective, sizes, deterministic_layers, samples, baseline
):
    model = a_network(SEEDS, deterministic_layers, spread=0.8, sizes=sizes)
    found = directions(objective.Rloo(samples, baseline), model)
    assert_every_mean_within_standard_errors(found, exact_gradient(model, samples))


def test_the_baselines_narrow_the_spread_of_q(objective):
    model, spreads = a_network(SEEDS, spread=0.8), []
    for baseline in ("leave_one_out", "none"):
        found = directions(objective.Rloo(5, baseline), model)
        of_q = [v for name, v in model.parameters.views_of(found).items() if "inference" in name]
        spreads.append(torch.cat([v.flatten(1) for v in of_q], 1).var(0).sum())
    assert spreads[0] < 0.5 * spreads[1]


def test_the_signal_of_one_of_two_samples_is_its_log_weight_less_the_other(objective):
    log_weights = torch.randn(4, 3, 2, dtype=torch.float64)
    expected = log_weights - log_weights.flip(-1)
    torch.testing.assert_close(objective.learning_signals(log_weights), expected)


def test_the_bound_is_that_of_the_draws(objective):
    model = a_network(2)
    data = SOME_X.expand(2, -1, -1)
    rloo = objective.Rloo(4)
    expected = bound(model.log_weights(data, 4, some_streams(2)))
    for found in (
        rloo.add_gradient(model, data, some_streams(2)),
        rloo.estimates(model, data, some_streams(2))["bound"],
    ):
        torch.testing.assert_close(found, expected)


def test_the_example_has_fewer_than_a_hundred_lines_of_python():
    lines = [line for path in EXAMPLE.rglob("*.py") for line in path.read_text().splitlines()]
    assert 0 < len(lines) < 100
