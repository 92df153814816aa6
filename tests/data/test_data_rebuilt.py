"""Rebuilt copies of published data sets: contents count, and two orders are never one data set."""

import hashlib
import io

import numpy as np
import pytest

from gmm_study.data import Dataset, load_dataset
from gmm_study.data.registry import REGISTRY
from gmm_study.errors import InputError
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.config import TrialConfig

PATH = "made/toy.npz"


def archive(splits, save=np.savez) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **{f"{split}_data": rows for split, rows in splits.items()})
    return buffer.getvalue()


@pytest.fixture
def published(splits, register, tmp_path, monkeypatch):
    """Declare `toy` with all checksums of its published file; a function stores a copy of it."""
    monkeypatch.setenv("GMM_STUDY_DATA", str(tmp_path))
    (tmp_path / "made").mkdir()
    contents = archive(splits)
    blob = hashlib.sha1(b"blob %d\0" % len(contents) + contents).hexdigest()
    dataset = Dataset.from_splits("toy", splits)
    canonical = dataset.with_canonical_test().sha256

    def store(content=contents, sha256=dataset.sha256, canonical_sha256=canonical):
        register("", [PATH], git_blob=blob, sha256=sha256, canonical_sha256=canonical_sha256)
        (tmp_path / PATH).write_bytes(content)

    store.dataset = dataset
    return store


def with_test(splits, order):
    return {**splits, "test": splits["test"][order]}


def refused() -> str:
    with pytest.raises(InputError) as error:
        load_dataset("toy")
    assert "\n" not in str(error.value)
    return str(error.value)


def trial_id(dataset) -> str:
    return TrialConfig(Hyperparameters(), dataset.name, dataset.sha256).trial_id


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_other_bytes_with_the_published_contents_are_the_published_data(published, splits, save):
    floats = {split: rows.astype(np.float32) for split, rows in splits.items()}
    published(archive(floats, save))
    loaded = load_dataset("toy")
    assert loaded == published.dataset
    assert loaded.notes == ()


def test_copies_with_test_rows_in_any_order_are_one_data_set_and_say_so(published, splits):
    loaded = []
    for order in ([1, 0, 2, 3], [3, 2, 1, 0]):
        published(archive(with_test(splits, order)))
        loaded.append(load_dataset("toy"))
    assert loaded[0] == loaded[1]
    np.testing.assert_array_equal(loaded[0].test, loaded[1].test)
    (note,) = loaded[0].notes
    assert "toy: a copy of the published file; its test rows are in another order" in note


def test_a_copy_of_a_file_whose_order_is_unknown_is_not_said_to_be_in_another(published, splits):
    published(archive(splits, np.savez_compressed), sha256=None)
    (note,) = load_dataset("toy").notes
    assert "whether its test rows are in the same order is not known" in note
    assert "another order" not in note


def test_no_trial_of_a_copy_in_another_order_is_taken_for_one_of_the_published_file(
    published, splits
):
    published()
    original = load_dataset("toy")
    published(archive(with_test(splits, [3, 2, 1, 0])))
    copy = load_dataset("toy")
    assert original == published.dataset
    assert trial_id(copy) != trial_id(original)
    assert sorted(copy.test.tolist()) == sorted(original.test.tolist())


@pytest.mark.parametrize("pins", [{}, {"sha256": None}, {"sha256": "0" * 64}])
def test_the_published_file_keeps_its_order_and_so_the_ids_of_its_trials(published, pins):
    published(**pins)
    loaded = load_dataset("toy")
    assert loaded == published.dataset
    assert loaded.notes == ()


def flip(splits, split):
    changed = splits[split].copy()
    changed[0, 0] ^= 1
    return {**splits, split: changed}


def doubled(splits):
    return with_test(splits, [0, 0, 2, 3])


@pytest.mark.parametrize(
    "change",
    [
        lambda splits: {**splits, "train": splits["train"][::-1]},
        lambda splits: {**splits, "valid": splits["valid"][::-1]},
        lambda splits: flip(splits, "train"),
        lambda splits: flip(splits, "valid"),
        lambda splits: flip(splits, "test"),
        doubled,
    ],
)
def test_other_contents_are_refused_with_both_checksums(published, splits, change):
    published(archive(change(splits)))
    message = refused()
    assert f"{PATH}': the contents differ from data set 'toy'" in message
    assert published.dataset.with_canonical_test().sha256 in message


def test_a_file_of_unknown_contents_has_to_be_the_published_one(published, splits):
    published(archive(splits, np.savez_compressed), sha256=None, canonical_sha256=None)
    assert "git blob id" in refused()


def test_the_canonical_order_has_each_row_as_often_as_it_was(splits):
    splits["test"] = np.concatenate([splits["test"], splits["test"][:2]])
    canonical = Dataset.from_splits("toy", splits).with_canonical_test()
    assert sorted(canonical.test.tolist()) == sorted(splits["test"].tolist())
    assert canonical == Dataset.from_splits("toy", {**splits, "test": canonical.test})


def test_the_first_rows_in_canonical_order_are_a_sample_of_all(splits):
    rows = (np.arange(4_096)[:, None] >> np.arange(6) & 1).astype(np.uint8)
    first = Dataset.from_splits("toy", {**splits, "test": rows}).with_canonical_test().test[:400]
    standard_error = 0.5 / np.sqrt(len(first))
    assert np.abs(first.mean(axis=0) - rows.mean(axis=0)).max() < 4 * standard_error


@pytest.mark.parametrize("name", sorted(name for name, e in REGISTRY.items() if e.canonical_sha256))
def test_a_data_set_at_hand_has_the_contents_that_the_list_knows(at_hand, name):
    at_hand(name)
    dataset, entry = load_dataset(name), REGISTRY[name]
    assert dataset.with_canonical_test().sha256 == entry.canonical_sha256
    assert dataset.sha256 in (entry.sha256, entry.canonical_sha256)
