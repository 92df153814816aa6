"""Studies through real Ray Tune into records and a real MLflow store."""

import shutil
from contextlib import chdir
from hashlib import sha256

import pytest
from mlflow.tracking import MlflowClient

from gmm_study.api.planned_study import PlannedStudy
from gmm_study.data import load_dataset
from gmm_study.trials.once import run_once
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore
from tests.cli.planned import open_runs
from tests.workbench import STUDY, Workbench, figures

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study that ran to its end, and what it printed."""
    bench = Workbench(tmp_path_factory.mktemp("finished"))
    return bench, bench.run("run", "tiny").stdout


def recorded(bench, trial_id):
    return Record.at(str(bench.folder / "results" / trial_id))


def runs_of(bench, study="tiny"):
    client = MlflowClient(f"sqlite:///{bench.folder}/mlflow.db")
    experiment = client.get_experiment_by_name(study)
    return client, client.search_runs([experiment.experiment_id])


def undisturbed(bench, trial_id, replicates=2):
    """The figures of a trial trained by itself, in this process, without Ray."""
    config = RecordStore(str(bench.folder / "results")).record(trial_id).config()
    dataset = load_dataset(str(bench.folder / "data.npz"))
    return figures(run_once(config, dataset, replicates, device="cpu", threads=1).to_json())


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
        "study.json",
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
    record = recorded(bench, child.data.tags["trial_id"])
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
    output = bench.call("run", "tiny").stdout
    assert "nothing to train" in output
    assert before == {p: p.stat().st_mtime_ns for p in trials.glob("[!.]*/**/*")}
    assert len(runs_of(bench)[1]) == number_of_runs


def test_mlflow_is_rebuilt_from_the_records_alone(finished):
    bench, _ = finished
    _, before = runs_of(bench)
    (bench.folder / "mlflow.db").unlink()
    bench.call("sync", "tiny")
    _, after = runs_of(bench)
    content = {(r.info.run_name, r.data.tags["trial_id"]): r.data.metrics for r in before}
    assert content == {(r.info.run_name, r.data.tags["trial_id"]): r.data.metrics for r in after}


def test_more_replicates_and_more_values_train_only_what_is_new(finished, tmp_path):
    bench = Workbench(tmp_path)
    shutil.copytree(finished[0].folder / "results", tmp_path / "results")
    before = bench.results()
    bench.write_study(
        STUDY.format(epochs=4)
        .replace("methods: [gmm, vae]\nreplicates: 2", "methods: [gmm]\nreplicates: 3")
        .replace("[[6], [6, 3]]", "[[6], [6, 3], [4]]")
    )
    output = bench.run("run", "tiny").stdout
    assert "trained 3 of 3 trials" in output
    after = bench.results()
    assert len(after) == len(before) + 1
    grown = [id for id, result in before.items() if after[id] != result]
    assert len(grown) == 2
    for trial_id in grown:
        replicates = after[trial_id]["replicates"]
        assert set(replicates) == {"0", "1", "2"}
        assert {n: replicates[n] for n in ("0", "1")} == before[trial_id]["replicates"]
    assert figures(after[grown[0]]) == undisturbed(bench, grown[0], replicates=3)
    _, runs = runs_of(bench)
    assert len(runs) == 3 * (1 + 3)


def test_trials_with_more_epochs_go_on_from_those_with_fewer(finished, tmp_path):
    bench = Workbench(tmp_path, epochs=6)
    shutil.copytree(finished[0].folder / "results", tmp_path / "results")
    before = bench.results()
    assert "trained 4 of 4 trials" in bench.run("run", "tiny").stdout
    after = bench.results()
    assert {trial_id: after[trial_id] for trial_id in before} == before
    longer = {trial_id: result for trial_id, result in after.items() if trial_id not in before}
    assert len(longer) == 4
    for trial_id, result in longer.items():
        assert figures(result) == undisturbed(bench, trial_id)
        record = recorded(bench, trial_id)
        rows = [row for row in record.metrics().to_pylist() if row["metric"] == "seconds"]
        shorter = [row for other in before for row in recorded(bench, other).metrics().to_pylist()]
        first = [row for row in rows if row["epoch"] <= 4]
        assert all(row in shorter for row in first), "their times are those of the first training"


def test_another_evaluation_of_a_study_trains_nothing(finished, tmp_path):
    bench = Workbench(tmp_path)
    shutil.copytree(finished[0].folder / "results", tmp_path / "results")
    before = bench.results()
    curves = [recorded(bench, trial_id).metrics() for trial_id in before]
    bench.run("run", "tiny", "--set", "evaluation.samples=7")
    after = bench.results()
    assert {trial_id: after[trial_id] for trial_id in before} == before
    for trial_id in set(after) - set(before):
        record = recorded(bench, trial_id)
        assert record.config().hyperparameters.evaluation_samples == 7
        assert record.metrics() in curves, "which have the times of the training"
    assert len(after) == 2 * len(before)


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
    good, bad = open_runs(tmp_path)
    bad.record.write_status("failed", error="it failed before")
    for run in (good, bad):
        run.leave()
    output = bench.run("run", "tiny", "--retry-failed", status=1).stdout
    assert "1 complete, 1 failed" in output
    assert set(bench.results()) == {good.config.trial_id}
    error = bench.statuses()[bad.config.trial_id]["error"]
    assert error != "it failed before"
    assert "samples=1000000000000" in bench.call("status", "tiny").stdout
    again = bench.call("run", "tiny", status=1).stdout
    assert "nothing to train" in again
    assert "--retry-failed" in again
    assert bench.statuses()[bad.config.trial_id]["error"] == error


WARM = """
question: Does a trial wait for the one that it begins from?
datasets: [data.npz]
methods: [gmm]
fixed: {{layers: [6], max_epochs: 4}}
variations:
  warm: {{warm_start: '{begin}'}}
  cold: {{max_epochs: 300, patience: 300, samples: {samples}}}
evaluation: {{samples: 20, selection_samples: 20}}
resources: {{concurrent: 2}}
"""


def warm_and_cold(bench, samples):
    """The records of a trial that begins from another one of its study, and of that other one."""
    begin = "0123456789abcdef"
    for _ in range(2):
        bench.write_study(WARM.format(begin=begin, samples=samples))
        with chdir(bench.folder):
            planned = PlannedStudy("tiny")
        warm, cold = (trial.config.trial_id for trial in planned.plan.trials)
        begin = cold
    assert planned.plan.trials[0].config.hyperparameters.warm_start == cold
    return planned.store.record(warm), planned.store.record(cold)


def test_a_trial_that_begins_from_another_one_of_the_study_waits_until_that_one_has_ended(tmp_path):
    bench = Workbench(tmp_path)
    warm, cold = warm_and_cold(bench, samples=5)
    assert "trained 2 of 2 trials" in bench.run("run", "tiny").stdout
    model = cold.read_file("checkpoint/model.safetensors")
    assert warm.read_json("warm_start.json")["sha256"] == sha256(model).hexdigest()


def test_a_trial_fails_in_one_line_if_the_one_that_it_begins_from_has_failed(tmp_path):
    bench = Workbench(tmp_path)
    warm, cold = warm_and_cold(bench, samples=1000000000000)
    assert "2 failed" in bench.run("run", "tiny", status=1).stdout
    error = bench.statuses()[warm.path.rpartition("/")[2]]["error"]
    assert f"warm_start: '{cold.path}/checkpoint' has no checkpoint" in error
