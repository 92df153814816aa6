"""The data sets that need no file of their own: scikit-learn's digits, and bars and stripes.

Both draw from `RandomState`, whose streams are the same in every version of numpy: a data set's
checksum is part of the identity of the trials that use it.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmm_study.data.dataset import SPLITS, binary_rows
from gmm_study.errors import InputError

BARS_SIDE = 4
BARS_ROWS = 5_000


def digits_splits() -> dict[str, NDArray[np.uint8]]:
    """The 1,797 8x8 digits bundled with scikit-learn, 1 where a pixel (0 to 16) exceeds 7."""
    rows = (_digits() > 7).astype(np.uint8)
    shuffled = rows[np.random.RandomState(0).permutation(len(rows))]
    return dict(zip(SPLITS, np.split(shuffled, [1_197, 1_497]), strict=True))


def _digits() -> NDArray[np.float64]:
    """Pixels [1797, 64], from scikit-learn's file if possible, as importing it takes seconds."""
    package = find_spec("sklearn")
    if package is not None and package.origin is not None:
        file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            return np.loadtxt(file, delimiter=",", usecols=range(64))
    from sklearn.datasets import load_digits

    return np.asarray(load_digits().data)


def bars_splits() -> dict[str, NDArray[np.uint8]]:
    """Bars and stripes on a 4x4 grid, 5,000 a split: a fair coin decides between rows and columns,
    then every one of the four lines is on with probability 1/2.
    """
    return {split: _bars(np.random.RandomState(seed)) for seed, split in enumerate(SPLITS)}


def bars_log_likelihood(x: ArrayLike) -> NDArray[np.float64]:
    """Exact log-probabilities [N] in nats of images [N, 16] under bars and stripes.

    An image of whole rows, or of whole columns, has probability 1/32. All off and all on are both,
    and have 1/16. Every other image has probability 0, which gives -inf. Raises InputError unless x
    is [N, 16] of 0/1.
    """
    rows = binary_rows(x, "bars_log_likelihood: x")
    if rows.shape[1] != BARS_SIDE**2:
        raise InputError(f"bars_log_likelihood: x has {rows.shape[1]} columns; it must have 16")
    images = rows.reshape(-1, BARS_SIDE, BARS_SIDE)
    whole_rows = (images == images[:, :, :1]).all(axis=(1, 2))
    whole_columns = (images == images[:, :1, :]).all(axis=(1, 2))
    probability = (whole_rows.astype(np.float64) + whole_columns) / 2 ** (1 + BARS_SIDE)
    with np.errstate(divide="ignore"):
        log_probability: NDArray[np.float64] = np.log(probability)
    return log_probability


def _bars(random: np.random.RandomState) -> NDArray[np.uint8]:
    by_rows = random.randint(2, size=(BARS_ROWS, 1, 1), dtype=np.uint8)
    lines = random.randint(2, size=(BARS_ROWS, BARS_SIDE), dtype=np.uint8)
    images = np.where(by_rows == 1, lines[:, :, None], lines[:, None, :])
    return images.reshape(BARS_ROWS, BARS_SIDE**2)
