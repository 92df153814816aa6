"""Weights of annealed chains have their exact means, forwards and backwards, by enumeration."""

import dataclasses

import pytest
import torch

from gmm_study.estimators import HALF, WHOLE, Annealer
from gmm_study.estimators.annealed import follow, powers_between
from gmm_study.models.conditional import BernoulliConditional
from gmm_study.sampling import GibbsChain
from tests.networks import DIMS, a_network, some_streams
from tests.oracle import all_states, enumerate_states, numbers_of
from tests.z_tests import LIMIT, assert_mean_within_standard_errors

REPETITIONS = 800
EVERY_X = all_states(DIMS)


def a_model(repetitions=REPETITIONS):
    return a_network(repetitions, spread=1.0)


def an_annealer(model, chains, steps, **options):
    return Annealer(model, chains, steps, some_streams(model.parameters.replicates), **options)


def exact_states(exact, law, count, seed=3):
    """Exact draws of (x, h) from a law `[X, H]` in every repetition: `[R, count, 1, n]`."""
    generator = torch.Generator().manual_seed(seed)
    drawn = law.flatten().multinomial(REPETITIONS * count, True, generator=generator)
    x, h = drawn // law.shape[1], drawn % law.shape[1]
    layers = [exact.data[x], *(layer[h] for layer in exact.hidden)]
    return [layer.view(REPETITIONS, count, 1, -1) for layer in layers]


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_weights_of_the_way_forwards_have_the_sums_as_their_means(steps):
    model = a_model()
    exact = enumerate_states(model.parameters)
    found = an_annealer(model, 2, steps, candidates=3).of_data(EVERY_X, half=True)
    for end, truth in ((WHOLE, exact.log_p), (HALF, 0.5 * exact.log_p_tilde)):
        ratios = (found[end].forwards - truth[:, None]).exp().mean(2)
        assert_mean_within_standard_errors(ratios, torch.ones(len(truth), dtype=torch.float64))


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("end", [WHOLE, HALF])
def test_inverse_weights_of_the_way_back_from_exact_samples_have_the_inverse_sums(end, steps):
    model = a_model()
    exact = enumerate_states(model.parameters)
    law = exact.log_joint.exp() if end == WHOLE else exact.joint_star
    truth = exact.log_p if end == WHOLE else 0.5 * exact.log_p_tilde
    states = exact_states(exact, law, 4)
    found = an_annealer(model, 2, steps, candidates=3).of_samples(states, end)
    own = truth[numbers_of(states[0]).squeeze(2)].unsqueeze(2)
    one = torch.ones((), dtype=torch.float64)
    assert_mean_within_standard_errors((found.backwards + own).exp().mean((1, 2)), one)
    assert_mean_within_standard_errors((found.forwards - own).exp().mean((1, 2)), one)


@pytest.mark.parametrize("steps", [1, 6])
def test_weights_of_two_stacks_have_z2_as_their_mean_and_its_inverse_on_the_way_back(steps):
    model = a_model()
    exact = enumerate_states(model.parameters)
    one = torch.ones((), dtype=torch.float64)
    found, ends = an_annealer(model, 1, steps, candidates=3).of_z2(5)
    ratios = (found.forwards[:, 0] - exact.log_z2).exp().mean(1)
    assert_mean_within_standard_errors(ratios, one)
    assert [layer.shape[:3] for layer in ends] == [(REPETITIONS, 5, 1)] * len(ends)
    first, second = (exact_states(exact, exact.joint_star, 1, seed) for seed in (3, 4))
    h = exact.geometric_mean[numbers_of(first[0]).flatten()]
    h = h.multinomial(1, generator=torch.Generator().manual_seed(5)).squeeze(1)
    second = [layer[h].view(REPETITIONS, 1, 1, -1) for layer in exact.hidden]
    stacks = [torch.cat(pair, dim=1) for pair in zip(first[1:], second, strict=True)]
    chain = GibbsChain(model, [first[0], *stacks], some_streams(REPETITIONS, 1), 3)
    back = follow(chain, powers_between(HALF, 0.0, steps))
    assert_mean_within_standard_errors((back + exact.log_z2).exp()[:, 0], one)


