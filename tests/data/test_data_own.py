"""Data as people have them: text of spreadsheets, arrays, images, one file, values of grey."""

import gzip
import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from gmm_study.data import Dataset, load_dataset
from tests.data.user_files import line, npy, text, write

BOM = b"\xef\xbb\xbf"
NAMES = "a,b,c,d,e,f"


@pytest.fixture
def pixels():
    """100 images of 3 x 2 pixels from 0 to 255."""
    return np.random.default_rng(1).integers(256, size=(100, 3, 2), dtype=np.uint8)


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".csv", lambda rows: BOM + text(rows)),
        (".csv", lambda rows: text(rows).replace(b"\n", b"\r\n")),
        (".csv", lambda rows: text(rows, ";")),
        (".csv", lambda rows: b"\n" + text(rows) + b"\n"),
        (".csv.gz", lambda rows: gzip.compress(text(rows))),
        (".csv.gz", lambda rows: gzip.compress(BOM + text(rows, header=NAMES))),
        (".txt", lambda rows: text(rows)),
        (".txt", lambda rows: text(rows, " ")),
        (".txt", lambda rows: text(rows, "\t")),
        (".txt.gz", lambda rows: gzip.compress(text(rows, " "))),
        (".csv", lambda rows: text(rows).replace(b"0", b'"0"')),
        (".npy", npy),
        (".npy", lambda rows: npy(rows.astype(bool))),
        (".npy", lambda rows: npy(rows.astype(np.float64))),
    ],
)
def test_the_same_rows_are_the_same_data_however_they_are_stored(
    splits, known, tmp_path, ending, content
):
    write(tmp_path / "own", splits, ending, content)
    assert load_dataset(str(tmp_path / "own")).sha256 == known.sha256


def test_a_damaged_gz_file_is_refused(splits, tmp_path):
    folder = write(tmp_path / "own", splits, ".csv.gz", lambda rows: gzip.compress(text(rows)))
    whole = (folder / "valid.csv.gz").read_bytes()
    (folder / "valid.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert f"{folder / 'valid.csv.gz'}' cannot be read" in line(folder)


def test_of_several_endings_the_complete_one_is_read(splits, known, tmp_path):
    folder = write(tmp_path / "own", splits, ".npy", npy)
    (folder / "train.csv").write_text("not used")
    assert load_dataset(str(folder)).sha256 == known.sha256


def test_csv_comes_before_npy_as_it_did(splits, known, tmp_path):
    folder = write(tmp_path / "own", splits, ".csv", text)
    write(folder, {split: 1 - rows for split, rows in splits.items()}, ".npy", npy)
    assert load_dataset(str(folder)).sha256 == known.sha256


def test_a_missing_npy_is_named(splits, tmp_path):
    folder = write(tmp_path / "own", splits, ".npy", npy)
    (folder / "test.npy").unlink()
    assert "test.npy is missing" in line(folder)


def test_an_npy_of_python_objects_is_never_unpickled(splits, tmp_path):
    folder = write(tmp_path / "own", splits, ".npy", npy)
    np.save(folder / "train.npy", np.array([[print]], dtype=object), allow_pickle=True)
    assert "allow_pickle=False" in line(folder)


def images(kind, splits):
    return {split: rows.reshape(-1, 3, 2).astype(kind) for split, rows in splits.items()}


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_images_are_the_same_data_as_their_rows_and_keep_their_shape(splits, known, tmp_path, kind):
    stacks = images(kind, splits)
    np.savez(tmp_path / "own.npz", **stacks)
    folder = write(tmp_path / "own", stacks, ".npy", npy)
    for path in (tmp_path / "own.npz", folder):
        loaded = load_dataset(str(path))
        assert loaded.sha256 == known.sha256
        assert loaded.image_shape == (3, 2)
        np.testing.assert_array_equal(loaded.train, splits["train"])


def known_rows(dataset):
    return {"train": dataset.train, "valid": dataset.valid, "test": dataset.test}


def test_images_of_two_shapes_are_refused(splits, tmp_path):
    stacks = images(np.uint8, splits) | {"valid": splits["valid"].reshape(-1, 2, 3)}
    np.savez(tmp_path / "own.npz", **stacks)
    message = line(tmp_path / "own.npz")
    assert "split 'valid': images of 2 x 3, and images of 3 x 2 in" in message


def test_an_array_of_four_axes_is_refused_with_what_would_be_right(splits, tmp_path):
    np.savez(tmp_path / "own.npz", **(splits | {"test": np.zeros((4, 1, 3, 2))}))
    message = line(tmp_path / "own.npz")
    assert "split 'test': shape (4, 1, 3, 2)" in message
    assert "images [N, H, W]" in message


def test_one_array_is_split_at_random_into_declared_shares(tmp_path):
    rows = (np.arange(1_000)[:, None] >> np.arange(10) & 1).astype(np.uint8)  # each row once
    np.save(tmp_path / "own.npy", rows)
    path = f"{tmp_path / 'own.npy'}?fractions=0.8/0.15/0.05&seed=3"
    loaded = load_dataset(path)
    assert loaded.name == path
    assert [len(loaded.train), len(loaded.valid), len(loaded.test)] == [800, 150, 50]
    together = np.concatenate([loaded.train, loaded.valid, loaded.test])
    assert not np.array_equal(together, rows)
    np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(rows, axis=0))


