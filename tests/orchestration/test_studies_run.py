"""Studies through real Ray Tune into records and a real MLflow store."""

import os
import signal

import pytest
from mlflow.tracking import MlflowClient

from gmm_study.data import load_dataset
from gmm_study.trials.once import run_once
from gmm_study.trials.record import Record, RecordStore
from tests.workbench import Workbench, figures, wait_until

pytestmark = pytest.mark.process

LONG = 400
"""Epochs of a trial that is surely still running when it is to be disturbed."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study that ran to its end, and what it printed."""
    bench = Workbench(tmp_path_factory.mktemp("finished"))
    return bench, bench.run("run", "tiny").stdout


def runs_of(bench, study="tiny"):
    client = MlflowClient(f"sqlite:///{bench.folder}/mlflow.db")
    experiment = client.get_experiment_by_name(study)
    return client, client.search_runs([experiment.experiment_id])


def undisturbed(bench, trial_id):
    """The figures of a trial trained by itself, in this process, without Ray."""
    config = RecordStore(str(bench.folder / "results")).record(trial_id).config()
    dataset = load_dataset(str(bench.folder / "data.npz"))
    return figures(run_once(config, dataset, replicates=2, device="cpu", threads=1))


def test_every_trial_of_a_study_gets_a_complete_record_and_the_report_is_written(finished):
    bench, output = finished
    results = bench.results()
    assert len(results) == 4
    assert all(result["state"] == "complete" for result in results.values())
    assert all(set(result["replicates"]) == {"0", "1"} for result in results.values())
    report = bench.folder / "reports" / "tiny"
    names = {path.name for path in report.iterdir()}
    assert names == {
        "index.html",
        "report.json",
        "table.md",
        "table.csv",
        "table.tex",
        "figures",
    }
    assert "Does a tiny model gain from depth?" in output
    assert "4 complete" in output


def test_a_trial_trained_through_ray_has_the_figures_of_one_trained_alone(finished):
    bench, _ = finished
    trial_id, result = next(iter(bench.results().items()))
    assert figures(result) == undisturbed(bench, trial_id)


def test_mlflow_shows_a_parent_run_a_trial_and_a_nested_run_a_replicate(finished):
    bench, _ = finished
    client, runs = runs_of(bench)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert {run.data.tags["trial_id"] for run in parents} == set(bench.results())
    assert len(children) == 2 * len(parents)
    for child in children:
        trial_id, replicate = child.data.tags["trial_id"], child.data.tags["replicate"]
        stored = bench.results()[trial_id]["replicates"][replicate]
        for name in ("test/log_p", "test/log_p_se", "test/ess"):
            assert child.data.metrics[name] == stored["metrics"][name]
        assert child.info.status == "FINISHED"
        assert child.data.tags["state"] == "complete"
    for parent in parents:
        tags = {"study", "trial_id", "state", "git_commit", "dataset_sha256"}
        assert tags <= set(parent.data.tags)
        assert {"method", "layers", "learning_rate", "dataset"} <= set(parent.data.params)
        artifacts = {item.path for item in client.list_artifacts(parent.info.run_id)}
        assert {"config.json", "checkpoint"} <= artifacts


def test_mlflow_holds_the_curves_of_the_record_each_epoch_once(finished):
    bench, _ = finished
    client, runs = runs_of(bench)
    child = next(run for run in runs if run.data.tags.get("replicate") == "1")
    record = Record.at(str(bench.folder / "results" / child.data.tags["trial_id"]))
    for split, metric in (("train", "bound"), ("valid", "bound"), ("valid", "log_p")):
        history = client.get_metric_history(child.info.run_id, f"{split}/{metric}")
        stored = {
            row["epoch"]: row["value"]
            for row in record.metrics().to_pylist()
            if (row["replicate"], row["split"], row["metric"]) == (1, split, metric)
        }
        assert [(point.step, point.value) for point in history] == sorted(stored.items())


def test_the_same_study_again_trains_nothing_and_says_so(finished):
    bench, _ = finished
    trials = bench.folder / "results"
    before = {p: p.stat().st_mtime_ns for p in trials.glob("[!.]*/**/*")}
    number_of_runs = len(runs_of(bench)[1])
    output = bench.run("run", "tiny").stdout
    assert "nothing to train" in output
    assert before == {p: p.stat().st_mtime_ns for p in trials.glob("[!.]*/**/*")}
    assert len(runs_of(bench)[1]) == number_of_runs


def test_mlflow_is_rebuilt_from_the_records_alone(finished):
    bench, _ = finished
    _, before = runs_of(bench)
    (bench.folder / "mlflow.db").unlink()
    bench.run("sync", "tiny")
    _, after = runs_of(bench)
    content = {(r.info.run_name, r.data.tags["trial_id"]): r.data.metrics for r in before}
    assert content == {(r.info.run_name, r.data.tags["trial_id"]): r.data.metrics for r in after}


def test_more_replicates_and_more_values_train_only_what_is_new(tmp_path):
    bench = Workbench(tmp_path)
    bench.run(
        "run", "tiny", "--set", "methods=[gmm]", "--set", "replicates=1", "--set", "layers=[6]"
    )
    ((first, before),) = bench.results().items()
    bench.run("run", "tiny", "--set", "methods=[gmm]")
    after = bench.results()
    assert len(after) == 2
    assert after[first]["replicates"]["0"] == before["replicates"]["0"]
    assert figures(after[first]) == undisturbed(bench, first)
    _, runs = runs_of(bench)
    assert len(runs) == 2 * (1 + 2)


def test_ctrl_c_keeps_what_was_reached_and_the_same_command_goes_on(tmp_path):
    bench = Workbench(tmp_path, epochs=LONG)
    only = ("--set", "methods=[gmm]", "--set", "layers=[6,3]")
    driver = bench.start("run", "tiny", *only)
    wait_until(bench.statuses)
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 130, out + err
    assert "the same command goes on" in out
    assert "Traceback" not in out + err
    assert not bench.results()
    ((trial_id, _),) = bench.statuses().items()
    reached = Record.at(str(tmp_path / "results" / trial_id)).metrics().num_rows
    assert reached > 0
    bench.run("run", "tiny", *only)
    assert figures(bench.results()[trial_id]) == undisturbed(bench, trial_id)


def test_a_trial_that_fails_ends_alone_and_is_trained_again_only_when_asked(tmp_path):
    bench = Workbench(tmp_path)
    bench.write_study(
        """
question: What does a trial that cannot be held in memory cost?
datasets: [data.npz]
methods: [gmm]
fixed: {layers: [6], max_epochs: 2}
space:
  samples: {grid: [2, 1000000000000]}
evaluation: {samples: 20}
"""
    )
    output = bench.run("run", "tiny", status=1).stdout
    assert len(bench.results()) == 1
    assert "1 complete, 1 failed" in output
    assert "samples=1000000000000" in bench.run("status", "tiny").stdout
    again = bench.run("run", "tiny", status=1).stdout
    assert "nothing to train" in again
    assert "--retry-failed" in again
    bench.run("run", "tiny", "--retry-failed", status=1)


def test_a_trial_that_asks_for_a_gpu_where_there_is_none_is_refused_in_one_line(tmp_path):
    bench = Workbench(tmp_path)
    before = bench.files()
    output = bench.run("run", "tiny", "--set", "resources.gpus=0.5", status=2)
    assert output.stderr.strip().count("\n") == 0
    assert "resources.gpus" in output.stderr
    assert bench.files() == before
