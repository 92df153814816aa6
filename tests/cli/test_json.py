"""`--json` prints one line of JSON and nothing else, with null for what is not finite."""

import json
import math

import pytest

from gmm_study.cli.as_json import print_json
from gmm_study.training.state import TrialState
from tests.cli.planned import open_runs, train_all

OF_A_STUDY = {
    *("study", "variant", "replicates", "states"),
    *("to_be_proposed", "to_be_confirmed", "without_data"),
}
OF_A_TRIAL = {
    *("trial_id", "state", "dataset", "method", "axes"),
    *("replicates", "epoch", "replicates_ended"),
}
REMAINING = {"seconds", "at_most", "worker_seconds", "workers", "memory_bytes", "on_gpu", "source"}


def parsed(text):
    """The one line of an output, which must hold no NaN."""
    (line,) = text.splitlines()

    def refuse(word):
        raise AssertionError(f"{word} in {line}")

    return json.loads(line, parse_constant=refuse)


def test_a_number_that_is_not_finite_is_null(capsys):
    print_json({"a": math.nan, "b": [1, -math.inf, (math.inf, 2.5)], "c": {"d": "NaN"}})
    assert parsed(capsys.readouterr().out) == {
        "a": None,
        "b": [1, None, [None, 2.5]],
        "c": {"d": "NaN"},
    }


def test_a_plan_has_every_trial_and_what_is_left(bench):
    document = parsed(bench.call("plan", "tiny", "--json").stdout)
    assert set(document) == OF_A_STUDY | {"question", "trials", "remaining"}
    assert document["states"] == {"pending": 4}
    assert all(set(trial) == OF_A_TRIAL for trial in document["trials"])
    assert {(t["method"], t["axes"]["layers"]) for t in document["trials"]} == {
        (method, layers) for method in ("gmm", "vae") for layers in ("6", "6,3")
    }
    assert set(document["remaining"]) == REMAINING
    assert document["remaining"]["seconds"] > 0


def test_a_finished_study_has_nothing_remaining(bench):
    train_all(bench.folder, "methods=[vae]")
    document = parsed(bench.call("status", "tiny", "--set", "methods=[vae]", "--json").stdout)
    assert set(document) == OF_A_STUDY | {"running", "failed", "remaining"}
    assert document["states"] == {"complete": 2}
    assert document["remaining"] is None


def test_a_status_names_the_failed_trial_with_its_reason_and_an_unknown_time_is_null(bench):
    run, *_ = open_runs(bench.folder)
    run.record.write_status(TrialState.FAILED, error="first line\nValueError: the last line")
    document = parsed(bench.call("status", "tiny", "--json").stdout)
    (failed,) = document["failed"]
    assert set(failed) == OF_A_TRIAL | {"error", "log"}
    assert (failed["trial_id"], failed["log"]) == (run.config.trial_id, None)
    assert failed["error"] == "ValueError: the last line"
    assert document["remaining"]["seconds"] is None


def test_a_status_has_the_progress_of_a_running_trial(bench):
    run, *others = open_runs(bench.folder)
    run.advance()
    for other in others:
        other.pause()
    document = parsed(bench.call("status", "tiny", "--json").stdout)
    (running,) = document["running"]
    progress = {"max_epochs", "phase", "bound", "seconds_left", "host"}
    assert set(running) == OF_A_TRIAL | progress
    assert (running["trial_id"], running["max_epochs"]) == (run.config.trial_id, 4)
    assert document["states"] == {"pending": 3, "running": 1}


@pytest.fixture
def _no_mlflow(monkeypatch):
    """An address of MLflow's that nothing can be done with."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://somewhere")


@pytest.mark.figure
@pytest.mark.process
@pytest.mark.usefixtures("_no_mlflow")
def test_a_run_prints_json_alone_and_its_report_elsewhere(bench):
    train_all(bench.folder, "methods=[vae]")
    done = bench.call("run", "tiny", "--set", "methods=[vae]", "--json")
    document = parsed(done.stdout)
    assert set(document) == OF_A_STUDY | {
        "trained",
        "confirmed",
        "interrupted",
        "not_assessed",
        "mlflow",
    }
    assert (document["states"], document["trained"]) == ({"complete": 2}, {})
    assert document["mlflow"].startswith("MLflow: ")
    assert "nothing to train" in done.stderr
    assert "layers" in done.stderr
    assert list((bench.folder / "reports").rglob("table.csv"))


@pytest.mark.process
@pytest.mark.usefixtures("_no_mlflow")
def test_a_sync_that_lacks_something_says_so_and_ends_with_status_1(bench):
    document = parsed(bench.call("sync", "tiny", "--json", status=1).stdout)
    assert set(document) == OF_A_STUDY | {"mlflow"}
    assert document["mlflow"].startswith("MLflow: ")


def test_the_data_sets_are_listed_and_fetched_with_their_sizes(bench):
    listed = parsed(bench.call("data", "list", "--json").stdout)["datasets"]
    by_name = {entry["name"]: entry for entry in listed}
    assert by_name["digits"]["sizes"] == {"train": 1197, "valid": 300, "test": 300}
    fetched = parsed(bench.call("data", "fetch", "digits", "--json").stdout)
    assert fetched["sizes"] == by_name["digits"]["sizes"]
    assert len(fetched["sha256"]) == 64


@pytest.mark.parametrize("command", [["plan", "tinny"], ["evaluate", "nowhere"], ["sync", "tinny"]])
def test_a_mistake_leaves_the_output_empty(bench, command):
    refused = bench.call(*command, "--json", status=2)
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1
