"""Inpainting: the chain of p* with the visible part of x held, so its law is p*(hidden | visible).

The chain is that of `GibbsChain`: holding some dimensions of x leaves the conditional of p* given
them invariant, since every update is towards a conditional of the same joint distribution.
"""

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.sampling.chain import CANDIDATES, GibbsChain


@torch.no_grad()
def inpainting_chain(
    model: SigmoidBeliefNetwork,
    data: Tensor,
    occluded: Tensor,
    chains: int,
    streams: RandomStreams,
    candidates: int = CANDIDATES,
) -> GibbsChain:
    """`chains` chains a datapoint of `data` `[R, N, D]`, whose x is `[R, N * chains, D]`.

    Chain c of datapoint i is row i * chains + c. `occluded` `[N, D]` says which dimensions are
    hidden; the values of `data` there are never read. They start as those of ancestral samples
    of p, for the chain leaves noise, of which q knows nothing, only slowly.
    """
    visible = data.repeat_interleave(chains, dim=1)
    free = occluded.repeat_interleave(chains, dim=0)
    start = model.generate(visible.shape[1], streams).states[0].squeeze(2)
    start = torch.where(free, start, visible)
    return GibbsChain.from_data(model, start, streams, candidates, free[None, :, None, :])
