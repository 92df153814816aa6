"""Out of memory: once again with a smaller chunk, then failed with a reason, and alone."""

import resource

import pytest
import torch

from gmm_study.data import load_dataset
from gmm_study.orchestration.trainable import TrialTrainable
from gmm_study.study import load_study, make_plan
from gmm_study.trials import evaluation, run
from gmm_study.trials.record_store import RecordStore
from tests.workbench import Workbench, figures

pytestmark = pytest.mark.fault

STUDY = """
question: What does an evaluation cost that does not fit?
datasets: [data.npz]
methods: [rws]
fixed: {{layers: [20], max_epochs: 2}}
evaluation: {{samples: {samples}, chunk_rows: {chunk_rows}}}
"""


class Workplace:
    """A worker as Ray Tune has it, in this process, with one trial to train."""

    def __init__(self, folder, monkeypatch, chunk_rows, samples=100):
        bench = Workbench(folder)
        bench.write_study(STUDY.format(chunk_rows=chunk_rows, samples=samples))
        monkeypatch.chdir(folder)
        study, data = load_study("tiny", (), False), load_dataset("data.npz")
        (trial,) = make_plan(study, {"data.npz": data.sha256}).trials
        self.record = RecordStore("results").record(trial.config.trial_id)
        self.worker = TrialTrainable.__new__(TrialTrainable)
        job = {"job": {"trial": trial.config.to_json(), "replicates": 1, "milestones": []}}
        self.worker.setup(
            job,
            datasets={data.sha256: data},
            storage="results",
            threads=1,
            gpu_share=0.0,
            admission_file=None,
            chunk_rows=chunk_rows,
            checkpoint_seconds=0.001,
            heartbeat_seconds=3600.0,
            time_limit_seconds=None,
        )

    def train(self):
        """Work until the trial has ended; gives the last report."""
        report = self.worker.step()
        while not report["done"]:
            report = self.worker.step()
        return report


@pytest.fixture
def chunks(monkeypatch):
    """The `chunk_rows` of every evaluation from here on."""
    asked, original = [], evaluation.evaluate_on_test

    def evaluate(settings, model, dataset, replicate, chunk_rows, watch):
        asked.append(chunk_rows)
        return original(settings, model, dataset, replicate, chunk_rows, watch)

    monkeypatch.setattr(run, "evaluate_on_test", evaluate)
    return asked


@pytest.fixture
def little_memory():
    """A process that may take 1.2 GB more than it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + 1_200_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_chunk_that_does_not_fit_is_made_smaller_once_and_the_trial_is_complete(
    tmp_path, monkeypatch, chunks, epochs_trained, little_memory, fault
):
    place = Workplace(tmp_path, monkeypatch, chunk_rows=8_000_000, samples=80_000)
    report = place.train()
    assert report["state"] == "complete", report
    assert chunks == [8_000_000, 1_000_000]
    assert epochs_trained == [0, 0]  # it went on from its checkpoint
    assert place.record.result().state == "complete"
    fault("an evaluation that does not fit into memory, then fits", 1)


def test_a_gpu_that_runs_out_twice_ends_the_trial_with_what_would_help(
    tmp_path, monkeypatch, fault
):
    place, tried = Workplace(tmp_path, monkeypatch, chunk_rows=4000), []

    def run_out(*arguments):
        tried.append(arguments[4])
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore")

    monkeypatch.setattr(run, "evaluate_on_test", run_out)
    report = place.train()
    assert tried == [4000, 500]
    assert report["state"] == "failed"
    reason = place.record.status().error
    assert place.record.state(1) == "failed"
    assert len(reason.splitlines()) == 1
    for word in ("out of memory", "chunk_rows=500", "batch_size", "Tried to allocate 2.00 GiB"):
        assert word in reason
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    again = Workplace.__new__(Workplace)
    again.worker, again.record = place.worker, place.record
    again.worker.reset_config(
        {"job": {"trial": place.worker.trial_config.to_json(), "replicates": 1, "milestones": []}}
    )
    assert again.train()["state"] == "complete"
    fault("a GPU out of memory in an evaluation, twice (a stand-in), then tried again", 1)


def test_another_error_is_not_tried_again(tmp_path, monkeypatch, fault):
    place, tried = Workplace(tmp_path, monkeypatch, chunk_rows=4000), []

    def fail(*arguments):
        tried.append(arguments[4])
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(run, "evaluate_on_test", fail)
    assert place.train()["state"] == "failed"
    assert tried == [4000]
    fault("an evaluation that fails for another reason", 1)


def test_a_batch_that_never_fits_costs_that_trial_alone(tmp_path, fault):
    bench = Workbench(tmp_path)
    bench.write_study(
        STUDY.format(chunk_rows=4000, samples=20).replace("layers: [20], ", "layers: [6], ")
        + "space: {samples: {grid: [2, 1000000000000]}}\n"
    )
    bench.run("run", "tiny", status=1)
    states = [result["state"] for result in bench.results().values()]
    assert states == ["complete"], bench.statuses()
    (status,) = [each for each in bench.statuses().values() if each["state"] == "failed"]
    assert "out of memory" in status["error"]
    assert figures(next(iter(bench.results().values())))
    fault("a batch that cannot be held in memory", 1)
