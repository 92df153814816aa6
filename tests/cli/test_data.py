"""A user's own data on the command line: checked, said what was decided, trained and drawn."""

import json

import numpy as np
import pytest
from PIL import Image

HEADER = "is a header (c0, c1, c2, ...), not data"
GREY = "grey.npy?threshold=127&fractions=0.6/0.2/0.2"
STUDY = """
question: Does one file of grey images train?
datasets: ["{dataset}"]
methods: [gmm]
fixed: {{layers: [6], max_epochs: 1}}
evaluation: {{samples: 5}}
"""


def write_with_header(bench):
    (bench.folder / "own").mkdir()
    arrays = np.load(bench.folder / "data.npz")
    header = ",".join(f"c{column}" for column in range(12))
    for split in arrays.files:
        path = bench.folder / "own" / f"{split}.csv"
        np.savetxt(path, arrays[split], "%d", ",", header=header, comments="")


def write_grey(bench):
    arrays = np.load(bench.folder / "data.npz")
    rows = np.concatenate([arrays["train"], arrays["valid"], arrays["test"]])
    np.save(bench.folder / "grey.npy", rows.reshape(-1, 4, 3) * 200)


def test_a_check_says_what_was_read(bench):
    write_grey(bench)
    printed = bench.call("data", "check", GREY).stdout.splitlines()
    assert printed[0].startswith(f"{GREY}: 12 dims, 240 / 80 / 80, sha256 ")
    assert printed[1].startswith("images of 4 x 3, ones: ")
    facts = json.loads(bench.call("data", "check", GREY, "--json").stdout)
    assert facts["image_shape"] == [4, 3]
    assert facts["sizes"] == {"train": 240, "valid": 80, "test": 80}
    assert 0 < facts["ones"]["train"] < 1


def test_a_check_of_values_of_grey_costs_one_line_that_says_what_to_declare(bench):
    write_grey(bench)
    refused = bench.call("data", "check", "grey.npy?fractions=0.6/0.2/0.2", status=2)
    (line,) = refused.stderr.splitlines()
    assert "value 200" in line
    assert "'grey.npy?fractions=0.6/0.2/0.2&threshold=100'" in line


@pytest.mark.parametrize(
    "command",
    [
        ("data", "check", "own"),
        ("plan", "tiny", "--dataset", "own"),
        ("train", "--dataset", "own", "--layers", "6", "--max-epochs", "1"),
    ],
)
def test_a_header_is_said_once_on_standard_error(bench, command):
    write_with_header(bench)
    ended = bench.call(*command)
    assert ended.stderr.count(HEADER) == 1
    assert HEADER not in ended.stdout


def test_a_study_takes_declared_data_and_plans_the_trial_that_train_trains(bench):
    write_grey(bench)
    bench.write_study(STUDY.format(dataset=GREY))
    (planned,) = json.loads(bench.call("plan", "tiny", "--json").stdout)["trials"]
    assert planned["dataset"] == GREY
    given = ("--layers", "6", "--max-epochs", "1", "--evaluation-samples", "5", "--json")
    trained = bench.call("train", "--dataset", GREY, "--output", "out", *given)
    assert json.loads(trained.stdout.splitlines()[-1])["trial_id"] == planned["trial_id"]


def test_samples_of_a_model_of_images_are_drawn_as_images(bench):
    write_grey(bench)
    given = ("--layers", "6", "--max-epochs", "1", "--evaluation-samples", "5", "--output", "out")
    bench.call("train", "--dataset", GREY, *given)
    bench.call("sample", "out", "--from", "p", "--count", "6", "--output", "samples.png")
    for path in ("out/pictures/samples.png", "samples.png"):
        with Image.open(bench.folder / path) as picture:
            assert picture.size[1] > 0
    document = json.loads((bench.folder / "out" / "checkpoint" / "meta.json").read_text())
    assert document["dataset"]["image_shape"] == [4, 3]


def test_a_new_study_takes_declared_data(bench):
    write_grey(bench)
    bench.call("new", "mine", "--dataset", GREY)
    planned = json.loads(bench.call("plan", "mine", "--small", "--json").stdout)
    assert {trial["dataset"] for trial in planned["trials"]} == {GREY}
