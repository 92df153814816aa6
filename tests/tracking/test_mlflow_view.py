"""MLflow shows what the records hold, however often and at whatever moment it is synced."""

import json
import shutil
from dataclasses import replace

import pytest
from mlflow.tracking import MlflowClient

from gmm_study.tracking.account import account_of
from gmm_study.tracking.database import _new_database
from gmm_study.tracking.experiment import NOTE
from gmm_study.tracking.lists import from_tag
from gmm_study.tracking.mlflow_internals import RUN_NAME
from gmm_study.tracking.notes import Facts, ReportCell
from gmm_study.tracking.runs import StudyRuns
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.state import TrialState
from gmm_study.trials.config import TrialConfig
from gmm_study.trials.record import Record
from gmm_study.trials.run import TrialRun
from tests.training.small import a_dataset

pytestmark = pytest.mark.process

FACTS = Facts("a study", "why?")
VIEWS = ("best", "trials")
DATA = a_dataset()
SETTINGS = Hyperparameters(layers=(4,), max_epochs=3, evaluation_samples=5)


class Trial:
    """A trial with a record, and MLflow beside it."""

    def __init__(self, folder, database, hyperparameters=SETTINGS):
        shutil.copy(database, folder / "mlflow.db")
        self.database = database
        self.uri = f"sqlite:///{folder}/mlflow.db"
        self.record = Record.at(str(folder / "record"))
        self.config = TrialConfig(hyperparameters, DATA.name, DATA.sha256)

    def train(self, replicates=2, epochs=None):
        run = TrialRun(self.config, DATA, range(replicates), self.record)
        for _ in range(epochs or 1000):
            if run.finished:
                break
            run.advance()
        if not run.finished:
            run.save()
        return run

    def sync(self, replicates=2):
        """Sync as a process does that has just started."""
        StudyRuns(FACTS, self.uri).sync("label", self.config, account_of(self.record, replicates))

    def runs(self):
        view = StudyRuns(FACTS, self.uri)
        self.client = view.client
        return view.client.search_runs([view.experiment_id])

    def content(self):
        """What MLflow says of every run: status, tags that tell the state, metrics, histories."""
        told = {}
        for run in self.runs():
            names = ("state", "git_commit", "replicates", "error")
            tags = {name: run.data.tags.get(name) for name in names}
            replicate = run.data.tags.get("replicate")
            history = self.client.get_metric_history(run.info.run_id, "valid/bound")
            steps = [(point.step, point.value) for point in history] if replicate else []
            # The curves of fewer replicates stay beside those of more.
            count = len((tags["replicates"] or "").split(","))
            metrics = {
                name: value
                for name, value in run.data.metrics.items()
                if not name.startswith("mean_of_") or name.startswith(f"mean_of_{count}/")
            }
            told[replicate] = (run.info.status, tags, metrics, steps, run.data.params)
        return told


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An MLflow database without a study; MLflow takes seconds to make one."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def trial(tmp_path, database):
    return Trial(tmp_path, database)


def rebuilt(trial, folder, replicates=2):
    """What an MLflow that knows nothing says after one sync of the same record."""
    (folder / "fresh").mkdir()
    fresh = Trial(folder / "fresh", trial.database)
    fresh.record, fresh.config = trial.record, trial.config
    fresh.sync(replicates)
    return fresh.content()


def test_syncing_while_a_trial_runs_ends_in_what_one_sync_of_the_record_gives(trial, tmp_path):
    trial.train(epochs=1)
    trial.sync()
    assert {status for status, *_ in trial.content().values()} == {"RUNNING"}
    trial.train(epochs=2)
    trial.sync()
    trial.train()
    trial.sync()
    trial.sync()
    content = trial.content()
    assert content == rebuilt(trial, tmp_path)
    assert {status for status, *_ in content.values()} == {"FINISHED"}
    assert [step for step, _ in content["0"][3]] == [1, 2, 3]


def test_raising_the_replicates_of_a_complete_trial_brings_its_run_up_to_date(trial, tmp_path):
    trial.train(replicates=2)
    trial.sync(2)
    run = TrialRun(trial.config, DATA, range(3), trial.record)
    run.advance()
    run.save()
    trial.sync(3)
    assert trial.content()[None][0] == "RUNNING"
    trial.train(replicates=3)
    trial.sync(3)
    content = trial.content()
    assert content == rebuilt(trial, tmp_path, 3)
    assert content[None][1]["replicates"] == "0,1,2"
    assert content["2"][0] == "FINISHED"


