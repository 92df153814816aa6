"""Data as people have them: text of spreadsheets, arrays, images, one file, values of grey."""

import gzip
import io

import numpy as np
import pytest

from gmm_study.data import Dataset, load_dataset
from gmm_study.errors import InputError

BOM = b"\xef\xbb\xbf"
NAMES = "a,b,c,d,e,f"
FILES = ("plain.npy", "named.csv")


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


@pytest.fixture
def known(splits):
    return Dataset.from_splits("known", splits)


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


@pytest.mark.parametrize(
    "header",
    [
        NAMES,
        '"V 1","V,2","V3","V4","V5","V6"',
        "0,1,2,3,4,5",
        "1,2,3,4,5,6",
        " a , b , c , d , e , f ",
    ],
)
def test_a_header_is_left_out_and_said_in_one_line(splits, known, tmp_path, header):
    folder = write(tmp_path / "own", splits, ".csv", lambda rows: text(rows, header=header))
    loaded = load_dataset(str(folder))
    assert loaded.sha256 == known.sha256
    (note,) = loaded.notes
    assert f"{folder}: the first line of train.csv, valid.csv, test.csv is a header" in note


def test_a_note_names_the_files_that_have_a_header_and_the_first_of_its_names(splits, tmp_path):
    folder = write(tmp_path / "own", splits, ".csv", text)
    (folder / "valid.csv").write_bytes(text(splits["valid"], header=NAMES))
    (note,) = load_dataset(str(folder)).notes
    assert "the first line of valid.csv is a header (a, b, c, ...)" in note


def test_data_without_a_header_have_no_note(splits, tmp_path):
    assert load_dataset(str(write(tmp_path / "own", splits, ".csv", text))).notes == ()


def test_the_row_0_1_of_binary_data_is_a_row(tmp_path):
    rows = {split: np.array([[0, 1], [1, 1]]) for split in ("train", "valid", "test")}
    loaded = load_dataset(str(write(tmp_path / "own", rows, ".csv", text)))
    assert len(loaded.train) == 2
    assert loaded.notes == ()


@pytest.mark.parametrize("header", ["0,1", "1,2"])
def test_numbers_over_two_columns_are_a_header_where_other_rows_are_grey(tmp_path, header):
    grey = np.array([[0, 200], [90, 1], [7, 7], [255, 0]] * 10)
    np.save(tmp_path / "plain.npy", grey)
    (tmp_path / "named.csv").write_bytes(text(grey, header=header))
    declared = "?threshold=50&fractions=0.5/0.25/0.25"
    plain, named = (load_dataset(f"{tmp_path}/{each}{declared}") for each in FILES)
    assert named.sha256 == plain.sha256
    assert "is a header" in named.notes[0]


def test_a_header_that_numbers_two_columns_from_1_is_left_out(tmp_path):
    rows = {split: np.array([[0, 1], [1, 1]]) for split in ("train", "valid", "test")}
    folder = write(tmp_path / "own", rows, ".csv", lambda each: text(each, header="1,2"))
    assert len(load_dataset(str(folder)).train) == 2


def test_a_header_of_another_length_than_the_rows_is_refused(splits, tmp_path):
    folder = write(tmp_path / "own", splits, ".csv", lambda rows: text(rows, header="a,b,c"))
    assert "its header has 3 names and its rows have 6 values" in line(folder)


def test_a_misprint_in_the_first_row_is_no_header(splits, tmp_path):
    folder = write(tmp_path / "own", splits, ".csv", text)
    (folder / "train.csv").write_bytes(b"0,1,x,0,1,1\n" + text(splits["train"]))
    assert "'x'" in line(folder)


def test_headers_that_name_other_columns_are_refused(splits, tmp_path):
    folder = write(tmp_path / "own", splits, ".csv", lambda rows: text(rows, header=NAMES))
    (folder / "test.csv").write_bytes(text(splits["test"], header="a,c,b,d,e,f"))
    message = line(folder)
    assert "test.csv', split 'test'" in message
    assert "column 1 (counted from 0) 'c', and that of train.csv 'b'" in message


@pytest.mark.parametrize("header", ['"","V1","V2"', ",0,1,2", ",1,2,3"])
def test_a_column_of_row_numbers_is_refused_with_what_to_do(tmp_path, header):
    numbered = {split: np.eye(3, 4) for split in ("train", "valid", "test")}
    folder = write(tmp_path / "own", numbered, ".csv", lambda rows: text(rows, header=header))
    message = line(folder)
    assert f"file '{folder / 'train.csv'}'" in message
    assert "index=False" in message


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
        ("?fractions=0.98/0.01/0.01", "fractions 0.98/0.01/0.01 of 8 rows leave valid empty"),
        ("?fractions=0.5/0.25/0.25&seed=-1", "seed '-1' must be a whole number from 0"),
        ("?fractions=0.5/0.25/0.25&seed=4294967296", "seed '4294967296' must be"),
        ("?threshold=high", "threshold 'high' must be a number"),
        ("?threshold=nan", "threshold 'nan' must be a number"),
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


def test_a_named_data_set_takes_no_declaration():
    message = line("digits?threshold=3")
    assert "only files have settings, and 'digits' is a named data set" in message
