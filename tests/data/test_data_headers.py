"""First lines of text: a header is told from a row, and no row is lost."""

import numpy as np
import pytest

from gmm_study.data import Dataset, load_dataset
from tests.data.user_files import line, text, write

NAMES = "a,b,c,d,e,f"
SHARES = "fractions=0.5/0.25/0.25"
ORDINAL = np.array([[1, 2, 3], [3, 1, 2], [2, 2, 1], [1, 1, 3]] * 10)
PAIRS = np.array([[0, 1], [1, 1], [1, 0], [0, 0]] * 10)


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


def test_a_header_of_another_length_than_the_rows_is_refused(splits, tmp_path):
    folder = write(tmp_path / "own", splits, ".csv", lambda rows: text(rows, header="a,b,c"))
    assert "its header has 3 names and its rows have 6 values" in line(folder)


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


def rows_of(dataset):
    """All rows of a data set, in the order of their contents."""
    return sorted(np.concatenate([dataset.train, dataset.valid, dataset.test]).tolist())


def test_a_header_that_counts_two_columns_from_1_is_left_out(tmp_path):
    rows = dict.fromkeys(("train", "valid", "test"), PAIRS)
    folder = write(tmp_path / "own", rows, ".csv", lambda each: text(each, header="1,2"))
    assert len(load_dataset(str(folder)).train) == len(PAIRS)


@pytest.mark.parametrize(
    ("rows", "threshold"),
    [(ORDINAL, "threshold=1&"), (PAIRS, ""), (PAIRS[:, :1], ""), (PAIRS, "threshold=0.5&")],
)
def test_a_first_line_that_may_be_a_row_or_a_header_is_asked_about(tmp_path, rows, threshold):
    (tmp_path / "own.csv").write_bytes(text(rows))
    path = f"{tmp_path}/own.csv?{threshold}{SHARES}"
    message = line(path)
    first = ", ".join(map(str, rows[0]))
    assert f"file '{tmp_path}/own.csv': its first line {first} may be a row, or a header" in message
    above = 1 if rows is ORDINAL else 0
    for header, wanted in (("false", rows), ("true", rows[1:])):
        assert f"'{path}&header={header}'" in message
        loaded = load_dataset(f"{path}&header={header}")
        assert rows_of(loaded) == sorted((wanted > above).astype(int).tolist())
        assert loaded.notes == ()


def test_grey_rows_with_a_header_of_numbers_are_asked_for_it_before_a_threshold(tmp_path):
    (tmp_path / "own.csv").write_bytes(text(ORDINAL * 9, header="0,1,2"))
    path = f"{tmp_path}/own.csv?{SHARES}"
    assert "its first line 0, 1, 2 may be a row, or a header" in line(path)
    assert f"'{path}&header=true&threshold=18'" in line(f"{path}&header=true")
    assert len(rows_of(load_dataset(f"{path}&header=true&threshold=18"))) == len(ORDINAL)


def test_the_files_of_a_folder_are_decided_together(tmp_path):
    grey = np.array([[0, 200], [90, 1]] * 5)
    rows = {"train": grey, "valid": PAIRS[:10], "test": grey}
    folder = write(tmp_path / "own", rows, ".csv", lambda each: text(each, header="0,1"))
    message = line(f"{folder}?threshold=50")
    assert f"file '{folder / 'train.csv'}', split 'train': its first line 0, 1 may be" in message
    for header, more in (("true", 0), ("false", 1)):
        loaded = load_dataset(f"{folder}?threshold=50&header={header}")
        assert {len(part) for part in (loaded.train, loaded.valid, loaded.test)} == {10 + more}


@pytest.mark.parametrize("threshold", ["", "?threshold=0.5"])
def test_what_may_be_a_row_is_asked_about_if_only_some_files_begin_with_it(tmp_path, threshold):
    rows = {"train": PAIRS, "valid": PAIRS[1:], "test": PAIRS}
    path = f"{write(tmp_path / 'own', rows, '.csv', text)}{threshold}"
    message = line(path)
    declared = f"{path}{'&' if threshold else '?'}header"
    assert f"'{declared}=false' if it is a row" in message
    assert "if it is a header, write it into valid.csv too" in message
    assert load_dataset(f"{declared}=false").sha256 == Dataset.from_splits("", rows).sha256
    assert "the header calls column 0 (counted from 0) '1'" in line(f"{declared}=true")


