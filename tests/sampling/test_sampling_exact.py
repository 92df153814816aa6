"""The chain's distribution beside p* by enumeration; tolerances are the counts' standard errors."""

from dataclasses import replace

import pytest
import torch

from gmm_study.models import RandomStreams
from gmm_study.sampling import GibbsChain, inpainting_chain, sample_p
from tests.estimators.enumeration import all_states
from tests.sampling.enumerable import (
    DIMS,
    Exact,
    chi_square_score,
    far_network,
    numbers_of,
    z_scores,
)

CASES = [((3,), 2), ((3,), 10), ((3, 2), 2), ((3, 2), 10), ((2, 3, 2), 2), ((2, 3, 2), 10)]
LIMIT = 4.0


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


@pytest.mark.parametrize(("sizes", "candidates"), CASES)
def test_chains_that_start_at_p_star_stay_there(sizes, candidates):
    model = far_network(sizes)
    exact = Exact.of(model)
    chain = run(GibbsChain(model, exact.draw(10_000), some_streams(), candidates), 3)
    assert distance(chain, exact.p_star) < LIMIT
    for stack in (0, 1):
        assert chi_square_score(x_and_h_of(chain, stack), exact.joint.flatten()) < LIMIT


@pytest.mark.parametrize(("sizes", "candidates", "sweeps"), [(*CASES[2], 25), (*CASES[5], 15)])
def test_chains_that_start_at_p_come_to_p_star(sizes, candidates, sweeps):
    model = far_network(sizes)
    exact = Exact.of(model)
    chain = GibbsChain.from_generated(model, 5_000, some_streams(), candidates)
    assert distance(chain, exact.p) < LIMIT
    assert distance(chain, exact.p_star) > 2 * LIMIT
    run(chain, sweeps)
    assert distance(chain, exact.p_star) < LIMIT
    assert distance(chain, exact.p) > 2 * LIMIT


@pytest.mark.parametrize(("sizes", "candidates", "sweeps"), [(*CASES[2], 25), (*CASES[5], 15)])
def test_inpainting_follows_p_star_of_the_hidden_given_the_visible(sizes, candidates, sweeps):
    model = far_network(sizes)
    p_star, states = Exact.of(model).p_star, all_states(DIMS)
    occluded = torch.tensor([True, False, True, False])
    data = torch.full((4, DIMS), 0.5)
    data[:, ~occluded] = all_states(2).float()
    hidden = occluded.expand(4, -1)
    chain = inpainting_chain(model, data[None], hidden, 1_500, some_streams(), candidates)
    run(chain, sweeps)
    for visible, x in zip(data[:, ~occluded], chain.data.view(4, 1_500, DIMS), strict=True):
        assert (x[:, ~occluded] == visible).all()
        conditional = p_star[(states[:, ~occluded] == visible).all(1)]
        scores = z_scores(numbers_of(x[:, occluded]), conditional / conditional.sum())
        assert scores.abs().max() < LIMIT


def test_tanh_layers_and_clipped_probabilities_keep_the_chain_exact():
    model = far_network((3, 2), deterministic_layers=1, probability_clip=0.1)
    hidden = all_states(5).split([3, 2], dim=1)
    states = [all_states(DIMS)[:, None], *(layer[None] for layer in hidden)]
    batch = [s.float().expand(16, 32, -1).reshape(1, 512, 1, -1) for s in states]
    log_p, log_q = model.score_generative(batch).log_prob, model.score_inference(batch).log_prob
    s = (0.5 * (log_p + log_q)).exp().view(16, 32).double()
    p_star = s.sum(1).square() / s.sum(1).square().sum()
    exact = replace(Exact.of(far_network((3, 2))), p_star=p_star, s=s)
    chain = run(GibbsChain(model, exact.draw(10_000), some_streams()), 3)
    assert distance(chain, p_star) < LIMIT


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


def test_a_sweep_tells_the_fraction_of_chains_it_moved_a_layer():
    model = far_network((3, 2), replicates=2)
    moved = GibbsChain.from_generated(model, 200, some_streams(0, (0, 1))).sweep()
    assert moved.shape == (2, 3)
    assert ((moved > 0.0) & (moved < 1.0)).all()


def test_ancestral_samples_follow_p():
    model = far_network((3, 2))
    data, means = sample_p(model, 10_000, some_streams())
    assert z_scores(numbers_of(data), Exact.of(model).p).abs().max() < LIMIT
    assert ((means > 0.0) & (means < 1.0)).all()
