"""Samples of trained models: ancestral ones of p, Gibbs chains of p*, and inpainting with them."""

from gmm_study.sampling.ancestral import sample_p
from gmm_study.sampling.chain import GibbsChain
from gmm_study.sampling.inpainting import inpainting_chain
from gmm_study.sampling.latents import CANDIDATES, LatentChain
from gmm_study.sampling.occlusion import occluded_dims

__all__ = [
    "CANDIDATES",
    "GibbsChain",
    "LatentChain",
    "inpainting_chain",
    "occluded_dims",
    "sample_p",
]
