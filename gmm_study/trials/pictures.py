"""The pictures in the record of a trial on image data.

    pictures/samples.png          the means p(x | h) of ancestral samples of p
    pictures/samples_p_star.png   the means p(x | h_1) of samples of p* (gmm)
    pictures/chain.gif            an animation of their chains, which start at samples of p (gmm)
    pictures/inpainting.png       test images with the upper half hidden, completed by p* (gmm)

They depend only on the seed, the replicate and its model. The chains of p* are few and short, and
shorter still for a large model or one that was trained for few epochs, so that they take seconds
and less time than the training. `gmm-study sample` and `gmm-study inpaint` run longer ones.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gmm_study.data import Dataset
from gmm_study.models import Model, RandomStreams, SigmoidBeliefNetwork
from gmm_study.sampling import (
    CANDIDATES,
    GibbsChain,
    inpainting_chain,
    occluded_dims,
    sample_p,
)
from gmm_study.sampling.images import completions_grid, gif, grid, png
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.record import Record

SAMPLES = 100
P_STAR_SAMPLES, COMPLETED, COMPLETIONS = 36, 8, 5
LEAST_SWEEPS, MOST_SWEEPS, SWEEPS_A_FRAME = 10, 60, 2
MOST_PRODUCTS = 2e10
"""The approximate limit on multiplications (parameters with states) for one picture of p*."""


def write_pictures(
    record: Record,
    hyperparameters: Hyperparameters,
    model: Model,
    dataset: Dataset,
    replicate: int,
    epochs: int,
) -> None:
    """Write the pictures for the model of one replicate; none if the data are not images.

    The chains of p* make one sweep for each of the `epochs` of training, within limits.
    """
    if dataset.image_shape is None:
        return
    shape, seed, device = dataset.image_shape, hyperparameters.seed, model.parameters.flat.device
    streams = RandomStreams(seed, [replicate], "pictures", device)
    _, means = sample_p(model, SAMPLES, streams)
    record.write_file("pictures/samples.png", png(grid(means[0], shape)))
    if not isinstance(model, SigmoidBeliefNetwork) or not hyperparameters.declaration.has_p_star:
        return
    chain = GibbsChain.from_generated(model, P_STAR_SAMPLES, streams)
    frames = [grid(means, shape) for means in _moving_means(chain, epochs)]
    record.write_file("pictures/samples_p_star.png", png(frames[-1]))
    record.write_file("pictures/chain.gif", gif(frames))
    picture = _inpainting(model, dataset.test, shape, streams, epochs)
    record.write_file("pictures/inpainting.png", picture)


def _inpainting(
    model: SigmoidBeliefNetwork,
    test: NDArray[np.uint8],
    shape: tuple[int, int],
    streams: RandomStreams,
    epochs: int,
) -> bytes:
    flat = model.parameters.flat
    rows = streams.permutations(len(test))[0, :COMPLETED].cpu().numpy()
    data = torch.from_numpy(test[rows]).to(flat.device, flat.dtype)
    occluded = occluded_dims("top", len(data), data.shape[1], shape, streams).to(flat.device)
    chain = inpainting_chain(model, data[None], occluded, COMPLETIONS, streams)
    *_, means = _moving_means(chain, epochs)
    completions = means.unflatten(0, (-1, COMPLETIONS))
    return png(completions_grid(data, occluded, completions, shape))


def _moving_means(chain: GibbsChain, epochs: int) -> Iterator[Tensor]:
    """The chains' means `[C, D]` at the start and after every few sweeps, at most one per epoch."""
    yield chain.means()[0]
    products = chain.states[0].shape[1] * CANDIDATES * chain.model.parameters.flat.shape[1]
    affordable = max(LEAST_SWEEPS, int(MOST_PRODUCTS / products))
    sweeps = min(MOST_SWEEPS, epochs, affordable)
    for done in range(1, sweeps + 1):
        chain.sweep()
        if done % SWEEPS_A_FRAME == 0 or done == sweeps:
            yield chain.means()[0]
