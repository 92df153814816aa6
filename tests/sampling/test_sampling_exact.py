"""The chain's distribution beside p* by enumeration; tolerances are the counts' standard errors."""

import pytest
import torch

from gmm_study.models import RandomStreams
from gmm_study.sampling import GibbsChain, inpainting_chain, sample_p
from tests.networks import DIMS, a_network
from tests.oracle import all_states, enumerate_states, numbers_of
from tests.z_tests import LIMIT, chi_square_score, z_scores

FEW, MANY = 2, 10
"""Candidates among which an update chooses."""


def far_network(sizes, replicates=1, **options):
    """A network whose p, ptilde and p* are far from each other."""
    return a_network(replicates, spread=1.5, seed=5, dtype=torch.float32, sizes=sizes, **options)


def draws_of_p_star(exact, chains):
    """States (x, h, h') of exact draws, as a chain keeps them: both stacks in one batch."""
    generator = torch.Generator().manual_seed(0)
    x = exact.log_p_star.exp().multinomial(chains, True, generator=generator)
    stacks = exact.geometric_mean[x.repeat(2)].multinomial(1, generator=generator).squeeze(1)
    states = [exact.data[x], *(layer[stacks] for layer in exact.hidden)]
    return [state.float()[None, :, None, :] for state in states]


def some_streams(seed=0, replicates=(0,)):
    return RandomStreams(seed, replicates, "chain")


def run(chain, sweeps):
    for _ in range(sweeps):
        chain.sweep()
    return chain


def x_of(chain):
    return numbers_of(chain.data)


def x_and_h_of(chain, stack):
    latents = [layer.chunk(2, dim=1)[stack] for layer in chain.states[1:]]
    numbers = numbers_of(torch.cat(latents, dim=3)).squeeze(2)
    return x_of(chain) * 2 ** sum(layer.shape[3] for layer in latents) + numbers


def distance(chain, distribution):
    """The largest z-score of the chains' x under a distribution `[X]`."""
    return z_scores(x_of(chain), distribution).abs().max()


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("sizes", "candidates", "options"),
    [
        ((3,), FEW, {}),
        ((3, 2), MANY, {"deterministic_layers": 1, "probability_clip": 0.1}),
        ((2, 3, 2), FEW, {}),
    ],
)
def test_chains_that_start_at_p_star_stay_there(sizes, candidates, options):
    model = far_network(sizes, **options)
    clip = options.get("probability_clip", 0.0)
    exact = enumerate_states(model.parameters, probability_clip=clip)
    chain = GibbsChain(model, draws_of_p_star(exact, 10_000), some_streams(), candidates)
    run(chain, 3)
    assert distance(chain, exact.log_p_star.exp()) < LIMIT
    for stack in (0, 1):
        assert chi_square_score(x_and_h_of(chain, stack), exact.joint_star.flatten()) < LIMIT


def test_chains_that_start_at_p_come_to_p_star():
    model = far_network((2, 3, 2))
    exact = enumerate_states(model.parameters)
    p, p_star = exact.log_p.exp(), exact.log_p_star.exp()
    chain = GibbsChain.from_generated(model, 5_000, some_streams(), MANY)
    assert distance(chain, p) < LIMIT
    assert distance(chain, p_star) > 2 * LIMIT
    run(chain, 15)
    assert distance(chain, p_star) < LIMIT
    assert distance(chain, p) > 2 * LIMIT


def test_inpainting_follows_p_star_of_the_hidden_given_the_visible():
    model = far_network((3, 2))
    p_star, states = enumerate_states(model.parameters).log_p_star.exp(), all_states(DIMS)
    occluded = torch.tensor([True, False, True, False])
    data = torch.full((4, DIMS), 0.5)
    data[:, ~occluded] = all_states(2).float()
    hidden = occluded.expand(4, -1)
    chain = inpainting_chain(model, data[None], hidden, 1_500, some_streams(), FEW)
    run(chain, 25)
    for visible, x in zip(data[:, ~occluded], chain.data.view(4, 1_500, DIMS), strict=True):
        assert (x[:, ~occluded] == visible).all()
        conditional = p_star[(states[:, ~occluded] == visible).all(1)]
        scores = z_scores(numbers_of(x[:, occluded]), conditional / conditional.sum())
        assert scores.abs().max() < LIMIT


def test_every_datapoint_can_have_its_own_dimensions_hidden():
    data = torch.tensor([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.0]])
    occluded = torch.tensor([[True, False, False, False], [False, True, True, False]])
    chain = inpainting_chain(far_network((3, 2)), data[None], occluded, 50, some_streams())
    run(chain, 5)
    changed = (chain.data.view(2, 50, DIMS) != data[:, None]).any(1)
    assert changed.tolist() == occluded.tolist()
    held = (chain.means().view(2, 50, DIMS) == data[:, None]).all(1)
    assert held.tolist() == (~occluded).tolist()


def test_what_is_hidden_is_never_read():
    data, occluded = torch.zeros(1, 1, DIMS), torch.tensor([[True, True, False, False]])
    model, other = far_network((3, 2)), data.clone()
    other[..., :2] = torch.tensor([0.3, 1.0])
    one, two = (
        run(inpainting_chain(model, x, occluded, 20, some_streams()), 5) for x in (data, other)
    )
    assert torch.equal(one.data, two.data)


def test_a_replicate_draws_alone_what_it_draws_among_others():
    model, single = far_network((3, 2), replicates=3), far_network((3, 2))
    model.parameters.flat[0] *= 0.5
    among = run(GibbsChain.from_generated(model, 20, some_streams(0, (0, 1, 2))), 5)
    alone = run(GibbsChain.from_generated(single, 20, some_streams(0, (2,))), 5)
    for mine, others in zip(alone.states, among.states, strict=True):
        assert torch.equal(mine[0], others[2])


def test_a_sweep_returns_the_fraction_of_chains_that_it_moved_in_each_layer():
    model = far_network((3, 2), replicates=2)
    moved = GibbsChain.from_generated(model, 200, some_streams(0, (0, 1))).sweep()
    assert moved.shape == (2, 3)
    assert ((moved > 0.0) & (moved < 1.0)).all()


def test_ancestral_samples_follow_p():
    model = far_network((3, 2))
    data, means = sample_p(model, 10_000, some_streams())
    p = enumerate_states(model.parameters).log_p.exp()
    assert z_scores(numbers_of(data), p).abs().max() < LIMIT
    assert ((means > 0.0) & (means < 1.0)).all()
