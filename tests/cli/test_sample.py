"""`gmm-study sample` writes what a trained model generates."""

import json

import numpy as np
import pytest
from PIL import Image

from gmm_study.training.checkpoint import open_checkpoint

QUICK = ("--sweeps", "12", "--threads", "1", "--device", "cpu")


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_picture_is_a_grid_of_means_of_samples_of_p_star(records, commands):
    out = commands.run("sample", records / "gmm", "--count", "12", *QUICK)
    picture = pixels(commands.folder / "samples.png")
    assert picture.shape[1] > picture.shape[0]  # four columns, three rows
    assert len(np.unique(picture)) > 10
    for word in ("samples.png", "12 samples", "p*", "12 sweeps", "means p(x | h1)"):
        assert word in out


def test_a_model_that_comes_with_the_project_is_sampled_by_its_name(commands):
    out = commands.run("sample", "bmnist-12/", "--count", "4", "--from", "p", *QUICK[2:])
    picture = pixels(commands.folder / "samples.png")
    assert min(picture.shape[:2]) > 2 * 28
    assert len(np.unique(picture)) > 10
    assert "4 samples of p" in out


def test_a_folder_of_the_name_of_a_shipped_model_is_preferred(records, commands):
    (commands.folder / "bmnist-12").symlink_to(records / "gmm")
    found = json.loads(commands.run("sample", "bmnist-12", "--count", "1", "--json", *QUICK))
    assert found["checkpoint"] == "bmnist-12/checkpoint"
    (commands.folder / "bmnist-12").unlink()


def test_binary_shows_states(records, commands):
    commands.run("sample", records / "gmm", "--count", "9", "--binary", *QUICK)
    values = np.unique(pixels(commands.folder / "samples.png"))
    assert {0, 255} < set(values.tolist())
    assert len(values) == 3  # and the lines of the grid


def test_an_animation_has_many_frames_that_end_at_the_picture(records, commands):
    out = commands.run(
        "sample", records / "gmm", "--count", "9", "--animate", "chain.gif", "--binary", *QUICK
    )
    assert "chain.gif" in out
    picture = pixels(commands.folder / "samples.png")
    with Image.open(commands.folder / "chain.gif") as animation:
        assert animation.n_frames > 5
        animation.seek(animation.n_frames - 1)
        last = np.asarray(animation.convert("L"))
    assert np.abs(last.astype(int) - picture).max() < 20


def test_a_long_chain_makes_no_endless_animation(records, commands):
    commands.run(
        *("sample", records / "gmm", "--count", "4", "--animate", "a.gif"),
        *("--sweeps", "150", "--candidates", "2", "--threads", "1"),
    )
    with Image.open(commands.folder / "a.gif") as animation:
        assert 20 < animation.n_frames < 80


@pytest.mark.parametrize("source", ["p", "p_star"])
def test_the_same_seed_gives_the_same_picture_and_another_seed_another(records, commands, source):
    quick = QUICK if source == "p_star" else QUICK[2:]
    contents = []
    for name, seed in (("one.png", 1), ("same.png", 1), ("other.png", 2)):
        commands.run(
            "sample", records / "gmm", "--from", source, "--output", name, "--seed", seed, *quick
        )
        contents.append((commands.folder / name).read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_files_hold_samples_of_0_and_1_a_row(records, commands):
    for name in ("a.npz", "a.csv"):
        commands.run("sample", records / "bits", "--count", "7", "--output", name, *QUICK)
    with np.load(commands.folder / "a.npz") as archive:
        samples = archive["samples"]
    assert samples.shape == (7, 12)
    assert set(np.unique(samples)) == {0, 1}
    read = np.loadtxt(commands.folder / "a.csv", delimiter=",", dtype=int)
    assert (read == samples).all()


def test_data_that_are_no_images_go_to_a_file_of_numbers_unless_told_otherwise(records, commands):
    assert "samples.npz" in commands.run("sample", records / "bits", *QUICK)
    assert (commands.folder / "samples.npz").exists()


@pytest.mark.parametrize(("method", "law"), [("gmm", "p_star"), ("rws", "p"), ("vae", "p")])
def test_one_json_line_says_what_was_written_and_how(records, commands, method, law):
    quick = QUICK if law == "p_star" else QUICK[2:]
    document = json.loads(commands.run("sample", records / method, "--json", *quick))
    assert document["output"] == "samples.png"
    assert document["from"] == law
    assert document["shown"] == "means"
    assert (document["count"], document["seed"], document["replicate"]) == (100, 0, 0)
    if law == "p_star":
        assert document["sweeps"] == 12
        assert len(document["moved"]) == 3  # the data and two layers


def test_rws_has_a_p_star_too(records, commands):
    document = json.loads(
        commands.run("sample", records / "rws", "--from", "p_star", "--json", *QUICK)
    )
    assert document["from"] == "p_star"


def test_a_record_and_its_checkpoint_are_the_same_model(records, commands):
    for name, folder in (("a.csv", "gmm"), ("b.csv", "gmm/checkpoint")):
        commands.run("sample", records / folder, "--output", name, *QUICK)
    one, other = ((commands.folder / name).read_bytes() for name in ("a.csv", "b.csv"))
    assert one == other


def test_each_replicate_has_samples_of_its_own(records, commands):
    for index in (0, 1):
        commands.run(
            "sample", records / "gmm", "--replicate", index, "--output", f"{index}.csv", *QUICK
        )
    one, other = ((commands.folder / f"{index}.csv").read_bytes() for index in (0, 1))
    assert one != other


@pytest.mark.parametrize(
    ("record", "options", "says"),
    [
        ("vae", ["--from", "p_star"], ["vae", "no p*", "--from p"]),
        ("gmm", ["--output", "a.jpg"], ["output", "a.jpg", ".png", ".npz", ".csv"]),
        ("bits", ["--output", "a.png"], ["output", "a.png", ".npz", ".csv"]),
        ("gmm", ["--output", "no/a.png"], ["output", "'no'"]),
        ("gmm", ["--animate", "a.png"], ["animate", "a.png", ".gif"]),
        ("bits", ["--animate", "a.gif"], ["animate", "a.gif"]),
        ("gmm", ["--from", "p", "--sweeps", "10"], ["sweeps", "10", "--from p_star"]),
        ("rws", ["--animate", "a.gif"], ["animate", "--from p_star"]),
        ("gmm", ["--output", "a.csv", "--binary"], ["binary", "a.csv"]),
        ("gmm", ["--candidates", "1"], ["candidates", "1"]),
        ("gmm", ["--replicate", "2"], ["replicate", "2", "0, 1"]),
        (".", [], ["checkpoint", "meta.json"]),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(records, commands, record, options, says):
    line = commands.complaint("sample", records / record, *options)
    for part in says:
        assert part in line


def test_a_replicate_that_diverged_is_refused(records, commands, monkeypatch):
    def diverged(self, *arguments):
        model = original(self, *arguments)
        model.parameters.flat.fill_(float("nan"))
        return model

    checkpoint = type(open_checkpoint(records / "gmm"))
    original = checkpoint.model
    monkeypatch.setattr(checkpoint, "model", diverged)
    assert "diverged" in commands.complaint("sample", records / "gmm")
