"""What is measured: methods, models, numbers of samples and of threads, and random data."""

from dataclasses import dataclass

import torch
from torch import Tensor

Row = dict[str, float | str]
"""One line of a table, a cell a column; whole numbers say which case it is."""

METHODS = ("gmm", "rws", "vae")
SAMPLES = (1, 10, 100)
THREADS = (1, 2)
BATCH = 100


@dataclass(frozen=True)
class Network:
    """The shape of a model."""

    data_dims: int
    sizes: tuple[int, ...]
    """Units of the latent layers from the data up."""


DEEP, MEDIUM, SMALL = "12 layers on 784", "200-200-200 on 112", "50-20-10 on 64"
MODELS = {
    DEEP: Network(784, (300, 200, 100, 75, 50, 35, 30, 25, 20, 15, 10, 10)),
    MEDIUM: Network(112, (200, 200, 200)),
    SMALL: Network(64, (50, 20, 10)),
}


def binary_rows(rows: int, network: Network) -> Tensor:
    """Random data `[rows, D]` of 0/1, of the type that data sets have."""
    return (torch.rand(rows, network.data_dims) < 0.3).to(torch.uint8)
