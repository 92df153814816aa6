"""Log-probabilities stay exact for wide layers and for units that are all but certain."""

import pytest
import torch

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork, VariationalAutoencoder
from tests.oracle import log_p_and_q

WIDTH = 800


def a_wide_network(spread, dtype):
    model = SigmoidBeliefNetwork(WIDTH, [WIDTH, 3], 2, dtype=dtype)
    noise = RandomStreams(0, [0, 1], "parameters", dtype=dtype)
    model.parameters.flat += spread * noise.normal(model.parameters.flat.shape[1])
    return model


@pytest.mark.parametrize(
    ("spread", "dtype"),
    [(0.01, torch.float32), (30.0, torch.float32), (0.3, torch.float64), (30.0, torch.float64)],
)
def test_a_thousand_units_neither_underflow_nor_overflow(spread, dtype):
    model = a_wide_network(spread, dtype)
    draws = RandomStreams(1, [0, 1], "states", dtype=dtype)
    data = (draws.uniform(4, WIDTH) < 0.5).to(dtype)
    states = [data.unsqueeze(2)]
    states += [(draws.uniform(4, 3, units) < 0.5).to(dtype) for units in (WIDTH, 3)]
    log_p, log_q = model.score_generative(states).log_prob, model.score_inference(states).log_prob
    for replicate in range(2):
        mine = [state[replicate].double() for state in states]
        expected_p, expected_q = log_p_and_q(model.parameters, mine, replicate)
        tolerance = {"rtol": 1e-12 if dtype == torch.float64 else 1e-5, "atol": 0.0}
        torch.testing.assert_close(log_p[replicate].double(), expected_p, **tolerance)
        torch.testing.assert_close(log_q[replicate].double(), expected_q, **tolerance)


@pytest.mark.parametrize("bias", [-200.0, 200.0])
def test_an_all_but_certain_unit_costs_its_logit_when_it_errs_and_nothing_when_it_does_not(bias):
    model = SigmoidBeliefNetwork(2, [1], 1)
    model.parameters["generative.0.0.bias"][:] = bias
    states = [
        torch.tensor([[[0.0, 0.0]], [[0.0, 1.0]], [[1.0, 1.0]]])[None],
        torch.zeros(1, 3, 1, 1),
    ]
    errors = torch.tensor([0.0, 1.0, 2.0]) if bias < 0 else torch.tensor([2.0, 1.0, 0.0])
    top = torch.tensor(0.5).log()
    found = model.score_generative(states).log_prob[0, :, 0]
    torch.testing.assert_close(found, top - errors * abs(bias))


def test_the_autoencoders_likelihood_is_exact_for_all_but_certain_pixels():
    model = VariationalAutoencoder(2, [1], 1)
    model.parameters["decoder.0.bias"][0] = torch.tensor([200.0, -200.0])
    data = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]])
    found = model.log_likelihood(data, torch.zeros(1, 3, 1, 1))[0, :, 0]
    torch.testing.assert_close(found, torch.tensor([0.0, -200.0, -400.0]))