def test_a_split_depends_on_its_seed_alone(splits, tmp_path):
    rows = np.concatenate([splits["train"]] * 20)
    np.save(tmp_path / "own.npy", rows)
    np.savez(tmp_path / "own.npz", anything=rows)
    (tmp_path / "own.csv.gz").write_bytes(gzip.compress(text(rows, header=NAMES)))
    shares = "?fractions=0.5/0.25/0.25"
    stored = [load_dataset(f"{tmp_path}/own.{e}{shares}&seed=1") for e in ("npy", "npz", "csv.gz")]
    assert len({dataset.sha256 for dataset in stored}) == 1
    seeds = [load_dataset(f"{tmp_path}/own.npy{shares}{seed}") for seed in ("", "&seed=0")]
    assert seeds[0].sha256 == seeds[1].sha256 != stored[0].sha256


def test_a_declared_split_is_the_same_data_as_the_split_stored(splits, tmp_path):
    np.save(tmp_path / "own.npy", np.concatenate([splits["train"]] * 5))
    declared = load_dataset(f"{tmp_path}/own.npy?fractions=0.5/0.25/0.25&seed=1")
    np.savez(tmp_path / "split.npz", **known_rows(declared))
    assert load_dataset(f"{tmp_path}/split.npz").sha256 == declared.sha256


def test_a_threshold_makes_larger_values_one(pixels, tmp_path):
    np.save(tmp_path / "grey.npy", pixels)
    loaded = load_dataset(f"{tmp_path}/grey.npy?threshold=127&fractions=0.8/0.1/0.1")
    assert loaded.image_shape == (3, 2)
    found = np.concatenate([loaded.train, loaded.valid, loaded.test])
    wanted = (pixels > 127).reshape(100, 6)
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(wanted, axis=0))


def test_a_threshold_is_for_all_splits_of_a_folder_or_archive(pixels, tmp_path):
    parts = {"train": pixels[:60], "valid": pixels[60:80], "test": pixels[80:]}
    np.savez(tmp_path / "grey.npz", **parts)
    write(tmp_path / "grey", {s: p.reshape(-1, 6) for s, p in parts.items()}, ".csv", text)
    binary = Dataset.from_splits("", {s: p.reshape(-1, 6) > 99.5 for s, p in parts.items()})
    for path in ("grey.npz", "grey"):
        assert load_dataset(f"{tmp_path / path}?threshold=99.5").sha256 == binary.sha256


def test_values_of_grey_are_refused_with_how_to_declare_a_threshold(pixels, tmp_path):
    pixels[0, 0, 0], pixels[0, 0, 1] = 255, 0
    np.savez(tmp_path / "grey.npz", train=pixels, valid=pixels, test=pixels)
    np.save(tmp_path / "grey.npy", pixels)
    message = line(f"{tmp_path}/grey.npz")
    assert "split 'train', row 0, column 0 (counted from 0): value 255" in message
    assert f"'{tmp_path}/grey.npz?threshold=127.5'" in message
    message = line(f"{tmp_path}/grey.npy?fractions=0.8/0.1/0.1")
    assert f"'{tmp_path}/grey.npy?fractions=0.8/0.1/0.1&threshold=127.5'" in message


