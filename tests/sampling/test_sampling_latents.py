"""Chains along a path of laws beside the laws by enumeration; tolerances are the counts' errors."""

import pytest
import torch

from gmm_study.models import RandomStreams
from gmm_study.sampling import GibbsChain, LatentChain
from tests.networks import a_network
from tests.oracle import enumerate_states, numbers_of
from tests.z_tests import LIMIT, chi_square_score

CHAINS, FEW = 10_000, 3
X = 5
"""The number of the state of the data above which the latent chains run."""


def far_network(sizes, **options):
    return a_network(1, spread=1.5, seed=5, dtype=torch.float32, sizes=sizes, **options)


def law_of(exact, power):
    """p(x, h)^b q(h | x)^(1-b), normalised over h, of every x: `[X, H]`."""
    return (power * exact.log_joint + (1.0 - power) * exact.log_q).softmax(1)


def latent_chain(model, exact, law):
    """A chain that starts at exact draws of a law over h, above one x."""
    drawn = law[X].multinomial(CHAINS, True, generator=torch.Generator().manual_seed(0))
    layers = [exact.data[X].expand(CHAINS, -1), *(layer[drawn] for layer in exact.hidden)]
    states = [layer.float()[None, :, None, :] for layer in layers]
    return LatentChain(model, states, RandomStreams(0, [0], "chain"), FEW), drawn


def h_of(chain):
    return numbers_of(torch.cat(chain.states[1:], dim=3)).flatten()


@pytest.mark.sampled
@pytest.mark.parametrize("power", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize(
    ("sizes", "options"),
    [((3,), {}), ((2, 3, 2), {}), ((3, 2), {"deterministic_layers": 1, "probability_clip": 0.1})],
)
def test_a_sweep_leaves_its_law_of_the_latent_layers_invariant(sizes, options, power):
    model = far_network(sizes, **options)
    clip = options.get("probability_clip", 0.0)
    exact = enumerate_states(model.parameters, probability_clip=clip)
    law = law_of(exact, power)
    chain, _ = latent_chain(model, exact, law)
    for _ in range(3):
        chain.sweep(power)
    assert chi_square_score(h_of(chain), law[X]) < LIMIT
    other = law_of(exact, 1.0 - power if power != 0.5 else 0.0)
    assert chi_square_score(h_of(chain), other[X]) > LIMIT


def test_sweeps_come_from_one_law_to_another():
    model = far_network((2, 3, 2))
    exact = enumerate_states(model.parameters)
    chain, _ = latent_chain(model, exact, law_of(exact, 0.0))
    assert chi_square_score(h_of(chain), law_of(exact, 1.0)[X]) > LIMIT
    for _ in range(15):
        chain.sweep(1.0)
    assert chi_square_score(h_of(chain), exact.posterior[X]) < LIMIT


@pytest.mark.sampled
@pytest.mark.parametrize("power", [0.0, 0.2, 0.5])
def test_a_sweep_leaves_the_law_of_the_data_and_both_stacks_invariant(power):
    model = far_network((2, 1))
    exact = enumerate_states(model.parameters)
    one = (1.0 - power) * exact.log_joint + power * exact.log_q
    other = power * exact.log_joint + (1.0 - power) * exact.log_q
    hidden = exact.log_joint.shape[1]
    law = (one.unsqueeze(2) + other.unsqueeze(1)).flatten().softmax(0)
    drawn = law.multinomial(CHAINS, True, generator=torch.Generator().manual_seed(0))
    x, stacks = drawn // hidden**2, torch.cat([drawn // hidden % hidden, drawn % hidden])
    layers = [exact.data[x], *(layer[stacks] for layer in exact.hidden)]
    start = [layer.float()[None, :, None, :] for layer in layers]
    chain = GibbsChain(model, start, RandomStreams(0, [0], "chain"), FEW)
    for _ in range(3):
        chain.sweep(power)
    first, second = h_of(chain).chunk(2)
    numbers = (numbers_of(chain.data[0]) * hidden + first) * hidden + second
    assert (numbers != drawn).float().mean() > 0.3
    assert chi_square_score(numbers, law) < LIMIT


def test_the_slope_is_the_log_ratio_of_p_and_q():
    model = far_network((3, 2))
    exact = enumerate_states(model.parameters)
    chain, drawn = latent_chain(model, exact, law_of(exact, 0.5))
    ratio = exact.log_joint - exact.log_q
    torch.testing.assert_close(chain.log_ratio()[0], ratio[X, drawn], rtol=1e-4, atol=1e-4)
