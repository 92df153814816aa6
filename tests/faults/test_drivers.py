"""Drivers and workers that are killed, interrupted or started twice lose nothing."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from gmm_study.data import load_dataset
from gmm_study.trials.once import run_once
from gmm_study.trials.record_store import RecordStore
from tests.workbench import Workbench, figures, wait_until

pytestmark = pytest.mark.fault

EPOCHS = 400
"""Of a trial that is surely still running when it is to be disturbed."""
ONE_TRIAL = ("--set", "methods=[gmm]", "--set", "layers=[6,3]")


def figures_of_all(bench):
    return {trial_id: figures(result) for trial_id, result in bench.results().items()}


def undisturbed(bench):
    """The figures of every trial of a bench, each trained in this process in one go."""
    store = bench.store
    dataset = load_dataset(str(bench.folder / "data.npz"))
    configs = {trial_id: store.record(trial_id).config() for trial_id in store.trial_ids()}
    return {
        trial_id: figures(
            run_once(config, dataset, replicates=2, device="cpu", threads=1).to_json()
        )
        for trial_id, config in configs.items()
    }


def assert_mlflow_is_complete(bench, trials):
    """A run a trial and one a replicate, each ended, with every epoch once."""
    client = MlflowClient(f"sqlite:///{bench.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("tiny")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == trials * (1 + 2)
    for run in runs:
        assert run.info.status == "FINISHED"
        if "replicate" in run.data.tags:
            history = client.get_metric_history(run.info.run_id, "valid/bound")
            assert [point.step for point in history] == list(range(1, EPOCHS + 1))


def assert_nothing_half_written(bench):
    assert not [name for name in bench.files() if ".partial" in name or ".previous" in name]


def ended(driver, seconds=60):
    """Wait for the process alone: those that it started may keep its output open for a moment."""
    driver.wait(seconds)
    for stream in (driver.stdout, driver.stderr):
        stream.close()


class Moments:
    """Random moments in the life of a driver, each kind in its turn."""

    def __init__(self, bench, seed):
        self.bench = bench
        self.random = random.Random(seed)
        self.kinds = (self._a_worker_is_heard_of, self._a_trial_ends, self._any_time)

    def wait(self, turn, driver):
        """Wait for the moment of a turn, or for the driver's end."""
        self.kinds[turn % len(self.kinds)](driver)

    def _any_time(self, driver):
        self._pause(driver, 15.0)

    def _a_worker_is_heard_of(self, driver):
        before = self.bench.statuses()
        wait_until(lambda: self.bench.statuses() != before or driver.poll() is not None)
        self._pause(driver, 2.0)

    def _a_trial_ends(self, driver):
        before, all_there = self.bench.results(), len(self.bench.results()) == 4
        wait_until(lambda: all_there or self.bench.results() != before or driver.poll() is not None)
        self._pause(driver, 0.5)

    def _pause(self, driver, at_most):
        until = time.monotonic() + self.random.uniform(0.0, at_most)
        while time.monotonic() < until and driver.poll() is None:
            time.sleep(0.01)


def test_drivers_killed_at_random_moments_lose_no_trial_and_train_none_twice(
    tmp_path, times, fault
):
    bench = Workbench(tmp_path, EPOCHS)
    moments, kept, killed = Moments(bench, seed=1), {}, [0, 0]
    for turn in range(times(20, 2)):
        driver = bench.start("run", "tiny")
        moments.wait(turn, driver)
        if driver.poll() is None:
            (os.killpg if turn % 2 else os.kill)(driver.pid, signal.SIGKILL)
            killed[turn % 2] += 1
        else:
            assert driver.returncode == 0
        ended(driver)
        results = bench.results()
        assert {trial_id: results[trial_id] for trial_id in kept} == kept
        kept = results
    bench.run("run", "tiny")
    assert {trial_id: bench.results()[trial_id] for trial_id in kept} == kept
    assert len(bench.results()) == 4
    assert RecordStore(str(tmp_path / "results")).trial_ids() == sorted(bench.results())
    assert_nothing_half_written(bench)
    assert_mlflow_is_complete(bench, trials=4)
    assert figures_of_all(bench) == undisturbed(bench)
    alone, group = killed
    fault("the driver killed at a random moment, alone", alone)
    fault("the driver and all its processes killed at a random moment", group)