@pytest.mark.parametrize("last", [1, 2, 3])
def test_a_sync_that_dies_half_way_is_completed_by_the_next(trial, tmp_path, monkeypatch, last):
    trial.train()
    requests, original = [], MlflowClient.log_batch

    def dying(self, *arguments, **named):
        requests.append(arguments)
        if len(requests) == last:
            raise ConnectionError("gone")
        return original(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", dying)
        with pytest.raises(ConnectionError):
            trial.sync()
    trial.sync()
    assert len(trial.runs()) == 3
    assert trial.content() == rebuilt(trial, tmp_path)


def test_a_sync_that_dies_while_mlflow_makes_its_database_leaves_none(trial, tmp_path, monkeypatch):
    trial.train()
    whole = rebuilt(trial, tmp_path)
    database = tmp_path / "mlflow.db"
    database.unlink()
    monkeypatch.chdir(tmp_path)

    def dying(*arguments):
        raise KeyboardInterrupt

    before = set(tmp_path.iterdir())
    _new_database.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.store.db.utils._upgrade_db", dying)
        with pytest.raises(KeyboardInterrupt):
            trial.sync()
    assert set(tmp_path.iterdir()) == before
    trial.sync()
    assert set(tmp_path.iterdir()) >= before | {database}
    assert trial.content() == whole


def test_a_curve_too_long_for_one_request_arrives_whole(trial, tmp_path, monkeypatch):
    trial.train()
    whole = rebuilt(trial, tmp_path)
    monkeypatch.setattr("gmm_study.tracking.runs.BATCH", 4)
    trial.sync()
    assert trial.content() == whole


def test_a_diverged_replicate_is_told_once_and_its_figures_are_not_averaged(tmp_path, database):
    wild = replace(SETTINGS, learning_rate=1e38, optimizer="sgd", max_epochs=50, patience=50)
    trial = Trial(tmp_path, database, wild)
    trial.train()
    assert trial.record.state(2) == "diverged"
    for _ in range(3):
        trial.sync()
    content = trial.content()
    steps = [step for step, _ in content["0"][3]]
    assert len(steps) == len(set(steps)) > 0
    assert content[None][0] == "FAILED"
    assert content[None][1]["state"] == "diverged"
    assert "test/log_p" not in content[None][2]


def test_a_failed_trial_says_why_and_forgets_it_when_it_is_complete(trial, tmp_path):
    trial.train(epochs=1)
    trial.record.write_status(TrialState.FAILED, error="no memory")
    trial.sync()
    content = trial.content()
    assert {status for status, *_ in content.values()} == {"FAILED"}
    assert content[None][1]["error"] == "no memory"
    assert content[None][1]["git_commit"] is None
    trial.train()
    trial.sync()
    assert trial.content() == rebuilt(trial, tmp_path)


def test_an_experiment_deleted_by_hand_is_restored(trial):
    trial.train()
    trial.sync()
    before = trial.content()
    view = StudyRuns(FACTS, trial.uri)
    view.client.delete_experiment(view.experiment_id)
    trial.sync()
    assert trial.content() == before


def test_the_best_trial_is_told_for_each_variant_and_only_news_is_asked_for(
    trial, tmp_path, monkeypatch
):
    trial.train()
    better = Trial(tmp_path, trial.database, replace(SETTINGS, max_epochs=20, learning_rate=0.05))
    better.record = Record.at(str(tmp_path / "better"))
    better.train()
    values = [one.record.result().scores(2)["valid/log_p"] for one in (trial, better)]
    assert values[0] < values[1]
    ids = [one.config.trial_id for one in (trial, better)]
    cell = ReportCell(DATA.name, "gmm", "1")

    def conclude(trials, facts):
        runs = StudyRuns(facts, trial.uri)
        for one in trials:
            runs.sync("label", one.config, account_of(one.record, 2))
        runs.conclude([(cell, one.config.trial_id) for one in trials])
        found = runs.client.search_runs([runs.experiment_id], "tags.kind = 'trial'")
        tags = {run.data.tags["trial_id"]: run.data.tags for run in found}
        note = runs.client.get_experiment(runs.experiment_id).tags["mlflow.note.content"]
        return [tags.get(trial_id, {}).get("best_of_method") for trial_id in ids], note

    small = replace(FACTS, variant="small")
    assert conclude([trial], FACTS)[0] == ["|declared|", None]
    assert conclude([trial, better], FACTS)[0] == [None, "|declared|"]
    assert conclude([trial], small)[0] == ["|small|", "|declared|"]
    best, note = conclude([trial, better], replace(small, question="Why not?"))
    assert best == [None, "|declared|small|"]
    assert note.startswith("Why not? [best gmm](#/experiments/")

    asked = []
    for name in ("set_tag", "log_batch", "update_run", "set_terminated", "set_experiment_tag"):
        monkeypatch.setattr(MlflowClient, name, lambda *words, **named: asked.append(words))
    assert conclude([trial, better], replace(small, question="Why not?"))[0] == best
    assert asked == []


def test_a_view_of_a_variant_has_no_trials_of_another(trial):
    trial.train()
    others = ["small,max_epochs=5", "small", "small,max-epochs=5", "smaller"]
    facts = [replace(FACTS, variant=variant) for variant in others]
    cells = [(ReportCell(DATA.name, "gmm", "1"), trial.config.trial_id)]

    def found(asked):
        runs = StudyRuns(asked, trial.uri)
        tags = runs.client.get_experiment(runs.experiment_id).tags
        states = [
            json.loads(json.loads(tags[f"mlflow.sharedViewState.{v}"])["state"]) for v in VIEWS
        ]
        return [
            len(runs.client.search_runs([runs.experiment_id], state["searchFilter"]))
            for state in states
        ]

    for known, asked in enumerate(facts):
        runs = StudyRuns(asked, trial.uri)
        runs.conclude([])  # which writes the views
        assert found(asked) == [0, 0], known
        runs.sync("label", trial.config, account_of(trial.record, 2))
        runs.conclude(cells)
        assert found(asked) == [1, 1]


def test_a_run_has_the_fullest_name_that_a_variant_of_the_study_gives_it(trial):
    def name(label):
        StudyRuns(FACTS, trial.uri).sync(label, trial.config, account_of(trial.record, 1))
        runs = trial.runs()
        assert [run.info.run_name for run in runs] == [*map(_name_tag, runs)]
        note = next(run.data.tags[NOTE] for run in runs if "replicate" not in run.data.tags)
        return sorted(map(_name_tag, runs)), note.startswith(f"**{label}**")

    trial.train(replicates=1)
    narrow = (["digits gmm", "replicate 0 of digits gmm"], True)
    full = (["digits gmm layers=4", "replicate 0 of digits gmm layers=4"], True)
    assert name("digits gmm") == narrow
    assert name("digits gmm layers=4") == full
    assert name("digits gmm") == (full[0], False)
    trial.client.update_run(trial.runs()[0].info.run_id, name="my best")
    assert "my best" in name("digits gmm layers=4")[0]


def _name_tag(run):
    return run.data.tags[RUN_NAME]


def test_a_list_of_variants_from_before_names_had_ends_is_read_and_written_anew(trial):
    trial.train()
    trial.sync()
    view = StudyRuns(FACTS, trial.uri)
    (run,) = (each for each in trial.runs() if each.data.tags["kind"] == "trial")
    for tag in ("variants", "best_of_method"):
        view.client.set_tag(run.info.run_id, tag, "declared, small,max_epochs=5")
    view = StudyRuns(FACTS, trial.uri)
    view.sync("label", trial.config, account_of(trial.record, 2))
    view.conclude([])
    tags = view.client.get_run(run.info.run_id).data.tags
    assert from_tag(tags["variants"]) == ["declared", "small,max_epochs=5"]
    assert tags["variants"] == "|declared|small,max epochs=5|"
    assert tags["best_of_method"] == "|small,max epochs=5|"


def forget_log_p(record):
    """Make the result one of an older version."""
    document = record.read_json("result.json")
    for replicate in document["replicates"].values():
        del replicate["metrics"]["valid/log_p"]
    record.write_json("result.json", document)


@pytest.mark.parametrize("swept", [{"x": "samples"}, {"axes": ("layers", "bound")}])
@pytest.mark.parametrize("old", [True, False])
def test_no_trial_is_the_best_of_a_method_if_different_bounds_would_decide(trial, swept, old):
    """Records of older versions lack log p of the validation data, which would compare."""
    trial.train()
    if old:
        forget_log_p(trial.record)
    runs = StudyRuns(replace(FACTS, **swept), trial.uri)
    runs.sync("label", trial.config, account_of(trial.record, 2))
    runs.conclude([(ReportCell(DATA.name, "gmm", "10"), trial.config.trial_id)])
    (run,) = (each for each in trial.runs() if each.data.tags["kind"] == "trial")
    assert run.data.tags["best_of_cell"] == "|declared|"
    assert ("best_of_method" in run.data.tags) is not old
    note = runs.client.get_experiment(runs.experiment_id).tags["mlflow.note.content"]
    assert ("do not compare" in note) is old
    assert ("best gmm" in note) is not old
    assert ("best_of_method" in note) is not old


def test_the_mean_curve_of_a_trial_is_that_of_its_replicates(trial):
    trial.train()
    trial.sync()
    content = trial.content()
    (parent,) = (run for run in trial.runs() if "replicate" not in run.data.tags)
    mean = trial.client.get_metric_history(parent.info.run_id, "mean_of_2/valid_bound")
    curves = [dict(content[replicate][3]) for replicate in ("0", "1")]
    expected = [(epoch, (curves[0][epoch] + curves[1][epoch]) / 2) for epoch in (1, 2, 3)]
    assert [(point.step, point.value) for point in mean] == expected
