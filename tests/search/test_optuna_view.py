"""Optuna's own storage shows the searches, and never holds what they hang on."""

import optuna
import pytest
from optuna.trial import TrialState as Shown

from gmm_study.orchestration.views import Views
from gmm_study.search.optuna_view import OptunaView
from gmm_study.training.state import TrialState
from tests.search.conftest import reached, work

pytestmark = pytest.mark.process

ASHA = "scheduler={kind: asha, grace_epochs: 5}"


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/optuna.db"


def show_all(bench, url, *overrides, view=None):
    (view or OptunaView(bench.store, url)).update(bench.cells(*overrides))
    return {
        study_name: optuna.load_study(study_name=study_name, storage=url)
        for study_name in optuna.get_all_study_names(url)
    }


def begin(bench, search):
    """A trial that a process trains, as its record says."""
    trial = search.propose()
    record = bench.store.record(trial.config.trial_id)
    record.write_status(TrialState.RUNNING, epoch=1, max_epochs=30)
    return trial


def test_every_cell_is_an_optuna_study_with_its_trials_values_and_milestones(bench, url):
    search = bench.search(ASHA)
    first = search.propose()
    search.report(first.config.trial_id, 5, -3.0)
    search.end(first.config.trial_id, TrialState.COMPLETE, -2.5)
    second = search.propose()
    assert search.report(second.config.trial_id, 5, -4.0)
    search.end(second.config.trial_id, TrialState.STOPPED, None)
    third = search.propose()
    search.end(third.config.trial_id, TrialState.DIVERGED, None)
    ((name, study),) = show_all(bench, url, ASHA).items()
    assert name.startswith("which: digits gmm (")
    states = [trial.state for trial in study.trials]
    assert states == [Shown.COMPLETE, Shown.PRUNED, Shown.FAIL]
    assert [trial.params for trial in study.trials] == [first.axes, second.axes, third.axes]
    assert study.trials[0].intermediate_values == {5: -3.0}
    assert study.best_value == -2.5
    assert study.best_trial.user_attrs["trial_id"] == first.config.trial_id


def test_searches_are_shown_while_mlflow_cannot_be_used(bench, url, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://somewhere")
    monkeypatch.setenv("OPTUNA_STORAGE", url)
    search, views = bench.search(), Views(bench.plan, bench.store)
    for count in (1, 2):
        work(search, 1)
        assert "nonsense" in views.update(last=True, even_without_records=True)
        (name,) = optuna.get_all_study_names(url)
        assert len(optuna.load_study(study_name=name, storage=url).trials) == count


def test_showing_again_adds_what_is_new_and_nothing_twice(bench, url):
    search = bench.search(ASHA)
    work(search, 3)
    show_all(bench, url, ASHA)
    trial = begin(bench, search)
    search.report(trial.config.trial_id, 5, -9.0)
    (study,) = show_all(bench, url, ASHA).values()
    assert [t.state for t in study.trials] == [Shown.COMPLETE] * 3 + [Shown.RUNNING]
    search.report(trial.config.trial_id, 15, -8.0)
    search.end(trial.config.trial_id, TrialState.COMPLETE, -7.0)
    for _ in range(2):
        (study,) = show_all(bench, url, ASHA).values()
        assert [t.state for t in study.trials] == [Shown.COMPLETE] * 4
    assert study.trials[3].value == -7.0
    assert study.trials[3].intermediate_values == {5: -9.0, 15: -8.0}


def test_a_view_that_follows_a_search_shows_what_one_made_at_the_end_shows(bench, url, tmp_path):
    view, search = OptunaView(bench.store, url), bench.search(ASHA)
    for _ in range(4):
        show_all(bench, url, ASHA, view=view)
        trial = begin(bench, search)
        show_all(bench, url, ASHA, view=view)
        if search.report(trial.config.trial_id, 5, -9.0 - reached(trial)):
            search.end(trial.config.trial_id, TrialState.STOPPED, None)
        else:
            search.end(trial.config.trial_id, TrialState.COMPLETE, reached(trial))
    begin(bench, search)
    (followed,) = show_all(bench, url, ASHA, view=view).values()
    (whole,) = show_all(bench, f"sqlite:///{tmp_path}/whole.db", ASHA).values()
    shown = [
        [(t.state, t.params, t.values, t.intermediate_values, t.user_attrs) for t in study.trials]
        for study in (followed, whole)
    ]
    assert shown[0] == shown[1]
    assert {t.state for t in whole.trials} == {Shown.COMPLETE, Shown.PRUNED, Shown.RUNNING}


def test_a_trial_whose_process_is_gone_runs_no_longer_and_its_end_is_shown(bench, url):
    search = bench.search()
    trial = begin(bench, search)
    show_all(bench, url)
    bench.store.record(trial.config.trial_id).write_status(TrialState.PENDING)
    (study,) = show_all(bench, url).values()
    assert [t.state for t in study.trials] == [Shown.FAIL]
    search.end(trial.config.trial_id, TrialState.COMPLETE, reached(trial))
    (study,) = show_all(bench, url).values()
    assert [t.state for t in study.trials] == [Shown.FAIL, Shown.COMPLETE]


def test_searches_of_different_axes_are_different_optuna_studies(bench, url):
    other = "space.samples.integer=[2, 60]"
    work(bench.search(), 2)
    work(bench.search(other), 3)
    show_all(bench, url)
    studies = show_all(bench, url, other)
    assert sorted(len(study.trials) for study in studies.values()) == [2, 3]


def test_the_view_can_be_thrown_away_and_made_again(bench, url, tmp_path):
    work(bench.search(), 5)
    (before,) = show_all(bench, url).values()
    content = [(t.state, t.params, t.value) for t in before.trials]
    (tmp_path / "optuna.db").unlink()
    work(bench.search(), 0)
    (after,) = show_all(bench, url).values()
    assert [(t.state, t.params, t.value) for t in after.trials] == content


def test_a_trial_that_failed_and_completes_when_it_is_tried_again_is_shown_complete(bench, url):
    search = bench.search()
    trial = search.propose()
    search.end(trial.config.trial_id, TrialState.FAILED, None)
    show_all(bench, url)
    bench.search().end(trial.config.trial_id, TrialState.COMPLETE, reached(trial))
    (study,) = show_all(bench, url).values()
    assert [t.state for t in study.trials] == [Shown.FAIL, Shown.COMPLETE]
    assert bench.search().under_way == []


def test_a_trial_that_was_given_more_seeds_is_shown_with_its_new_mean(bench, url):
    search = bench.search()
    trial = search.propose()
    for bound in (-3.0, -2.0):
        search.end(trial.config.trial_id, TrialState.COMPLETE, bound)
        (study,) = show_all(bench, url).values()
        (study,) = show_all(bench, url).values()
    assert [t.value for t in study.trials] == [-3.0, -2.0]
    assert {t.user_attrs["trial_id"] for t in study.trials} == {trial.config.trial_id}
