"""Small pictures that are made, the same ones whenever they are."""

import numpy as np
from numpy.typing import NDArray


def squares() -> dict[str, NDArray[np.uint8]]:
    """Rows of 16 pixels by split: a 2x2 square on a 4x4 grid, a pixel in twenty flipped."""
    random = np.random.RandomState(0)  # its streams are the same in every version of numpy
    rows = np.zeros((2_000, 4, 4), dtype=np.uint8)
    for row, (top, left) in zip(rows, random.randint(3, size=(2_000, 2)), strict=True):
        row[top : top + 2, left : left + 2] = 1
    rows ^= random.random_sample(rows.shape) < 0.05
    return dict(
        zip(("train", "valid", "test"), np.split(rows.reshape(-1, 16), (1_000, 1_500)), strict=True)
    )