@pytest.mark.parametrize("threshold", [-1, 255, 1000])
def test_a_threshold_that_leaves_one_value_is_refused(tmp_path, threshold):
    np.save(tmp_path / "grey.npy", np.arange(256).reshape(64, 4))
    message = line(f"{tmp_path}/grey.npy?fractions=0.8/0.1/0.1&threshold={threshold}")
    assert f"threshold {threshold} makes all values equal" in message
    assert "at least 0, the lowest value, and below 255, the highest" in message


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.9), (16777216, 16777217), (1e-46, 2e-46)])
def test_values_and_thresholds_in_text_are_exact(tmp_path, low, high):
    """They differ as float64, and some are equal as float32."""
    rows = np.array([[low, high, low], [high, high, low]] * 20)
    np.savetxt(tmp_path / "own.csv", rows, fmt="%.17g", delimiter=",")
    found = load_dataset(f"{tmp_path}/own.csv?threshold={low}&fractions=0.5/0.25/0.25")
    ones = sum(part.sum() for part in (found.train, found.valid, found.test))
    assert ones == (rows == high).sum()
    message = line(f"{tmp_path}/own.csv?threshold={high}&fractions=0.5/0.25/0.25")
    assert f"at least {low}, the lowest value, and below {high}, the highest" in message


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_threshold_is_compared_in_the_type_of_the_values(tmp_path, kind):
    np.save(tmp_path / "own.npy", np.array([[0.1, 0.9], [0.9, 0.9]] * 20, kind))
    path = f"{tmp_path}/own.npy?fractions=0.5/0.25/0.25&threshold"
    found = load_dataset(f"{path}=0.1")
    assert sum(part.sum() for part in (found.train, found.valid, found.test)) == 60
    assert "at least 0.1, the lowest value, and below 0.9, the highest" in line(f"{path}=1e300")


def test_a_threshold_is_exact_for_integers_of_any_size(tmp_path):
    low = 2**53
    np.save(tmp_path / "own.npy", np.array([[low, low + 1], [low + 1, low + 1]] * 20))
    found = load_dataset(f"{tmp_path}/own.npy?fractions=0.5/0.25/0.25&threshold={low}")
    assert sum(part.sum() for part in (found.train, found.valid, found.test)) == 60


@pytest.mark.parametrize("value", ["0.99999999", "1e-46", "1.00000000001"])
def test_a_value_near_0_or_1_is_neither(splits, tmp_path, value):
    folder = write(tmp_path / "own", splits, ".csv", text)
    rows = (folder / "train.csv").read_text()
    (folder / "train.csv").write_text(f"{rows}0,0,{value},0,0,1\n")
    assert f"row 8, column 2 (counted from 0): value {value};" in line(folder)


@pytest.mark.parametrize(
    ("values", "example"),
    [
        ([[0.5, np.inf]], "0.5"),
        ([[-np.inf, 0.5]], None),
        ([[16777216, 16777217]], "16777216.5"),
        ([[5, 5]], None),
    ],
)
def test_an_example_of_a_threshold_is_one_that_works(tmp_path, values, example):
    np.save(tmp_path / "own.npy", np.array(values * 40))
    path = f"{tmp_path}/own.npy?fractions=0.5/0.25/0.25"
    message = line(path)
    if example is None:
        assert "&threshold=" not in message
    else:
        assert f"'{path}&threshold={example}'" in message
        assert load_dataset(f"{path}&threshold={example}").dims == 2


def test_an_example_of_a_threshold_works_between_neighbours_of_a_small_type(tmp_path):
    """The number in the middle of these two is rounded to the higher of them."""
    np.save(tmp_path / "own.npy", np.array([[1 + 2**-23, 1 + 2**-22]] * 40, np.float32))
    path = f"{tmp_path}/own.npy?fractions=0.5/0.25/0.25"
    assert f"'{path}&threshold=1.0000001'" in line(path)
    assert load_dataset(f"{path}&threshold=1.0000001").dims == 2


def test_a_threshold_for_equal_values_is_said_to_be_of_no_use(tmp_path):
    np.save(tmp_path / "own.npy", np.full((40, 3), 5))
    message = line(f"{tmp_path}/own.npy?fractions=0.5/0.25/0.25&threshold=5")
    assert "threshold 5 makes all values equal; they are all 5" in message


