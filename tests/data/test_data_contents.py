"""What a data set is: 0/1 in three splits, identified by its contents."""

import subprocess
import sys

import numpy as np
import pytest

from gmm_study.data import Dataset, load_dataset
from gmm_study.errors import InputError


def write_csv(folder, splits, fmt="%d"):
    folder.mkdir()
    for split, rows in splits.items():
        np.savetxt(folder / f"{split}.csv", rows, fmt=fmt, delimiter=",")
    return folder


def test_the_same_contents_have_the_same_checksum_in_every_format(splits, tmp_path):
    floats = {split: rows.astype(np.float32) for split, rows in splits.items()}
    np.savez(tmp_path / "floats.npz", **floats)
    np.savez_compressed(tmp_path / "bytes.npz", **splits)
    np.savez(tmp_path / "bools.npz", **{s: rows.astype(bool) for s, rows in splits.items()})
    np.savez(tmp_path / "columns.npz", **{s: np.asfortranarray(r) for s, r in splits.items()})
    write_csv(tmp_path / "integers", splits)
    write_csv(tmp_path / "decimals", floats, fmt="%.18e")
    stored = ["floats.npz", "bytes.npz", "bools.npz", "columns.npz", "integers", "decimals"]
    loaded = [load_dataset(str(tmp_path / name)) for name in stored]
    assert len({dataset.sha256 for dataset in loaded}) == 1
    for dataset in loaded:
        for split, rows in splits.items():
            stored_rows = getattr(dataset, split)
            assert stored_rows.dtype == np.uint8
            assert stored_rows.flags.c_contiguous
            np.testing.assert_array_equal(stored_rows, rows)


def test_the_checksum_ignores_the_name_and_sees_every_bit_and_every_row(splits):
    original = Dataset.from_splits("one", splits)
    assert Dataset.from_splits("two", splits).sha256 == original.sha256
    flipped = {**splits, "test": splits["test"].copy()}
    flipped["test"][-1, -1] ^= 1
    moved = {
        **splits,
        "train": splits["train"][:-1],
        "valid": np.concatenate([splits["train"][-1:], splits["valid"]]),
    }
    narrower = {split: rows.reshape(-1, 3) for split, rows in splits.items()}
    others = [Dataset.from_splits("one", other) for other in (flipped, moved, narrower)]
    assert len({original.sha256, *(other.sha256 for other in others)}) == 4


def test_data_sets_compare_by_their_contents(splits):
    flipped = {**splits, "train": 1 - splits["train"]}
    assert Dataset.from_splits("toy", splits) == Dataset.from_splits("toy", splits)
    assert Dataset.from_splits("toy", splits) != Dataset.from_splits("toy", flipped)


def test_a_data_set_tells_its_number_of_dimensions(splits):
    assert Dataset.from_splits("toy", splits).dims == splits["train"].shape[1]


@pytest.mark.parametrize(
    ("change", "image_shape", "expected"),
    [
        ({"valid": np.zeros((3, 5))}, None, "6, 5 and 6 columns"),
        ({}, (3, 3), "image_shape (3, 3)"),
        ({"test": np.zeros((0, 6))}, None, "split 'test': shape (0, 6)"),
        ({"test": np.zeros(6)}, None, "split 'test': shape (6,)"),
        ({"train": np.full((2, 6), "1")}, None, "split 'train': values of type <U1"),
        ({"train": np.full((2, 6), np.nan)}, None, "row 0, column 0 (counted from 0): value nan"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(splits, change, image_shape, expected):
    with pytest.raises(InputError) as error:
        Dataset.from_splits("toy", {**splits, **change}, image_shape)
    assert "data set 'toy'" in str(error.value)
    assert expected in str(error.value)


@pytest.mark.process
def test_importing_the_data_set_needs_numpy_alone():
    code = (
        "import sys; from gmm_study.data import Dataset; "
        "print([m for m in ('pooch', 'requests', 'sklearn', 'scipy', 'tqdm', 'pandas', 'torch') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
