"""The data sets that are there without any file: digits, and bars and stripes."""

import itertools
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from gmm_study.data import bars_log_likelihood, load_dataset
from gmm_study.errors import InputError

CODE = (
    "from gmm_study.data import load_dataset; "
    "print(load_dataset('digits').sha256, load_dataset('bars').sha256)"
)


def all_rows(dataset):
    return np.concatenate([dataset.train, dataset.valid, dataset.test])


def all_images():
    return np.array(list(itertools.product([0, 1], repeat=16)), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "dims", "sizes", "image_shape"),
    [
        ("digits", 64, (1_197, 300, 300), (8, 8)),
        ("bars", 16, (5_000, 5_000, 5_000), (4, 4)),
    ],
)
def test_a_generated_data_set_has_the_promised_shape(name, dims, sizes, image_shape):
    dataset = load_dataset(name)
    assert dataset.name == name
    assert dataset.image_shape == image_shape
    shapes = [rows.shape for rows in (dataset.train, dataset.valid, dataset.test)]
    assert shapes == [(size, dims) for size in sizes]


def test_every_digit_is_in_exactly_one_split():
    from sklearn.datasets import load_digits

    original = Counter(row.tobytes() for row in (load_digits().data > 7).astype(np.uint8))
    assert Counter(row.tobytes() for row in all_rows(load_dataset("digits"))) == original


@pytest.mark.process
def test_another_process_generates_the_same_data():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [load_dataset("digits").sha256, load_dataset("bars").sha256]


def test_the_splits_of_bars_are_different_draws():
    bars = load_dataset("bars")
    assert not np.array_equal(bars.train, bars.valid)
    assert not np.array_equal(bars.train, bars.test)
    assert not np.array_equal(bars.valid, bars.test)


def test_the_likelihood_of_bars_sums_to_one_over_all_images():
    assert np.exp(bars_log_likelihood(all_images())).sum() == pytest.approx(1.0, abs=1e-12)


def test_all_off_and_all_on_come_from_both_orientations():
    one_row = np.zeros((1, 16), dtype=np.uint8)
    one_row[0, :4] = 1
    twice_as_likely = bars_log_likelihood(one_row)[0] + np.log(2)
    for image in (np.zeros((1, 16)), np.ones((1, 16))):
        assert bars_log_likelihood(image)[0] == pytest.approx(twice_as_likely)


def test_an_image_that_is_neither_bars_nor_stripes_is_impossible():
    assert bars_log_likelihood(np.eye(16)[:1]) == -np.inf


def test_the_frequencies_of_bars_match_their_likelihood():
    rows = all_rows(load_dataset("bars"))
    probability = np.exp(bars_log_likelihood(all_images()))
    codes = rows @ (2 ** np.arange(15, -1, -1))
    counts = np.bincount(codes, minlength=2**16)
    assert counts[probability == 0].sum() == 0
    possible = probability > 0
    standard_error = np.sqrt(len(rows) * probability * (1 - probability))
    z = (counts - len(rows) * probability)[possible] / standard_error[possible]
    assert np.abs(z).max() < 4


def test_the_likelihood_of_bars_refuses_other_images():
    with pytest.raises(InputError, match="must have 16"):
        bars_log_likelihood(np.zeros((2, 9)))
