"""The files of a user, and the one line about what is wrong with them."""

import io

import numpy as np
import pytest

from gmm_study.data import load_dataset
from gmm_study.errors import InputError


def line(path) -> str:
    with pytest.raises(InputError) as error:
        load_dataset(str(path))
    assert "\n" not in str(error.value)
    return str(error.value)


def text(rows, delimiter=",", header="") -> bytes:
    buffer = io.BytesIO()
    np.savetxt(buffer, rows, fmt="%d", delimiter=delimiter, header=header, comments="")
    return buffer.getvalue()


def write(folder, splits, ending, content):
    folder.mkdir(exist_ok=True)
    for split, rows in splits.items():
        (folder / f"{split}{ending}").write_bytes(content(rows))
    return folder


def npy(rows) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, rows)
    return buffer.getvalue()