def run_and_kill_the_worker(bench):
    driver = bench.start("run", "tiny", *ONE_TRIAL)
    wait_until(lambda: any(status["epoch"] for status in bench.statuses().values()))
    ((trial_id, victim),) = bench.statuses().items()
    os.kill(victim["pid"], signal.SIGKILL)
    wait_until(lambda: bench.statuses()[trial_id]["pid"] != victim["pid"])
    assert bench.statuses()[trial_id]["epoch"] >= victim["epoch"]
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, out + err


def test_workers_that_are_killed_are_replaced_and_their_trial_goes_on(tmp_path, times, fault):
    bench, count = Workbench(tmp_path, EPOCHS), times(5, 1)
    for turn in range(count):
        if turn:
            (tmp_path / "results").rename(tmp_path / f"results {turn}")
        run_and_kill_the_worker(bench)
        assert_nothing_half_written(bench)
    assert figures_of_all(bench) == undisturbed(bench)
    fault("a worker killed with SIGKILL", count)


def pressed(bench, driver, presses):
    """Press Ctrl-C as in a terminal, so often, at a driver that has trained some epochs.

    Gives what the driver printed and the id of its trial.
    """
    before = [status["epoch"] for status in bench.statuses().values()]
    wait_until(lambda: [each["epoch"] for each in bench.statuses().values()] > (before or [0]))
    ((trial_id, reached),) = bench.statuses().items()
    os.killpg(driver.pid, signal.SIGINT)
    if presses == 2:
        time.sleep(0.5)  # two of a kind that wait for their process are one
        os.kill(driver.pid, signal.SIGINT)
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert not bench.results()
    record = RecordStore(str(bench.folder / "results")).record(trial_id)
    assert max(record.metrics()["epoch"].to_pylist()) >= reached["epoch"]
    return out + err, record


def test_ctrl_c_once_or_twice_keeps_what_was_reached_and_the_same_command_goes_on(tmp_path, fault):
    epochs = 3 * EPOCHS
    bench = Workbench(tmp_path, epochs)
    once, record = pressed(bench, bench.start("run", "tiny", *ONE_TRIAL), presses=1)
    assert "the same command continues" in once
    assert record.state(2) == "pending"
    twice, _ = pressed(bench, bench.start("run", "tiny", *ONE_TRIAL), presses=2)
    said = ("the same command continues", "keep the progress of their trials")
    assert any(words in twice for words in said)  # it may end before the second
    bench.run("run", "tiny", *ONE_TRIAL)
    assert_nothing_half_written(bench)
    assert figures_of_all(bench) == undisturbed(bench)
    fault("Ctrl-C", 1)
    fault("Ctrl-C twice", 1)


def test_a_second_driver_of_a_study_declines_in_one_line_and_costs_the_first_nothing(
    tmp_path, fault
):
    bench = Workbench(tmp_path, EPOCHS)
    first = bench.start("run", "tiny", *ONE_TRIAL)
    wait_until(bench.statuses)
    for arguments in (("run", "tiny", *ONE_TRIAL), ("run", "tiny"), ("sync", "tiny", *ONE_TRIAL)):
        declined = bench.call(*arguments, status=2).stderr
        assert declined.strip().count("\n") == 0
        assert f"process {first.pid}" in declined
        assert "gmm-study status tiny" in declined
    bench.call("status", "tiny", *ONE_TRIAL)
    out, err = first.communicate(timeout=300)
    assert first.returncode == 0, out + err
    assert "nothing to train" in bench.call("run", "tiny", *ONE_TRIAL).stdout
    assert figures_of_all(bench) == undisturbed(bench)
    fault("a second driver of the same study", 3)


def test_two_studies_that_share_a_trial_run_side_by_side_and_train_it_once(tmp_path, fault):
    bench = Workbench(tmp_path, EPOCHS)
    bench.write_study((tmp_path / "studies" / "tiny.yaml").read_text(), name="other")
    drivers = [bench.start("run", name, *ONE_TRIAL) for name in ("tiny", "other")]
    outputs = [driver.communicate(timeout=300) for driver in drivers]
    for driver, (out, err) in zip(drivers, outputs, strict=True):
        assert driver.returncode == 0, out + err
    ((trial_id, result),) = bench.results().items()
    assert figures_of_all(bench) == undisturbed(bench)
    assert result["state"] == "complete"
    assert not Path(tmp_path / "results" / trial_id / "log.txt").exists()
    fault("two studies that start the same trial at once", 1)
