"""Samples of the generative model, from the top down."""

import torch
from torch import Tensor

from gmm_study.models import Model, RandomStreams


@torch.no_grad()
def sample_p(model: Model, count: int, streams: RandomStreams) -> tuple[Tensor, Tensor]:
    """Samples x ~ p of 0/1 and their means E[x | h], or E[x | z] of a vae, each `[R, count, D]`."""
    means = model.generate_means(count, streams)
    return streams.uniform(*means.shape[1:]).lt_(means), means
