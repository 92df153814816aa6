"""Weights of forward and reverse runs have their exact means, by enumeration."""

from collections import Counter

import pytest
import torch

from gmm_study.estimators import HALF, WHOLE, Annealer, annealed
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
def test_weights_of_forward_runs_have_the_sums_as_their_means(steps):
    model = a_model()
    exact = enumerate_states(model.parameters)
    found = an_annealer(model, 2, steps, candidates=3).of_data(EVERY_X, half=True)
    for end, truth in ((WHOLE, exact.log_p), (HALF, 0.5 * exact.log_p_tilde)):
        ratios = (found[end].forward - truth[:, None]).exp().mean(2)
        assert_mean_within_standard_errors(ratios, torch.ones(len(truth), dtype=torch.float64))


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("end", [WHOLE, HALF])
def test_inverse_weights_of_reverse_runs_from_exact_samples_have_the_inverse_sums(end, steps):
    model = a_model()
    exact = enumerate_states(model.parameters)
    law = exact.log_joint.exp() if end == WHOLE else exact.joint_star
    truth = exact.log_p if end == WHOLE else 0.5 * exact.log_p_tilde
    states = exact_states(exact, law, 4)
    found = an_annealer(model, 2, steps, candidates=3).of_samples(states, end)
    own = truth[numbers_of(states[0]).squeeze(2)].unsqueeze(2)
    one = torch.ones((), dtype=torch.float64)
    assert_mean_within_standard_errors((found.reverse + own).exp().mean((1, 2)), one)
    assert_mean_within_standard_errors((found.forward - own).exp().mean((1, 2)), one)


@pytest.mark.parametrize("steps", [1, 6])
def test_weights_of_two_stacks_have_z2_as_their_mean_and_its_inverse_in_reverse(steps):
    model = a_model()
    exact = enumerate_states(model.parameters)
    one = torch.ones((), dtype=torch.float64)
    found, _ = an_annealer(model, 1, steps, candidates=3).of_z2(5, 5)
    ratios = (found.forward[:, 0] - exact.log_z2).exp().mean(1)
    assert_mean_within_standard_errors(ratios, one)
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
    torch.testing.assert_close(found[WHOLE].forward, plain)
    torch.testing.assert_close(found[HALF].forward, 0.5 * plain)


def test_more_steps_make_the_weights_more_equal():
    model = a_network(1, spread=2.0)
    few, many = (
        an_annealer(model, 60, steps).of_data(EVERY_X)[WHOLE].forward.var(2).mean()
        for steps in (1, 12)
    )
    assert many < few


@pytest.mark.parametrize("steps", [1, 16])
def test_reverse_runs_from_final_states_of_forward_runs_come_close_to_those_from_samples(steps):
    """With one step this is due to the drawing of the final states by their weights alone."""
    model, chains, some_x = a_model(1), 400, EVERY_X[[0, 5, 6, 14]]
    exact = enumerate_states(model.parameters, some_x)
    found = an_annealer(model, chains, steps).of_data(some_x)[WHOLE]
    ratios = (found.reverse[0] + exact.log_p[:, None]).exp()
    # The starts are drawn from as many runs, whose weights' error adds to that of the reverse runs.
    weights = (found.forward[0] - exact.log_p[:, None]).exp()
    error = ((ratios.var(1) + weights.var(1)) / chains).sqrt()
    assert ((ratios.mean(1) - 1.0).abs() < LIMIT * error).all()


def test_every_forward_run_has_its_share_of_the_states_near_p_star():
    """No state occurs more or less often among a few than among all, but for the rounding."""
    model, draws, kept = a_network(1, spread=2.0, dims=40), 120, 20

    def copies(count):
        annealer = an_annealer(model, 1, 2, chunk_rows=800)
        data = annealer.of_z2(draws, count)[1][0].flatten(0, 2)
        return Counter(map(tuple, data.tolist()))

    of_all, of_some = copies(draws), copies(kept)
    assert max(of_all.values()) > draws / kept  # some weights are much larger than others
    for state, count in of_all.items():
        assert abs(of_some[state] - count * kept / draws) < 1.0


def test_copies_of_one_forward_run_move_apart_before_their_reverse_runs(monkeypatch):
    def first_of_all(log_weights, streams):
        return torch.zeros(log_weights.shape, dtype=torch.int64).flatten(1)

    monkeypatch.setattr(annealed, "_drawn", first_of_all)
    for steps, moved in ((3, False), (8, True)):
        states = an_annealer(a_model(1), 1, steps).of_z2(30, 30)[1]
        rows = torch.cat(states, dim=3).flatten(0, 2)
        assert (len(rows.unique(dim=0)) > 1) == moved


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
    of_z2, states = annealer.of_z2(9, 4)
    samples = annealer.of_samples(states, HALF)
    assert max(seen) <= max(chunk_rows, 2 * candidates)  # a chain of p* has two stacks
    for weights in found.values():
        assert weights.forward.shape == weights.reverse.shape == (2, len(EVERY_X), chains)
    assert [layer.shape[:3] for layer in states] == [(2, 4, 1)] * len(states)
    assert of_z2.forward.shape == of_z2.reverse.shape == (2, 1, 9)
    assert samples.forward.shape == (2, 4, chains)
    assert weights.forward.dtype == torch.float64
