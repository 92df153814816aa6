"""A user's own files: what is accepted, and the one line that says why not."""

import dataclasses

import numpy as np
import pytest
from scipy.io import savemat

from gmm_study.data import load_dataset
from gmm_study.data.registry import REGISTRY
from gmm_study.errors import InputError


def line(name) -> str:
    with pytest.raises(InputError) as error:
        load_dataset(str(name))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def folder(splits, tmp_path):
    for split, rows in splits.items():
        np.savetxt(tmp_path / f"{split}.csv", rows, fmt="%d", delimiter=",")
    return tmp_path


def test_a_path_gives_the_data_set_its_name(folder):
    dataset = load_dataset(str(folder))
    assert dataset.name == str(folder)
    assert dataset.image_shape is None


def test_a_name_comes_before_a_path(folder, monkeypatch):
    folder.joinpath("digits").mkdir()
    monkeypatch.chdir(folder)
    assert load_dataset("digits").dims == 64
    assert "train.csv is missing" in line("./digits")


def test_a_two_in_an_archive_is_located(splits, tmp_path):
    splits["valid"][2, 4] = 2
    np.savez(tmp_path / "own.npz", **splits)
    message = line(tmp_path / "own.npz")
    assert f"file '{tmp_path / 'own.npz'}', split 'valid', row 2, column 4" in message
    assert "value 2;" in message


def test_a_two_in_a_csv_is_located(splits, folder):
    splits["test"][1, 5] = 2
    np.savetxt(folder / "test.csv", splits["test"], fmt="%d", delimiter=",")
    message = line(folder)
    assert f"file '{folder / 'test.csv'}', split 'test', row 1, column 5" in message
    assert "value 2;" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it has no rows"),
        ("\n\n", "it has no rows"),
        ("a,b,c,d,e,f\n", "it has no rows"),
        ("0,1,0,1,0,1\n0,1,0\n", "row 1 (counted from 0) has 3 values, and the rows before it 6"),
        ("0,1,0,1,0,1\n0,1,0,1,0,\n", "row 1, column 5 (counted from 0): '' is not a number"),
        ("0,1,0,1,0,1\n" + "x" * 99, "has 1 values"),
        ("0,1,0,1,0,1\n0,1,0,1,0,# no\n", "'# no' is not a number"),
        ("0,1,0,1,0,1,\n0,1,0,1,0,0,\n", "line 1, column 6 (counted from 0): '' is not a number"),
        ("0,1\n1,0\n", "columns"),
    ],
)
def test_a_csv_that_is_no_table_of_bits_is_refused(folder, text, expected):
    (folder / "valid.csv").write_text(text)
    assert expected in line(folder)


def test_text_that_is_not_utf_8_is_refused_with_what_would_be_right(folder):
    (folder / "valid.csv").write_bytes("\u00e9,b,c,d,e,f\n0,1,0,1,0,1\n".encode("latin-1"))
    assert "byte 0xe9 is not UTF-8, which the file must be in" in line(folder)


def test_a_missing_csv_is_named(folder):
    (folder / "valid.csv").unlink()
    assert "valid.csv is missing" in line(folder)


def test_a_truncated_archive_is_refused(splits, tmp_path):
    np.savez(tmp_path / "own.npz", **splits)
    whole = (tmp_path / "own.npz").read_bytes()
    (tmp_path / "own.npz").write_bytes(whole[: len(whole) * 2 // 3])
    assert "is incomplete" in line(tmp_path / "own.npz")


def test_a_flipped_bit_in_an_archive_is_refused(tmp_path):
    zeros = np.zeros((50, 40), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", train=zeros, valid=zeros, test=zeros)
    damaged = bytearray((tmp_path / "own.npz").read_bytes())
    damaged[1_000] ^= 1
    (tmp_path / "own.npz").write_bytes(damaged)
    assert "cannot be read" in line(tmp_path / "own.npz")


def test_a_missing_key_is_named_with_those_there(splits, tmp_path):
    np.savez(tmp_path / "own.npz", train=splits["train"], val=splits["valid"], test=splits["test"])
    message = line(tmp_path / "own.npz")
    assert "key 'valid' is missing" in message
    assert "train, val, test" in message


def test_an_array_of_python_objects_is_never_unpickled(splits, tmp_path):
    class Trap:
        def __reduce__(self):
            return (exit, (7,))

    objects = np.array([[Trap()]], dtype=object)
    np.savez(tmp_path / "own.npz", **{**splits, "train": objects})
    assert "allow_pickle=False" in line(tmp_path / "own.npz")


def test_a_text_that_calls_itself_an_archive_is_refused(tmp_path):
    (tmp_path / "own.npz").write_text("0,1\n")
    assert "not an .npz archive" in line(tmp_path / "own.npz")


def test_another_kind_of_file_is_refused_with_what_would_be_right(folder):
    (folder / "train.pdf").touch()
    assert "must be an .npz file" in line(folder / "train.pdf")


@pytest.mark.parametrize("path", ["nowhere/own.npz", "own.npz", "./mushrooms", "~/no-such-folder"])
def test_a_missing_path_is_called_missing(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"'{path}': no such file or folder" in line(path)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("mushroms", "mushrooms"), ("mnist", "bmnist"), ("nltcs", "debd/nltcs"), ("debd/plant", None)],
)
def test_a_misspelt_name_is_answered_with_the_nearest(misspelt, meant):
    message = line(misspelt)
    assert f"unknown data set '{misspelt}'" in message
    assert f"did you mean '{meant or 'debd/plants'}'?" in message


def silhouettes(tmp_path, monkeypatch, **changed):
    arrays = {
        "train_data": np.zeros((4_100, 784), np.uint8),
        "val_data": np.zeros((2_264, 784), np.uint8),
        "test_data": np.zeros((2_307, 784), np.uint8),
    }
    arrays["train_data"][0, 28 * 5 + 2] = 1
    (tmp_path / "silhouettes").mkdir()
    path = tmp_path / "silhouettes" / "caltech101_silhouettes_28_split1.mat"
    savemat(path, {**arrays, **changed}, do_compression=True)
    monkeypatch.setenv("GMM_STUDY_DATA", str(tmp_path))
    unknown = dataclasses.replace(REGISTRY["silhouettes"], sha256=None, canonical_sha256=None)
    monkeypatch.setitem(REGISTRY, "silhouettes", unknown)
    return path


def test_silhouettes_stored_by_columns_are_read_as_rows_of_pixels(tmp_path, monkeypatch):
    silhouettes(tmp_path, monkeypatch)
    image = load_dataset("silhouettes").train[0].reshape(28, 28)
    assert image[2, 5] == 1
    assert image.sum() == 1


def test_a_truncated_mat_file_is_refused(tmp_path, monkeypatch):
    path = silhouettes(tmp_path, monkeypatch)
    path.write_bytes(path.read_bytes()[:400])
    assert str(path) in line("silhouettes")


def test_silhouettes_of_another_shape_are_refused(tmp_path, monkeypatch):
    silhouettes(tmp_path, monkeypatch, val_data=np.zeros((2_264, 256), np.uint8))
    assert "split 'valid': shape (2264, 256)" in line("silhouettes")
