"""Adaptive searches and schedulers through real Ray Tune, into records and views of them."""

import optuna
import pytest
from mlflow.tracking import MlflowClient
from optuna.trial import TrialState

from gmm_study.trials.record_store import RecordStore
from tests.workbench import Workbench

pytestmark = pytest.mark.process

STUDY = """
question: Which step size, and how many samples?
datasets: [data.npz]
methods: [gmm, vae]
replicates: 2
fixed: {max_epochs: 12, patience: 1000, batch_size: 50, layers: [6, 3]}
space:
  learning_rate: {log_uniform: [1e-4, 1e-1]}
  samples: {integer: [2, 12]}
search: {kind: tpe, trials: 6, startup_trials: 3}
scheduler: {kind: asha, grace_epochs: 2}
evaluation: {samples: 20}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study by tpe and asha that ran to its end, and what it printed."""
    bench = Workbench(tmp_path_factory.mktemp("searched"))
    bench.write_study(STUDY, "searched")
    return bench, bench.run("run", "searched").stdout


def states_of(bench):
    store = RecordStore(str(bench.folder / "results"))
    return {trial_id: store.record(trial_id).state(2) for trial_id in store.trial_ids()}


def test_a_search_trains_as_many_trials_as_it_is_asked_for_and_stops_some_early(finished):
    bench, output = finished
    states = states_of(bench)
    assert len(states) == 12
    assert set(states.values()) == {"complete", "stopped"}
    assert "12 trials of 2 replicates: 12 to be proposed" in output
    assert "trained 12 of 12 trials" in output


def test_what_was_stopped_has_no_result_and_is_never_reported_as_complete(finished):
    bench, output = finished
    stopped = {trial_id for trial_id, state in states_of(bench).items() if state == "stopped"}
    assert stopped
    assert not stopped & set(bench.results())
    assert f"{len(stopped)} stopped" in output
    for trial_id in stopped:
        assert bench.statuses()[trial_id]["epoch"] in (2, 6)
        assert trial_id not in (bench.folder / "reports/searched/table.csv").read_text()


def test_the_same_search_again_trains_nothing_and_says_so(finished):
    bench, _ = finished
    before = bench.statuses()
    assert "nothing to train" in bench.call("run", "searched").stdout
    assert bench.statuses() == before


def test_optuna_and_mlflow_show_the_trials_as_the_records_have_them(finished):
    bench, _ = finished
    states = states_of(bench)
    url = f"sqlite:///{bench.folder}/optuna.db"
    shown = {}
    for name in optuna.get_all_study_names(url):
        for trial in optuna.load_study(study_name=name, storage=url).trials:
            shown[trial.user_attrs["trial_id"]] = trial
    word = {"complete": TrialState.COMPLETE, "stopped": TrialState.PRUNED}
    assert {trial_id: trial.state for trial_id, trial in shown.items()} == {
        trial_id: word[state] for trial_id, state in states.items()
    }
    for trial_id, result in bench.results().items():
        values = [r["metrics"]["valid/log_p"] for r in result["replicates"].values()]
        assert shown[trial_id].value == pytest.approx(sum(values) / len(values), rel=1e-12)
    client = MlflowClient(f"sqlite:///{bench.folder}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("searched").experiment_id])
    parents = [run for run in runs if "replicate" not in run.data.tags]
    assert {run.data.tags["trial_id"]: run.data.tags["state"] for run in parents} == states
    assert all(run.info.status in ("FINISHED", "KILLED") for run in runs)


def test_more_trials_go_on_with_the_search_and_more_seeds_train_only_those(finished):
    bench, _ = finished
    before = bench.results()
    output = bench.run(
        "run", "searched", "--set", "search.trials=7", "--set", "replicates=3"
    ).stdout
    assert len(states_of(bench)) == 14
    for trial_id, result in before.items():
        seeds = bench.results()[trial_id]["replicates"]
        assert len(seeds) == 3
        assert {index: seeds[index] for index in result["replicates"]} == result["replicates"]
    assert "trained" in output


def test_without_the_scheduler_what_was_stopped_goes_on_to_its_end(finished):
    bench, _ = finished
    stopped = {trial_id for trial_id, state in states_of(bench).items() if state == "stopped"}
    grid = STUDY.replace("searched", "again").split("search:")[0]
    config = RecordStore(str(bench.folder / "results")).record(next(iter(stopped))).config()
    settings = config.hyperparameters
    grid = grid.replace("methods: [gmm, vae]", f"methods: [{settings.method}]")
    grid = grid.replace("{log_uniform: [1e-4, 1e-1]}", f"{{grid: [{settings.learning_rate}]}}")
    grid = grid.replace("{integer: [2, 12]}", f"{{grid: [{settings.samples}]}}")
    bench.write_study(grid + "evaluation: {samples: 20}\n", "again")
    bench.run("run", "again")
    assert states_of(bench)[config.trial_id] == "complete"


def test_a_search_that_begins_with_earlier_records_says_so_and_trains_only_its_own(finished):
    bench, _ = finished
    complete = {trial_id for trial_id, state in states_of(bench).items() if state == "complete"}
    before = bench.statuses()
    warm = ("--set", "search.from_records=true", "--set", "search.trials=1")
    assert "taken over" not in bench.call("plan", "searched", *warm).stdout
    output = bench.run("run", "searched", *warm).stdout
    assert f"{len(complete)} taken over from earlier records" in output
    assert "trained 2 of 2 trials" in output
    assert {trial_id: bench.statuses()[trial_id] for trial_id in before} == before
    assert f"{len(complete)} taken over" in bench.call("plan", "searched", *warm).stdout
    (table,) = (bench.folder / "reports" / "searched").glob("*from_records*/table.csv")
    assert any(trial_id in table.read_text() for trial_id in complete)
