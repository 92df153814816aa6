"""The gain of an estimate from half of its samples to all of them, and from a quarter to half."""

import pytest
import torch

from gmm_study.estimators import estimate_log_p
from tests.networks import DIMS, a_network, some_streams
from tests.oracle import all_states, enumerate_states, every_draw
from tests.z_tests import assert_every_mean_within_standard_errors

SIZES_OF_QUARTERS = {4: (1, 1, 1, 1), 5: (1, 1, 1, 2), 10: (2, 3, 2, 3), 100: (25,) * 4}
GAPS = {"log_p_gap", "log_p_gap_before"}


def log_mean(log_weights):
    return log_weights.logsumexp(-1) - torch.tensor(float(log_weights.shape[-1])).log()


def gaps_of(log_weights):
    """From K log-weights in the last dimension, by parts: all, two halves and four quarters."""
    quarters = log_weights.split(SIZES_OF_QUARTERS[log_weights.shape[-1]], dim=-1)
    halves = torch.cat(quarters[:2], dim=-1), torch.cat(quarters[2:], dim=-1)
    by_halves = sum(map(log_mean, halves)) / 2
    by_quarters = sum(map(log_mean, quarters)) / 4
    return log_mean(log_weights) - by_halves, by_halves - by_quarters


@pytest.mark.parametrize("samples", [4, 5])
def test_the_gaps_have_the_means_of_all_draws_of_k_states(samples):
    model = a_network(1500, spread=0.8, dims=3, sizes=(2, 1))
    data = all_states(3)[[0, 3, 6]]
    draws = every_draw(enumerate_states(model.parameters, data), samples)
    found = estimate_log_p(model, data, samples, some_streams(1500))
    for number, name in enumerate(("log_p_gap", "log_p_gap_before")):
        truth = draws.mean(lambda log_weights, number=number: gaps_of(log_weights)[number])
        assert_every_mean_within_standard_errors(found[name], truth)


@pytest.mark.parametrize("samples", [10, 100])
@pytest.mark.parametrize("chunk_rows", [3, 64, 5000])
def test_they_are_those_of_the_drawn_samples_whatever_the_chunks(samples, chunk_rows):
    model, drawn = a_network(2), []
    original = model.log_weights

    def remembered(data, part, streams):
        drawn.append(original(data, part, streams))
        return drawn[-1]

    model.log_weights = remembered
    data = all_states(DIMS)[:3]
    found = estimate_log_p(model, data, samples, some_streams(2), chunk_rows)
    in_order, rows = [], []
    for part in drawn:  # a chunk of datapoints gets all its samples before the next one
        rows.append(part)
        if sum(each.shape[-1] for each in rows) == samples:
            in_order.append(torch.cat(rows, dim=-1))
            rows = []
    gap, before = gaps_of(torch.cat(in_order, dim=1))
    torch.testing.assert_close(found["log_p_gap"], gap)
    torch.testing.assert_close(found["log_p_gap_before"], before)


def test_they_are_never_negative_and_vanish_for_a_perfect_proposal():
    found = estimate_log_p(a_network(3), all_states(DIMS), 12, some_streams(3))
    assert all((found[name] >= 0).all() for name in GAPS)
    model = a_network(1)
    model.log_weights = lambda data, part, streams: torch.full((1, data.shape[1], part), -2.5)
    found = estimate_log_p(model, all_states(DIMS), 12, some_streams())
    assert all(found[name].abs().max() < 1e-12 for name in GAPS)


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_fewer_than_four_samples_have_no_quarters_and_so_no_gaps(samples):
    assert not GAPS & set(estimate_log_p(a_network(), all_states(DIMS), samples, some_streams()))


def test_the_other_estimates_are_not_touched_by_the_gaps():
    """log p is the running logarithm of the sum of the weights, part by part, to the bit."""
    found = estimate_log_p(a_network(), all_states(DIMS)[:1], 10, some_streams(), chunk_rows=4)
    model, streams, total = a_network(), some_streams(), None
    for part in (4, 4, 2):
        new = model.log_weights(all_states(DIMS)[None, :1], part, streams).logsumexp(-1)
        total = new if total is None else torch.logaddexp(total, new)
    assert torch.equal(found["log_p"], total - torch.tensor(10.0).double().log())
