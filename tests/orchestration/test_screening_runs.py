"""A study that screens its trials with few seeds, through real Ray Tune, with a real kill."""

import json
import os
import re
import signal
from operator import itemgetter

import pytest
from mlflow.tracking import MlflowClient

from gmm_study.tracking.words import DECLARED
from gmm_study.trials.record_store import RecordStore
from tests.workbench import Workbench, figures, wait_until

pytestmark = pytest.mark.process

STUDY = """
question: Which step size?
datasets: [data.npz]
methods: [gmm, vae]
replicates: 3
fixed: {max_epochs: 12, patience: 1000, batch_size: 50, layers: [6, 3]}
space: {learning_rate: {log_uniform: [1e-3, 1e-1]}}
search: {kind: random, trials: 3, screen: {replicates: 1, confirm: 1}}
evaluation: {samples: 20}
resources: {checkpoint_seconds: 0.2}
"""


def seeds(bench, trial_id):
    return len(bench.results()[trial_id]["replicates"])


def confirmed(bench):
    """The ids of the trials with all seeds."""
    return {trial_id for trial_id in bench.results() if seeds(bench, trial_id) == 3}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A screened study whose driver was killed while it confirmed a trial, and run again."""
    bench = Workbench(tmp_path_factory.mktemp("screened"))
    bench.write_study(STUDY.replace("max_epochs: 12", "max_epochs: 300"), "screened")
    driver = bench.start("run", "screened")
    wait_until(lambda: len(bench.results()) == 6)
    wait_until(
        lambda: any(
            status["state"] == "running" and status["epoch"] and trial_id in bench.results()
            for trial_id, status in bench.statuses().items()
        )
    )
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    before = bench.results()
    return bench, before, bench.run("run", "screened").stdout


def test_the_best_trial_of_every_cell_has_all_seeds_and_the_others_have_those_of_the_screening(
    finished,
):
    bench, _, output = finished
    assert sorted(seeds(bench, trial_id) for trial_id in bench.results()) == [1, 1, 1, 1, 3, 3]
    assert re.search(r"confirmed ([12]) of \1 trials?: \1 complete", output)
    counts = "6 trials of 1 replicate (2 chosen for 3): 6 complete"
    assert counts in bench.call("status", "screened").stdout
    best = {}
    for trial_id, result in bench.results().items():
        method = bench.store.record(trial_id).config().hyperparameters.method
        value = result["replicates"]["0"]["metrics"]["valid/log_p"]
        best[method] = max(best.get(method, (value, trial_id)), (value, trial_id))
    assert confirmed(bench) == {trial_id for _, trial_id in best.values()}


def test_a_driver_killed_while_it_confirms_costs_no_seed_and_none_is_trained_twice(finished):
    bench, before, _ = finished
    for trial_id, result in before.items():
        now = bench.results()[trial_id]["replicates"]
        assert {index: now[index] for index in result["replicates"]} == result["replicates"]


def test_a_confirmed_trial_has_the_figures_of_one_trained_with_all_seeds_at_once(
    finished, tmp_path
):
    bench, _, _ = finished
    whole = Workbench(tmp_path)
    whole.write_study(STUDY.replace("max_epochs: 12", "max_epochs: 300"), "screened")
    whole.run("run", "screened", "--set", "search.screen=null")
    for trial_id in confirmed(bench):
        assert figures(whole.results()[trial_id]) == figures(bench.results()[trial_id])


def test_the_same_study_again_trains_nothing(finished):
    bench, _, _ = finished
    before = bench.statuses()
    assert "nothing to train" in bench.call("run", "screened").stdout
    assert bench.statuses() == before
    document = json.loads(bench.call("plan", "screened", "--json").stdout)
    assert document["to_be_confirmed"] == 0
    assert document["remaining"] is None
    assert sorted(trial["replicates"] for trial in document["trials"]) == [1, 1, 1, 1, 3, 3]


def test_mlflow_shows_all_seeds_and_the_confirmed_trials_as_the_best(finished):
    bench, _, _ = finished
    client = MlflowClient(f"sqlite:///{bench.folder}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("screened").experiment_id])
    best = {
        run.data.tags["trial_id"]
        for run in runs
        if f"|{DECLARED}|" in run.data.tags.get("best_of_cell", "")
    }
    assert best == confirmed(bench)
    seeds_shown = [run.data.tags["trial_id"] for run in runs if "replicate" in run.data.tags]
    assert {trial_id: seeds_shown.count(trial_id) for trial_id in seeds_shown} == {
        trial_id: seeds(bench, trial_id) for trial_id in bench.results()
    }


def test_more_trials_are_confirmed_by_a_run_that_trains_nothing_else(finished):
    bench, _, _ = finished
    before = bench.results()
    more = ("--set", "search.screen.confirm=2")
    assert "at most 4 to be confirmed" in bench.call("plan", "screened", *more).stdout
    output = bench.run("run", "screened", *more).stdout
    assert "confirmed 2 of 2 trials: 2 complete" in output
    assert "trained" not in output
    assert sorted(seeds(bench, trial_id) for trial_id in bench.results()) == [1, 1, 3, 3, 3, 3]
    for trial_id, result in before.items():
        now = bench.results()[trial_id]["replicates"]
        assert {index: now[index] for index in result["replicates"]} == result["replicates"]


def test_of_more_trials_the_best_is_confirmed_in_the_same_run(finished):
    bench, _, _ = finished
    more = ("--set", "search.trials=5")
    output = bench.run("run", "screened", *more).stdout
    assert "trained 4 of 4 trials: 4 complete" in output
    document = json.loads(bench.call("plan", "screened", *more, "--json").stdout)
    assert document["to_be_confirmed"] == 0
    best = {}
    for trial in document["trials"]:
        result = bench.results()[trial["trial_id"]]
        value = result["replicates"]["0"]["metrics"]["valid/log_p"]
        best[trial["method"]] = max(
            best.get(trial["method"], (value, trial)), (value, trial), key=itemgetter(0)
        )
    for _, trial in best.values():
        assert seeds(bench, trial["trial_id"]) == 3


def test_a_search_that_learns_while_it_screens_confirms_as_well(tmp_path):
    bench = Workbench(tmp_path)
    bench.write_study(STUDY.replace("kind: random", "kind: tpe, startup_trials: 2"), "screened")
    bench.run("run", "screened")
    store = RecordStore(bench.storage)
    assert sorted(len(store.record(each).standing(1).ended) for each in store.trial_ids()) == [
        *(1, 1, 1, 1),
        *(3, 3),
    ]