def test_names_and_a_line_that_may_be_a_row_are_refused_in_one_folder(tmp_path):
    rows = dict.fromkeys(("train", "valid", "test"), PAIRS)
    folder = write(tmp_path / "own", rows, ".csv", text)
    (folder / "train.csv").write_bytes(text(PAIRS, header="a,b"))
    message = line(folder)
    assert "valid.csv', split 'valid': its first line 0, 1 counts the columns" in message
    assert "train.csv begins with a, b; all files must have the same header, or none" in message


def test_a_header_of_numbers_in_some_files_only_is_refused(splits, tmp_path):
    folder = write(tmp_path / "own", splits, ".csv", text)
    (folder / "test.csv").write_bytes(text(splits["test"], header="0,1,2,3,4,5"))
    message = line(folder)
    assert "test.csv', split 'test': its first line 0, 1, 2, ... counts the columns" in message
    assert "train.csv begins with" in message
    assert "all files must have the same header, or none" in message


def test_headers_that_count_the_columns_differently_are_refused(tmp_path):
    rows = dict.fromkeys(("train", "valid", "test"), PAIRS)
    folder = write(tmp_path / "own", rows, ".csv", lambda each: text(each, header="0,1"))
    (folder / "valid.csv").write_bytes(text(PAIRS, header="1,2"))
    message = line(folder)
    assert "valid.csv', split 'valid': its first line 1, 2 counts the columns" in message
    assert "train.csv begins with 0, 1" in message


def test_a_quoted_row_of_numbers_is_a_row(tmp_path):
    (tmp_path / "own.txt").write_text('"3" "5"\n' + '"1" "0"\n"7" "1"\n' * 20)
    loaded = load_dataset(f"{tmp_path}/own.txt?threshold=2&{SHARES}")
    assert len(rows_of(loaded)) == 41
    assert loaded.notes == ()


def test_a_tab_separates_names_that_hold_blanks(splits, known, tmp_path):
    folder = write(tmp_path / "own", splits, ".txt", lambda rows: text(rows, "\t"))
    for split, rows in splits.items():
        header = "\t".join(f"my {name}" for name in NAMES.split(","))
        (folder / f"{split}.txt").write_bytes(text(rows, "\t", header))
    loaded = load_dataset(str(folder))
    assert loaded.sha256 == known.sha256
    assert "is a header (my a, my b, my c, ...)" in loaded.notes[0]


@pytest.mark.parametrize("first", ["?,?,?", "NA,NA,NA", ",,", "x,x,x", "0,1,x", "# 0,1,1", "NA,?"])
def test_a_first_line_that_is_neither_names_nor_numbers_is_never_left_out_unasked(tmp_path, first):
    (tmp_path / "own.csv").write_bytes(text(ORDINAL, header=first))
    message = line(f"{tmp_path}/own.csv?threshold=1&{SHARES}")
    assert "own.csv' cannot be read" in message
    assert "line 1, column " in message
    assert "is not a number" in message
    assert "add header=true" in message


def test_a_missing_value_in_one_column_is_no_name(tmp_path):
    (tmp_path / "own.csv").write_text("?\n" + "0\n1\n" * 20)
    assert "'?' is not a number" in line(f"{tmp_path}/own.csv?{SHARES}")


def test_a_declared_header_may_hold_any_text(tmp_path):
    (tmp_path / "own.csv").write_bytes(text(ORDINAL, header="x,x,3"))
    loaded = load_dataset(f"{tmp_path}/own.csv?threshold=1&{SHARES}&header=true")
    assert len(rows_of(loaded)) == len(ORDINAL)


def test_names_that_are_declared_a_row_are_refused(tmp_path):
    (tmp_path / "own.csv").write_bytes(text(ORDINAL, header="a,b,c"))
    message = line(f"{tmp_path}/own.csv?threshold=1&{SHARES}&header=false")
    assert "row 0, column 0 (counted from 0): 'a' is not a number" in message


@pytest.mark.parametrize("value", ["yes", "1", ""])
def test_header_is_true_or_false(tmp_path, value):
    (tmp_path / "own.csv").write_bytes(text(ORDINAL))
    assert f"header '{value}' must be true" in line(f"{tmp_path}/own.csv?{SHARES}&header={value}")


def test_a_header_is_declared_of_text_alone(splits, tmp_path):
    np.savez(tmp_path / "own.npz", **splits)
    assert "header is for text" in line(f"{tmp_path}/own.npz?header=false")
