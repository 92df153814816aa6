"""`gmm-study train` trains one trial without Ray."""

import json

import pytest

from tests.workbench import Workbench, figures

TINY = ("train", "--dataset", "data.npz", "--layers", "6,3", "--max-epochs", "3")


@pytest.mark.parametrize("method", ["gmm", "rws", "vae"])
def test_the_result_is_one_json_line_printed_last(tmp_path, method):
    bench = Workbench(tmp_path)
    arguments = (*TINY, "--method", method, "--evaluation-samples", "20", "--replicates", "2")
    output = bench.call(*arguments, "--output", "out", "--json").stdout
    result = json.loads(output.splitlines()[-1])
    assert result["state"] == "complete"
    assert result["hyperparameters"]["layers"] == [6, 3]
    assert result["hyperparameters"]["method"] == method
    for replicate in ("0", "1"):
        metrics = result["replicates"][replicate]["metrics"]
        assert metrics["test/log_p"] < 0 < metrics["test/log_p_se"]
    stored = json.loads((tmp_path / "out" / "result.json").read_text())
    assert stored["replicates"] == result["replicates"]


def test_the_same_command_again_gives_the_stored_result(tmp_path):
    bench = Workbench(tmp_path)
    arguments = (*TINY, "--evaluation-samples", "20", "--output", "out", "--json")
    first = json.loads(bench.call(*arguments).stdout.splitlines()[-1])
    again = json.loads(bench.call(*arguments).stdout.splitlines()[-1])
    assert again["replicates"] == first["replicates"]
    more = json.loads(bench.call(*arguments, "--replicates", "2").stdout.splitlines()[-1])
    assert more["replicates"]["0"] == first["replicates"]["0"]
    assert set(more["replicates"]) == {"0", "1"}


def test_a_preset_lies_under_the_settings_that_are_given(tmp_path):
    given = ("--preset", "authors", "--method", "rws", "--learning-rate", "0.01")
    output = Workbench(tmp_path).call(*TINY, *given, "--evaluation-samples", "5", "--json").stdout
    settings = json.loads(output.splitlines()[-1])["hyperparameters"]
    assert (settings["q_baseline"], settings["probability_clip"]) == ("none", 1e-6)
    assert (settings["learning_rate"], settings["max_epochs"]) == (0.01, 3)


def test_a_schedule_that_never_acts_is_named_on_standard_error_and_is_no_error(tmp_path):
    given = ("--schedule", "cosine", "--hold-epochs", "10", "--evaluation-samples", "5", "--json")
    ended = Workbench(tmp_path).call(*TINY, *given)
    line = "gmm-study: hold_epochs: 10 leaves no epoch of 3 in which"
    assert ended.stderr.count(line) == 1
    assert json.loads(ended.stdout.splitlines()[-1])["state"] == "complete"


def test_without_an_output_folder_nothing_is_left_behind(tmp_path):
    bench = Workbench(tmp_path)
    before = bench.files()
    bench.call(*TINY, "--evaluation-samples", "20")
    assert bench.files() == before


def test_equal_commands_give_equal_figures(tmp_path):
    bench = Workbench(tmp_path)
    arguments = (*TINY, "--evaluation-samples", "20", "--json")
    one, other = (json.loads(bench.call(*arguments).stdout.splitlines()[-1]) for _ in range(2))
    assert figures(one) == figures(other)


def test_help_is_the_reference_of_every_hyperparameter(tmp_path):
    from gmm_study.training.hyperparameters import declared_settings

    text = Workbench(tmp_path).call("train", "--help").stdout
    for spec in declared_settings().values():
        assert "--" + spec.name.replace("_", "-") in text


def test_a_setting_that_is_given_twice_is_refused(tmp_path):
    twice = ("--learning-rate", "0.2", "--set", "learning-rate=0.1")
    ended = Workbench(tmp_path).call(*TINY, *twice, status=2)
    assert "set: learning_rate is given twice, as 0.2 and 0.1" in ended.stderr
