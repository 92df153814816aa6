"""Inpainting: the chain of p* with the visible part of x fixed, so its law is p*(hidden | visible).

This is `GibbsChain` with some dimensions of x fixed. It leaves the conditional of p* given them
invariant, as every update is towards a conditional of the same joint distribution.
"""

import torch
from torch import Tensor

from gmm_study.models import RandomStreams, SigmoidBeliefNetwork
from gmm_study.sampling.chain import GibbsChain
from gmm_study.sampling.latents import CANDIDATES


@torch.no_grad()
def inpainting_chain(
    model: SigmoidBeliefNetwork,
    data: Tensor,
    occluded: Tensor,
    chains: int,
    streams: RandomStreams,
    candidates: int = CANDIDATES,
) -> GibbsChain:
    """`chains` chains for each datapoint of `data` `[R, N, D]`; their x is `[R, N * chains, D]`.

    Chain c of datapoint i is row i * chains + c. `occluded` `[N, D]` marks the hidden dimensions,
    where the values of `data` are never read. They start as ancestral samples of p: the chain
    would leave random noise only slowly, as q was never trained on it.
    """
    visible = data.repeat_interleave(chains, dim=1)
    free = occluded.repeat_interleave(chains, dim=0)
    start = model.generate(visible.shape[1], streams).states[0].squeeze(2)
    start = torch.where(free, start, visible)
    return GibbsChain.from_data(model, start, streams, candidates, free[None, :, None, :])
