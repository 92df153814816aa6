"""`gmm-study inpaint` completes what is hidden and leaves the rest as it is."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from gmm_study.data import load_dataset

QUICK = ("--sweeps", "12", "--threads", "1", "--device", "cpu")
FEW = ("--datapoints", "3", "--chains", "4")


def arrays(path):
    with np.load(path) as archive:
        return dict(archive)


def test_a_picture_has_a_column_a_datapoint_and_a_row_a_chain_below_two_rows(records, commands):
    out = commands.run("inpaint", records / "gmm", "--animate", "a.gif", *FEW, *QUICK)
    for word in ("inpainted.png", "3 datapoints", "4 chains", "top", "a.gif"):
        assert word in out
    with Image.open(commands.folder / "inpainted.png") as image:
        picture = np.asarray(image)
    assert picture.shape[0] / picture.shape[1] == pytest.approx(6 / 3, abs=0.1)
    with Image.open(commands.folder / "a.gif") as animation:
        assert animation.n_frames > 5
        assert animation.size == picture.shape[::-1]


def test_what_is_visible_stays_and_what_is_hidden_is_drawn_anew_by_each_chain(records, commands):
    commands.run("inpaint", records / "gmm", "--output", "a.npz", *FEW, *QUICK)
    found = arrays(commands.folder / "a.npz")
    digits = load_dataset("digits").test
    assert (found["original"] == digits[found["index"]]).all()
    hidden = found["occluded"].astype(bool)
    assert (hidden.reshape(3, 8, 8) == (np.arange(8) < 4)[:, None]).all()
    completions = found["completions"]
    assert completions.shape == (3, 4, 64)
    visible = ~hidden[:, None].repeat(4, axis=1)
    assert (completions == found["original"][:, None])[visible].all()
    assert len(np.unique(completions[0], axis=0)) > 1


def test_a_file_of_lines_has_the_rows_of_the_picture(records, commands):
    for name in ("a.npz", "a.csv"):
        commands.run(
            *("inpaint", records / "bits", "--dataset", records / "bits.npz", "--output", name),
            *("--occlude", "0,5-8", *FEW, *QUICK),
        )
    found = arrays(commands.folder / "a.npz")
    with open(commands.folder / "a.csv", newline="") as file:
        lines = list(csv.reader(file))
    assert [line[1] for line in lines[:6]] == ["original", "occluded", "0", "1", "2", "3"]
    assert [int(line[0]) for line in lines[::6]] == found["index"].tolist()
    values = np.array([line[2:] for line in lines], dtype=int).reshape(3, 6, 12)
    assert (values[:, 0] == found["original"]).all()
    assert (values[:, 1] == found["occluded"]).all()
    assert (values[:, 2:] == found["completions"]).all()
    assert values[0, 1].nonzero()[0].tolist() == [0, 5, 6, 7, 8]


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(records, commands):
    contents = []
    for name, seed in (("one.png", 1), ("same.png", 1), ("other.png", 2)):
        commands.run("inpaint", records / "gmm", "--output", name, "--seed", seed, *FEW, *QUICK)
        contents.append((commands.folder / name).read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_one_json_line_says_what_was_written_and_how(records, commands):
    document = json.loads(
        commands.run(
            *("inpaint", records / "gmm", "--occlude", "0.25", "--split", "train", "--json"),
            *("--output", "a.npz", *FEW, *QUICK),
        )
    )
    found = arrays(commands.folder / "a.npz")
    assert document["output"] == "a.npz"
    assert document["datapoints"] == found["index"].tolist()
    assert (document["dataset"], document["split"]) == ("digits", "train")
    assert (document["occlude"], document["chains"], document["sweeps"]) == ("0.25", 4, 12)
    assert found["occluded"].sum(1).tolist() == [16, 16, 16]


@pytest.mark.parametrize(
    ("record", "options", "says"),
    [
        ("vae", [], ["vae", "no p*"]),
        ("gmm", ["--occlude", "middle"], ["occlude", "middle", "center"]),
        ("bits", ["--occlude", "top"], ["occlude", "top", "0.5"]),
        ("gmm", ["--datapoints", "301"], ["datapoints", "301", "300"]),
        ("gmm", ["--dataset", "bars"], ["bars", "16", "64"]),
        ("gmm", ["--output", "a.gif"], ["output", "a.gif", ".png"]),
        ("bits", ["--output", "a.png"], ["output", "a.png", ".npz"]),
        ("gmm", ["--animate", "a.mp4"], ["animate", "a.mp4", ".gif"]),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(records, commands, record, options, says):
    line = commands.complaint("inpaint", records / record, *options)
    for part in says:
        assert part in line
