"""Published files: where they are looked for, and that only the right ones are used."""

import hashlib
import io
import socket
from pathlib import Path

import numpy as np
import pytest

from gmm_study.data import Dataset, fetch_dataset, list_datasets, load_dataset
from gmm_study.errors import InputError

ARCHIVE = ["made/toy.npz"]
TEXTS = [f"debd/toy/toy.{split}.data" for split in ("train", "valid", "test")]


def npz(splits) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{f"{split}_data": rows for split, rows in splits.items()})
    return buffer.getvalue()


def git_blob(contents: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(contents) + contents).hexdigest()


def text(rows) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in rows.tolist()).encode()


def serve(server, splits, paths):
    contents = [npz(splits)] if paths == ARCHIVE else [text(rows) for rows in splits.values()]
    server.contents = {f"/{path}": body for path, body in zip(paths, contents, strict=True)}
    return contents


def line(name="toy") -> str:
    with pytest.raises(InputError) as error:
        load_dataset(name)
    assert "\n" not in str(error.value)
    return str(error.value)


def cached(tmp_path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def origin(name="toy") -> str:
    return next(info.origin for info in list_datasets() if info.name == name)


@pytest.mark.parametrize("paths", [ARCHIVE, TEXTS], ids=["archive", "texts"])
def test_a_download_is_kept_and_not_repeated(server, register, splits, paths):
    serve(server, splits, paths)
    register(server.address, paths)
    assert load_dataset("toy").sha256 == Dataset.from_splits("toy", splits).sha256
    assert fetch_dataset("toy").sha256 == Dataset.from_splits("toy", splits).sha256
    assert set(server.requests.values()) == {1}


def test_the_list_says_where_a_data_set_would_come_from(
    server, register, splits, tmp_path, monkeypatch
):
    (contents,) = serve(server, splits, ARCHIVE)
    register(server.address, ARCHIVE)
    assert origin() == "download"
    assert not server.requests
    fetch_dataset("toy")
    assert origin() == "cached"
    (tmp_path / "made").mkdir()
    (tmp_path / "made/toy.npz").write_bytes(contents)
    monkeypatch.setenv("GMM_STUDY_DATA", str(tmp_path))
    assert origin() == str(tmp_path / "made/toy.npz")
    assert origin("digits") == "embedded"
    assert origin("bars") == "generated"


def test_the_list_reads_no_file(register, tmp_path, monkeypatch):
    register("http://127.0.0.1:1", TEXTS)
    for path in TEXTS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"no, bits")
    monkeypatch.setenv("GMM_STUDY_DATA", str(tmp_path))
    assert origin() == str(tmp_path / "debd/toy")
    assert "cannot be read" in line()


def test_the_local_folder_is_searched_before_any_download(
    server, register, splits, tmp_path, monkeypatch
):
    (contents,) = serve(server, splits, ARCHIVE)
    register(server.address, ARCHIVE, git_blob=git_blob(contents))
    (tmp_path / "made").mkdir()
    (tmp_path / "made/toy.npz").write_bytes(contents)
    monkeypatch.setenv("GMM_STUDY_DATA", str(tmp_path))
    load_dataset("toy")
    assert not server.requests
    damaged = bytearray(contents)
    damaged[-1] ^= 1
    (tmp_path / "made/toy.npz").write_bytes(damaged)
    message = line()
    assert str(tmp_path / "made/toy.npz") in message
    assert git_blob(contents) in message


def test_a_local_folder_that_does_not_exist_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GMM_STUDY_DATA", str(tmp_path / "nowhere"))
    message = line("mushrooms")
    assert "GMM_STUDY_DATA" in message
    assert str(tmp_path / "nowhere") in message
    assert load_dataset("bars").dims == 16


