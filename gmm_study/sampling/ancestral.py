"""Samples of the generative model, from the top down."""

import torch
from torch import Tensor

from gmm_study.models import Model, RandomStreams


@torch.no_grad()
def sample_p(model: Model, count: int, streams: RandomStreams) -> tuple[Tensor, Tensor]:
    """Samples x ~ p of 0/1 and their means E[x | h], both `[R, count, D]`; of a vae, E[x | z]."""
    means = model.generate_means(count, streams)
    return streams.uniform(*means.shape[1:]).lt_(means), means