def test_nan_is_never_taken_for_a_pixel_that_is_off(tmp_path):
    grey = np.linspace(0, 1, 40).reshape(10, 4)
    grey[3, 1] = np.nan
    np.save(tmp_path / "grey.npy", grey)
    message = line(f"{tmp_path}/grey.npy?fractions=0.8/0.1/0.1&threshold=0.5")
    assert "row 3, column 1 (counted from 0): value nan" in message


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("", "own.npy?fractions=0.8/0.1/0.1'"),
        ("?threshold=0.5", "own.npy?threshold=0.5&fractions=0.8/0.1/0.1'"),
        ("?treshold=0.5", "no such setting 'treshold'; did you mean 'threshold'?"),
        ("?", "no such setting ''"),
        ("?seed=1", "seed 1 is not used without fractions"),
        ("?fractions=0.8/0.2", "fractions '0.8/0.2' must be three numbers above 0 that add up"),
        ("?fractions=0.8/0.1/0.2", "fractions '0.8/0.1/0.2' must be three numbers"),
        ("?fractions=1.1/-0.2/0.1", "fractions '1.1/-0.2/0.1' must be three numbers"),
        ("?fractions=a/b/c", "fractions 'a/b/c' must be three numbers"),
        ("?fractions=0.8/a/0.1/0.1", "fractions '0.8/a/0.1/0.1' must be three numbers"),
        ("?fractions=0.8//0.1/0.1", "fractions '0.8//0.1/0.1' must be three numbers"),
        (
            "?fractions=0.98/0.01/0.01",
            "fractions 0.98/0.01/0.01 of 8 rows leave valid empty",
        ),
        ("?fractions=0.5/0.25/0.25&seed=-1", "seed '-1' must be a whole number from 0"),
        ("?fractions=0.5/0.25/0.25&seed=4294967296", "seed '4294967296' must be"),
        ("?threshold=high", "threshold 'high' must be a number"),
        ("?threshold=nan", "threshold 'nan' must be a number"),
        ("?threshold=1_0", "threshold '1_0' must be a number"),
        ("?threshold=1&threshold=2", "threshold is given twice"),
    ],
)
def test_a_declaration_that_cannot_be_used_says_what_would_be_right(
    splits, tmp_path, declaration, expected
):
    np.save(tmp_path / "own.npy", splits["train"])
    message = line(f"{tmp_path}/own.npy{declaration}")
    assert f"data path '{tmp_path}/own.npy{declaration}'" in message
    assert expected in message


def test_fractions_of_data_that_are_split_already_are_refused(splits, tmp_path):
    np.savez(tmp_path / "own.npz", **splits)
    write(tmp_path / "own", splits, ".npy", npy)
    assert "has the arrays train, valid, test" in line(f"{tmp_path}/own.npz?fractions=0.8/0.1/0.1")
    assert "fractions are for one file" in line(f"{tmp_path}/own?fractions=0.8/0.1/0.1")


def test_a_path_that_holds_a_question_mark_is_still_a_path(splits, known, tmp_path):
    folder = write(tmp_path / "which?fractions=1", splits, ".csv", text)
    assert load_dataset(str(folder)).sha256 == known.sha256
    assert load_dataset(f"{folder}?header=false").sha256 == known.sha256


@pytest.mark.parametrize("declaration", ["", "?threshold=1"])
def test_a_home_folder_that_is_not_known_is_named(declaration):
    path = f"~nobody-has-this-name/own.csv{declaration}"
    assert f"data path '{path}': the home folder of '~nobody-has-this-name'" in line(path)


@pytest.mark.parametrize("setting", ["GMM_STUDY_DATA", "GMM_STUDY_CACHE"])
def test_a_home_folder_that_is_not_known_is_named_in_a_setting_too(monkeypatch, setting):
    monkeypatch.setenv(setting, "~nobody-has-this-name/data")
    assert f"{setting}: '~nobody-has-this-name/data'" in line("dna")


def test_a_path_with_a_zero_byte_is_refused():
    assert r"data path '\x00.csv': a path cannot have a zero byte" in line("\0.csv")


@contextmanager
def as_another_user():
    """Files that nobody may read cannot be opened, which root always can."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("name", ["own.csv", "own.npy", "own.npz", "own"])
def test_what_may_not_be_read_is_said(splits, known, name):
    with TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        path = folder / name
        if name == "own":
            write(path, splits, ".csv", text)
        elif name == "own.npz":
            np.savez(path, **splits)
        else:
            path.write_bytes(text(splits["train"]))
        path.chmod(0)
        with as_another_user():
            message = line(
                path if name in ("own", "own.npz") else f"{path}?fractions=0.5/0.25/0.25"
            )
        path.chmod(0o755)
    assert str(path) in message
    assert "cannot be read" in message
    assert "Permission denied" in message


def test_a_data_folder_with_too_long_a_name_is_named(monkeypatch):
    monkeypatch.setenv("GMM_STUDY_DATA", "x" * 300)
    assert "which is not a folder" in line("dna")


def test_a_path_that_is_too_long_is_named():
    path = f"{'x' * 300}.csv"
    assert f"data path '{path}' cannot be read: File name too long" in line(path)


def test_a_named_data_set_takes_no_declaration():
    message = line("digits?threshold=3")
    assert "only files have settings, and 'digits' is a named data set" in message
