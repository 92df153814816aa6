"""One step on a few units, whose target is any table, beside the table."""

import pytest
import torch

from gmm_study.models import RandomStreams
from gmm_study.sampling.resampling import resample
from tests.oracle import all_states, numbers_of
from tests.z_tests import LIMIT, z_scores

UNITS, CHAINS = 3, 10_000
LOGITS = torch.tensor([[2.0, -1.5, 1.0], [-2.5, 0.5, 2.0]])


def a_target(share=0.5):
    """The table of log_rest `[2^n]`, and the normalised target `[2^n]`."""
    table = torch.randn(2**UNITS, generator=torch.Generator().manual_seed(3))
    agreement = all_states(UNITS).float() @ (share * LOGITS[0] + (1.0 - share) * LOGITS[1])
    return table, (agreement + table).softmax(0).double()


def step(current, table, candidates, streams, free=None, share=0.5):
    one, other = (logits.expand(1, CHAINS, 1, UNITS) for logits in LOGITS)
    rest = lambda states: table[numbers_of(states)]  # noqa: E731
    return resample(current, (one, other), rest, candidates, streams, free, share)


def draws(target, seed=0):
    generator = torch.Generator().manual_seed(seed)
    numbers = target.multinomial(CHAINS, True, generator=generator)
    return all_states(UNITS)[numbers].float()[None, :, None, :]


@pytest.mark.parametrize("candidates", [2, 3, 10])
def test_a_step_from_the_target_ends_at_the_target(candidates):
    table, target = a_target()
    state, moved = draws(target), torch.zeros(1)
    for seed in range(3):
        state, changed = step(state, table, candidates, RandomStreams(seed, [0], "step"))
        moved = moved + changed.float().mean(1)
    assert z_scores(numbers_of(state), target).abs().max() < LIMIT
    assert moved.item() > 0.3


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_both_factors_of_the_target_may_have_any_share(share):
    table, target = a_target(share)
    state = draws(target)
    for seed in range(3):
        state, _ = step(state, table, 3, RandomStreams(seed, [0], "step"), share=share)
    assert z_scores(numbers_of(state), target).abs().max() < LIMIT


def test_every_row_may_have_a_share_of_its_own():
    table, first = a_target(0.2)
    _, second = a_target(0.9)
    share = torch.tensor([0.2, 0.9]).repeat_interleave(CHAINS // 2)[:, None, None]
    state = torch.cat([draws(first)[:, : CHAINS // 2], draws(second)[:, : CHAINS // 2]], dim=1)
    for seed in range(3):
        state, _ = step(state, table, 3, RandomStreams(seed, [0], "step"), share=share)
    # what is added to the logarithm of the target is shared, so only the shares differ
    for half, target in zip(state.chunk(2, dim=1), (first, second), strict=True):
        assert z_scores(numbers_of(half), target).abs().max() < LIMIT


def test_steps_of_some_units_come_to_the_conditional_given_the_others():
    table, target = a_target()
    for held in (0.0, 1.0):
        state = torch.full((1, CHAINS, 1, UNITS), held)
        streams = RandomStreams(0, [0], "step")
        free = torch.tensor([False, True, True])
        for _ in range(25):
            state, _ = step(state, table, 3, streams, free)
        assert (state[..., 0] == held).all()
        conditional = target * (all_states(UNITS)[:, 0] == held)
        conditional = conditional / conditional.sum()
        possible = conditional > 0.0
        scores = z_scores(numbers_of(state), conditional)[possible]
        assert scores.abs().max() < LIMIT