@pytest.mark.parametrize("paths", [ARCHIVE, TEXTS], ids=["archive", "texts"])
def test_an_interrupted_download_is_refused_and_can_be_repeated(
    server, register, splits, tmp_path, paths
):
    serve(server, splits, paths)
    register(server.address, paths)
    last = f"/{paths[-1]}"
    whole = server.contents[last]
    server.announced[last] = len(whole)
    server.contents[last] = whole[: len(whole) // 2]
    assert f"{server.address}{last}" in line()
    assert cached(tmp_path) == []
    server.contents[last] = whole
    assert load_dataset("toy").sha256 == Dataset.from_splits("toy", splits).sha256


@pytest.mark.parametrize("paths", [ARCHIVE, TEXTS], ids=["archive", "texts"])
def test_a_file_cut_short_upstream_is_refused(server, register, splits, tmp_path, paths):
    serve(server, splits, paths)
    register(server.address, paths)
    last = f"/{paths[-1]}"
    server.contents[last] = server.contents[last][: -2 * splits["test"].shape[1]]
    assert f"download {server.address}{last}" in line()
    assert cached(tmp_path) == []


def test_a_flipped_bit_in_a_download_is_refused(server, register, splits, tmp_path):
    (contents,) = serve(server, splits, ARCHIVE)
    register(server.address, ARCHIVE, git_blob=git_blob(contents))
    damaged = bytearray(contents)
    damaged[len(damaged) // 2] ^= 1
    server.contents["/made/toy.npz"] = bytes(damaged)
    assert "git blob id" in line()
    assert cached(tmp_path) == []


@pytest.mark.parametrize("paths", [ARCHIVE, TEXTS], ids=["archive", "texts"])
def test_other_contents_than_the_published_are_refused(server, register, splits, tmp_path, paths):
    other = {**splits, "test": 1 - splits["test"]}
    serve(server, other, paths)
    register(server.address, paths, sha256=Dataset.from_splits("toy", splits).sha256)
    assert "contents differ" in line()
    assert cached(tmp_path) == []


def test_another_shape_than_declared_is_refused(server, register, splits, tmp_path):
    serve(server, {**splits, "valid": splits["valid"][:-1]}, ARCHIVE)
    register(server.address, ARCHIVE)
    message = line()
    assert "split 'valid': shape (2, 6)" in message
    assert "(3, 6)" in message
    assert cached(tmp_path) == []


def test_a_damaged_file_in_the_cache_is_downloaded_again(server, register, splits, tmp_path):
    serve(server, splits, ARCHIVE)
    register(server.address, ARCHIVE)
    load_dataset("toy")
    (tmp_path / "cache/made/toy.npz").write_bytes(b"half a file")
    assert load_dataset("toy").sha256 == Dataset.from_splits("toy", splits).sha256
    assert server.requests["/made/toy.npz"] == 2


def test_a_damaged_file_in_the_cache_is_not_used_without_network(
    server, register, splits, tmp_path
):
    serve(server, splits, ARCHIVE)
    register(server.address, ARCHIVE)
    load_dataset("toy")
    (tmp_path / "cache/made/toy.npz").write_bytes(b"half a file")
    server.contents.clear()
    assert "download failed" in line()
    assert cached(tmp_path) == []


def test_a_missing_file_without_network_says_what_to_do(register):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    register(address, ARCHIVE)
    message = line()
    assert "data set 'toy'" in message
    assert f"{address}/made/toy.npz" in message
    assert "GMM_STUDY_DATA" in message


def test_an_address_that_is_gone_is_named_with_its_status(server, register):
    register(server.address, ARCHIVE)
    message = line()
    assert f"{server.address}/made/toy.npz" in message
    assert "404" in message


def test_a_cache_that_cannot_be_written_is_named(server, register, splits, tmp_path):
    serve(server, splits, ARCHIVE)
    register(server.address, ARCHIVE)
    (tmp_path / "cache").write_text("a file, no folder")
    message = line()
    assert str(tmp_path / "cache") in message
    assert "GMM_STUDY_CACHE" in message


def test_fetching_takes_names_only(tmp_path):
    with pytest.raises(InputError, match="unknown data set"):
        fetch_dataset(str(tmp_path))


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("name", ["bmnist", "dna", "adult", "silhouettes", "debd/nltcs"])
def test_a_data_set_at_hand_is_what_the_list_declares(at_hand, name):
    at_hand(name)
    dataset = load_dataset(name)
    info = next(info for info in list_datasets() if info.name == name)
    assert (len(dataset.train), len(dataset.valid), len(dataset.test)) == info.sizes
    assert dataset.dims == info.dims
    assert info.origin not in ("cached", "download")