def test_with_one_step_it_is_plain_importance_sampling():
    model, chains = a_model(2), 7
    found = an_annealer(model, chains, 1).of_data(EVERY_X, half=True)
    rows = EVERY_X.repeat_interleave(chains, 0).expand(2, -1, -1)
    plain = model.log_weights(rows, 1, some_streams(2)).view(2, len(EVERY_X), chains)
    torch.testing.assert_close(found[WHOLE].forwards, plain)
    torch.testing.assert_close(found[HALF].forwards, 0.5 * plain)


def test_more_steps_make_the_weights_more_equal():
    model = a_network(1, spread=2.0)
    few, many = (
        an_annealer(model, 60, steps).of_data(EVERY_X)[WHOLE].forwards.var(2).mean()
        for steps in (1, 12)
    )
    assert many < few


def test_a_way_back_from_ends_of_ways_forwards_comes_close_to_one_from_exact_samples():
    model, chains, some_x = a_model(1), 400, EVERY_X[[0, 5, 6, 14]]
    exact = enumerate_states(model.parameters, some_x)
    found = an_annealer(model, chains, 16).of_data(some_x)[WHOLE]
    ratios = (found.backwards[0] + exact.log_p[:, None]).exp()
    # The starts are drawn from as many chains, whose weights' error adds to that of the way back.
    weights = (found.forwards[0] - exact.log_p[:, None]).exp()
    error = ((ratios.var(1) + weights.var(1)) / chains).sqrt()
    assert ((ratios.mean(1) - 1.0).abs() < LIMIT * error).all()


@pytest.mark.parametrize(
    ("chains", "chunk_rows"), [(3, 1), (3, 20), (3, 64), (20, 64), (3, 100_000)]
)
def test_no_more_candidates_are_in_memory_than_asked_and_every_datapoint_has_its_chains(
    chains, chunk_rows, monkeypatch
):
    seen, original = [], BernoulliConditional.__call__

    def watched(conditional, parameters, state):
        seen.append(state.shape[1] * state.shape[2])
        return original(conditional, parameters, state)

    monkeypatch.setattr(BernoulliConditional, "__call__", watched)
    model, candidates = a_model(2), 5
    annealer = an_annealer(model, chains, 3, chunk_rows=chunk_rows, candidates=candidates)
    found = annealer.of_data(EVERY_X, half=True)
    of_z2, ends = annealer.of_z2(9)
    samples = annealer.of_samples([layer[:, :4] for layer in ends], HALF)
    assert max(seen) <= max(chunk_rows, 2 * candidates)  # a chain of p* has two stacks
    for weights in found.values():
        assert weights.forwards.shape == weights.backwards.shape == (2, len(EVERY_X), chains)
    assert of_z2.forwards.shape == of_z2.backwards.shape == (2, 1, 9)
    assert samples.forwards.shape == (2, 4, chains)
    assert weights.forwards.dtype == torch.float64


def test_the_work_is_what_is_done():
    model, done = a_model(1), []
    annealer = an_annealer(model, 3, 8, chunk_rows=50)
    annealer = dataclasses.replace(annealer, watch=done.append)
    samples = model.generate(4, some_streams()).states
    annealer.of_data(EVERY_X)
    annealer.of_samples(samples)
    assert sum(done) == annealer.work(len(EVERY_X), 4, 0)
    done.clear()
    annealer.of_data(EVERY_X, half=True)
    annealer.of_samples(samples)
    annealer.of_samples([layer[:, :4] for layer in annealer.of_z2(10)[1]], HALF)
    assert sum(done) == annealer.work(len(EVERY_X), 4, 10)
