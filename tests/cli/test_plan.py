"""`plan` says which trials there are, where they stand, and what is left; it trains nothing."""

import json
import re
from unittest.mock import patch

import pytest

from gmm_study import machine
from tests.cli.planned import finish, open_runs, train_all
from tests.workbench import STUDY


def test_a_plan_says_time_cost_and_memory_and_leaves_no_file(bench):
    before = bench.files()
    output = bench.call("plan", "tiny").stdout
    assert re.search(r"time: about \d+:\d\d .*1 core each \(a short calibration\)", output)
    assert re.search(r"cost: about \S+ core-hours", output)
    assert re.search(r"memory: \S+ GB a trial", output)
    assert bench.files() == before


def test_a_trial_that_may_stop_early_takes_at_most_so_long(bench):
    output = bench.call("plan", "tiny", "--set", "patience=1").stdout
    assert "time: at most about" in output


def test_once_a_study_has_finished_trials_their_pace_is_what_counts(bench):
    train_all(bench.folder, "methods=[gmm]")
    output = bench.call("plan", "tiny", "--set", "methods=[gmm]", "--set", "replicates=3").stdout
    assert "this study's own pace" in output


def test_what_a_trial_has_reached_is_said_and_not_trained_again(bench):
    first, second, *_ = open_runs(bench.folder, replicates=1)
    finish(first)
    second.advance()
    second.advance()
    second.pause()
    output = bench.call("plan", "tiny", "--set", "replicates=3").stdout
    lines = {line.split()[1]: line for line in output.splitlines() if line.startswith("pending")}
    assert "(1 of 3 replicates)" in lines[first.config.trial_id]
    assert "(epoch 2)" in lines[second.config.trial_id]


def test_a_finished_study_has_nothing_left_to_estimate(bench):
    train_all(bench.folder)
    output = bench.call("plan", "tiny").stdout
    assert "4 complete" in output
    assert "time:" not in output


def test_of_many_trials_a_plan_shows_counts_and_the_first_and_all_on_demand(bench):
    bench.write_study(STUDY.format(epochs=1).replace("[[6], [6, 3]]", str(list(range(1, 201)))))

    def listed(*options, terminal=False):
        with patch("rich.console.Console.is_terminal", terminal):
            lines = bench.call("plan", "tiny", *options).stdout.splitlines()
        return [line for line in lines if line.startswith("pending")], "\n".join(lines)

    rows, everything = listed("--all")
    assert len(rows) == 400
    assert "more; --all" not in everything
    for terminal in (False, True):
        first, shown = listed(terminal=terminal)
        assert len(first) == 20
        assert [line.split() for line in first] == [line.split() for line in rows[:20]]
        assert "200 pending" in shown
        assert "and 380 more; --all lists them" in shown
    assert len(json.loads(bench.call("plan", "tiny", "--json").stdout)["trials"]) == 400


def test_without_a_gpu_the_time_of_trials_on_gpus_is_unknown_and_their_memory_is_not(bench):
    output = bench.call("plan", "tiny", "--set", "resources.gpus=0.5").stdout
    assert "time: unknown" in output
    assert re.search(r"memory: \S+ GB a trial, of a GPU", output)


@pytest.mark.parametrize("command", ["plan", pytest.param("run", marks=pytest.mark.process)])
def test_what_never_acts_is_printed_in_one_line_each_on_standard_error(bench, command):
    bench.write_study(
        STUDY.format(epochs="4, schedule: cosine, hold_epochs: 1")
        + "per_method: {vae: {stages: [{patience: 9}, {patience: 9}]}}\n"
    )
    overrides = ("patience=8", "hold_epochs=9")
    train_all(bench.folder, *overrides)
    options = [word for override in overrides for word in ("--set", override)]
    lines = bench.call(command, "tiny", *options).stderr.splitlines()
    noted = [line for line in lines if line.startswith("gmm-study: ")]
    falls = "hold_epochs: 9 leaves no epoch of 4 in which the learning rate falls"
    assert noted == [
        "gmm-study: patience: has no effect on vae, whose stages all set it",
        f"gmm-study: {falls} (gmm)",
        *(f"gmm-study: {place}{falls} (vae)" for place in ("stages.0: ", "stages.1: ")),
    ]


def test_planning_many_trials_asks_the_store_for_one_listing_and_the_records_that_are_there(bench):
    train_all(bench.folder, "methods=[gmm]", "layers=[6]")
    asked = []
    from gmm_study.trials.record import Record

    original = Record.read_file

    def read_file(record, name):
        asked.append((record.path, name))
        return original(record, name)

    with patch.object(Record, "read_file", read_file):
        bench.call("plan", "tiny")
    assert len({path for path, _ in asked}) == 1
    assert len(asked) == len(set(asked))


def test_a_gpu_that_is_asked_for_and_missing_is_one_line_and_no_error(bench, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(machine, "version", lambda package: "2.9.0")
    monkeypatch.setattr(machine, "DEVICES", bench.folder / "dev")

    def lines(gpus):
        output = bench.call("plan", "tiny", "--set", f"resources.gpus={gpus}").stdout
        return [line for line in output.splitlines() if line.startswith("resources.gpus:")]

    (missing,) = lines(0.5)
    assert missing.startswith("resources.gpus: a trial needs 0.5, but this machine has no GPU")
    assert "dev has no device of Nvidia's" in missing
    assert missing.endswith("or set 0 to train on CPUs")
    assert not lines("auto")
    assert not lines(0)
    (bench.folder / "dev").mkdir()
    (bench.folder / "dev" / "nvidia0").touch()
    assert not lines(1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES='' hides them" in lines(1)[0]
    monkeypatch.setattr(machine, "version", lambda package: "2.9.0+cpu")
    assert "torch is built for CPUs alone" in lines(1)[0]
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert not lines(1), "the machines of the cluster count"
