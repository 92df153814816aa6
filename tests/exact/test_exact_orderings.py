"""The orderings of docs/spec.md#exact-values hold under enumeration, whatever the parameters."""

import pytest
import torch

from gmm_study.exact import exact_log_likelihoods
from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from tests.oracle import all_states

DIMS, SEEDS = 5, range(8)

networks = pytest.mark.parametrize(
    ("sizes", "deterministic_layers", "options"),
    [
        ([4], 1, {}),
        ([3, 2, 2, 1, 1], 0, {}),
        ([2, 1, 4, 2], 2, {}),
        ([3, 2], 0, {"probability_clip": 0.1, "top_prior": "fixed"}),
    ],
)
scales = pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])


def exact_values(sizes, deterministic_layers, options, scale):
    """Of every x under as many networks as there are seeds."""
    model = SigmoidBeliefNetwork(
        DIMS, sizes, len(SEEDS), deterministic_layers, dtype=torch.float64, **options
    )
    streams = RandomStreams(1, SEEDS, "parameters", dtype=torch.float64)
    model.initialise(streams)
    model.parameters.flat += scale * streams.normal(model.parameters.flat.shape[1])
    return exact_log_likelihoods(model, all_states(DIMS))


@networks
@scales
def test_the_orderings_hold_and_p_and_p_star_sum_to_one(
    sizes, deterministic_layers, options, scale
):
    exact = exact_values(sizes, deterministic_layers, options, scale)
    assert (exact["log_p_tilde"] <= exact["log_p"]).all()
    assert (exact["log_p_tilde"] <= exact["log_p_star"]).all()
    assert (exact["log_z2"] <= 0.0).all()
    assert ((exact["ess"] > 0.0) & (exact["ess"] <= 1.0)).all()
    assert (exact["ess"] <= exact["ess_star"]).all()
    one = torch.ones(len(SEEDS), dtype=torch.float64)
    for name in ("log_p", "log_p_star"):
        torch.testing.assert_close(exact[name].exp().sum(1), one, rtol=0.0, atol=1e-9)
