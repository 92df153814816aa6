"""Independent pixels: the model that a latent variable model has to beat."""

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 0.5
"""What is added to the count of either value of a pixel (Krichevsky and Trofimov, 1981)."""


def independent_log_likelihoods(
    train: NDArray[np.uint8], rows: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """log p [N] in nats of `rows` [N, D] of 0/1, with a Bernoulli of its own for every pixel.

    The means are those of `train` [M, D], smoothed: (ones + 1/2) / (M + 1). So no pixel has
    probability 0 or 1, and estimating the means costs about D / (2 M) nats of log p.
    """
    ones = train.sum(axis=0, dtype=np.float64)
    mean = (ones + SMOOTHING) / (len(train) + 2.0 * SMOOTHING)
    logit = np.log(mean) - np.log1p(-mean)
    log_likelihoods: NDArray[np.float64] = rows @ logit + np.log1p(-mean).sum()
    return log_likelihoods
