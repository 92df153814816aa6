"""Input that cannot be used costs one clear line, exit status 2, and nothing is written."""

import os

import numpy as np
import pytest


def complaint(bench, *arguments):
    """The one line on standard error, after checking that it is all there is."""
    before = bench.files()
    process = bench.call(*arguments, status=2)
    lines = process.stderr.strip().splitlines()
    assert len(lines) == 1, process.stderr
    assert process.stdout == ""
    assert bench.files() == before
    return lines[0]


@pytest.mark.parametrize("command", [["train"], ["run", "tiny"], ["plan", "tiny"]])
def test_an_unknown_data_set_is_answered_with_the_nearest_name(bench, command):
    line = complaint(bench, *command, "--dataset", "mushroms")
    assert "mushroms" in line
    assert "mushrooms" in line


def test_an_unknown_study_is_answered_with_the_nearest_name(bench):
    line = complaint(bench, "run", "tinny")
    assert "tinny" in line
    assert "tiny" in line


def test_a_misspelt_field_of_a_study_is_answered_with_the_nearest_name(bench):
    bench.write_study("qestion: x\ndatasets: [data.npz]\nmethods: [gmm]\n")
    line = complaint(bench, "run", "tiny")
    assert "tiny.yaml" in line
    assert "qestion" in line
    assert "question" in line


def test_a_misspelt_hyperparameter_of_a_study_is_answered_with_the_nearest_name(bench):
    bench.write_study(
        "question: x\ndatasets: [data.npz]\nmethods: [gmm]\nfixed: {learning_rat: 1.0e-3}\n"
    )
    line = complaint(bench, "run", "tiny")
    assert "tiny.yaml" in line
    assert "learning_rat" in line
    assert "learning_rate" in line


def test_a_negative_learning_rate_of_a_study_is_refused_before_anything_runs(bench):
    bench.write_study(
        "question: x\ndatasets: [data.npz]\nmethods: [gmm]\n"
        "space: {learning_rate: {grid: [0.001, -0.01]}}\n"
    )
    line = complaint(bench, "run", "tiny")
    for part in ("tiny.yaml", "learning_rate", "-0.01", "above 0"):
        assert part in line


@pytest.mark.parametrize(
    ("option", "value", "right"),
    [
        ("--learning-rate", "-1e-3", "above 0"),
        ("--learning-rate", "fast", "number"),
        ("--layers", "48,0", "at least 1"),
        ("--layers", "depth=3,first=48", "depth, first and last"),
        ("--samples", "2.5", "whole number"),
        ("--method", "rsw", "rws"),
        ("--device", "gpu", "cuda"),
        ("--bound", "iwae", "method vae"),
        ("--preset", "author", "'authors'"),
    ],
)
def test_a_wrong_hyperparameter_is_named_with_its_value_and_what_would_be_right(
    bench, option, value, right
):
    line = complaint(bench, "train", "--dataset", "data.npz", "--output", "out", option, value)
    for part in (option.strip("-").replace("-", "_"), right):
        assert part in line


def test_a_data_file_with_a_two_in_it_is_refused_naming_where(bench):
    rows = np.zeros((5, 3))
    rows[4, 1] = 2
    np.savez(bench.folder / "bad.npz", train=rows, valid=rows[:2], test=rows[:2])
    line = complaint(bench, "train", "--dataset", "bad.npz", "--output", "out")
    for part in ("bad.npz", "train", "2"):
        assert part in line


@pytest.mark.parametrize("name", ["mushrooms", "debd/nltcs", "bmnist"])
def test_a_missing_file_without_network_says_what_could_not_be_had_and_what_helps(bench, name):
    line = complaint(bench, "train", "--dataset", name, "--output", "out")
    assert name in line
    assert "GMM_STUDY_DATA" in line


def test_a_missing_path_is_named(bench):
    assert "nowhere.npz" in complaint(bench, "run", "tiny", "--dataset", "nowhere.npz")


def test_an_unknown_override_is_answered_with_the_nearest_name(bench):
    line = complaint(bench, "run", "tiny", "--set", "max_epoch=5")
    assert "max_epoch" in line
    assert "max_epochs" in line


def test_an_output_folder_of_another_trial_is_left_alone(bench):
    tiny = ("train", "--dataset", "data.npz", "--layers", "6", "--evaluation-samples", "10")
    bench.call(*tiny, "--max-epochs", "1", "--output", "out")
    line = complaint(bench, *tiny, "--learning-rate", "0.5", "--output", "out")
    assert "out" in line


def test_a_storage_is_no_output_folder_of_a_trial(bench):
    tiny = ("train", "--dataset", "data.npz", "--layers", "6", "--evaluation-samples", "10")
    bench.call(*tiny, "--max-epochs", "1", "--output", "results/first")
    line = complaint(bench, *tiny, "--max-epochs", "2", "--output", "results")
    for part in ("output: ", "results'", "'first'", "a folder of its own"):
        assert part in line


@pytest.mark.figure
def test_a_place_where_no_report_can_be_written_is_told_in_one_line(bench):
    (bench.folder / "reports").write_text("a file")
    line = complaint(bench, "report", "tiny")
    assert "the report cannot be written" in line
    assert "reports/tiny" in line


@pytest.mark.process
def test_azure_without_credentials_is_one_line_and_none_of_its_library(bench, monkeypatch):
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(bench.folder))  # without az
    address = "abfss://container@account.dfs.core.windows.net/x"
    done = bench.run("status", "tiny", "--storage", address, status=2, within=60)
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith(f"gmm-study: storage: '{address}' needs credentials")
    assert "AZURE_CLIENT_SECRET" in line
