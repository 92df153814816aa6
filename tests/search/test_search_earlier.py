"""A search may begin with the results of earlier trials of its storage."""

from itertools import islice
from threading import Barrier

import optuna
import pytest

from gmm_study.search.earlier import take_over
from gmm_study.search.optuna_view import OptunaView
from gmm_study.search.searches import Searches
from gmm_study.storage.folder import Folder
from gmm_study.trials.selection import best_trials
from tests.search.conftest import Bench, reached, work
from tests.trials.results import result_of

WARM = "search.from_records=true"


def record(bench, trials):
    """Write the records of trials, as complete ones."""
    for trial in trials:
        trial_id = trial.config.trial_id
        kept = bench.store.record(trial_id)
        kept.write_config(trial.config)
        kept.write_result(result_of(trial_id, {"valid/bound": reached(trial)}))


@pytest.fixture
def earlier(bench):
    """Eight complete trials of the cell, by another study with another seed."""
    cell = bench.cells("search.seed=7")[0]
    draws = [
        {"learning_rate": rate, "samples": samples}
        for rate in (0.0011, 0.002)
        for samples in (5, 10, 20, 21)
    ]
    trials = [cell.trial(axes) for axes in draws]
    record(bench, trials)
    return sorted(trials, key=lambda trial: trial.config.trial_id)


def test_by_default_nothing_is_taken_over_and_the_search_is_the_one_that_it_was(bench, earlier):
    assert take_over(bench.plan(), bench.store) == 0
    assert bench.plan().trials == ()
    assert bench.cells()[0].key == bench.cells("search.from_records=false")[0].key
    assert bench.cells()[0].key != bench.cells(WARM)[0].key


def test_a_search_begins_with_the_trials_that_fit_and_proposes_as_many_as_it_is_asked_for(
    bench, earlier
):
    other = bench.cells("max_epochs=40")[0]
    outside = bench.cells("space.samples.integer=[2, 60]")[0]
    unfit = [
        other.trial({"learning_rate": 0.001, "samples": 20}),
        outside.trial({"learning_rate": 0.001, "samples": 55}),
        bench.cells("methods=[rws]")[0].trial({"learning_rate": 0.001, "samples": 20}),
    ]
    record(bench, unfit)
    unfinished = bench.cells()[0].trial({"learning_rate": 0.01, "samples": 9}).config
    bench.store.record(unfinished.trial_id).write_config(unfinished)
    assert take_over(bench.plan(WARM), bench.store) == len(earlier)
    plan = bench.plan(WARM)
    assert [trial.config for trial in plan.trials] == [trial.config for trial in earlier]
    assert sum(plan.unproposed.values()) == 25
    assert len(work(bench.search(WARM), 100)) == 25
    assert len(bench.plan(WARM).trials) == len(earlier) + 25
    assert len(bench.plan(WARM, "search.trials=3").trials) == len(earlier) + 3


def test_the_results_of_earlier_trials_are_read_together(bench, earlier, monkeypatch):
    all_at_once, read_file = Barrier(len(earlier), timeout=30), Folder.read_file

    def waits(folder, name):
        if name == "result.json":
            all_at_once.wait()
        return read_file(folder, name)

    monkeypatch.setattr(Folder, "read_file", waits)
    assert take_over(bench.plan(WARM), bench.store) == len(earlier)


def test_tpe_learns_from_what_was_taken_over_before_its_first_draw(bench):
    cell = bench.cells()[0]
    rates = [10**-exponent for exponent in (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5)]
    record(
        bench,
        [
            cell.trial({"learning_rate": rate, "samples": samples})
            for rate in rates
            for samples in (5, 20, 35, 50)
        ],
    )
    blind, informed = 0.0, 0.0
    for seed in range(8):
        kind = (f"search.seed={seed}",)
        blind += reached(bench.search(*kind).propose())
        take_over(bench.plan(WARM, *kind), bench.store)
        informed += reached(bench.search(WARM, *kind).propose())
    assert informed > 0.5 * blind  # both are below zero


def test_what_was_taken_over_stays_what_it_was_when_the_search_goes_on(bench, earlier):
    late, early = earlier[:3], earlier[3:]
    for trial in late:
        bench.store.record(trial.config.trial_id).delete_file("result.json")
    take_over(bench.plan(WARM), bench.store)
    proposed = work(bench.search(WARM), 4)
    record(bench, late)
    assert take_over(bench.plan(WARM), bench.store) == 0
    assert [trial.config for trial in islice(bench.plan(WARM).trials, 5)] == [
        trial.config for trial in early
    ]
    assert bench.search(WARM).history.proposals[5:] == proposed


def test_a_driver_that_dies_before_its_search_begins_takes_over_the_rest(bench, earlier):
    take_over(bench.plan(WARM), bench.store)
    expected = bench.search(WARM).history.events
    more = bench.cells()[0].trial({"learning_rate": 0.003, "samples": 30})
    record(bench, [more])
    assert take_over(bench.plan(WARM), bench.store) == 1
    assert bench.search(WARM).history.events[: len(expected)] == expected


def test_an_earlier_trial_that_is_proposed_again_is_not_trained_again(tmp_path):
    text = """
question: Which of three?
datasets: [digits]
methods: [gmm]
space: {learning_rate: {choice: [1e-3, 1e-2, 1e-1]}}
search: {kind: tpe, trials: 20, from_records: true}
"""
    bench = Bench(tmp_path, text)
    (cell,) = bench.cells()
    record(bench, [cell.trial({"learning_rate": 1e-2})])
    take_over(bench.plan(), bench.store)
    assert len(work(bench.search(), 100)) == 2
    assert len(bench.plan().trials) == 3


def test_the_best_of_a_cell_may_be_an_earlier_trial_and_optuna_shows_it(bench, earlier, tmp_path):
    take_over(bench.plan(WARM), bench.store)
    work(bench.search(WARM, "search.trials=1"), 1)
    plan = bench.plan(WARM, "search.trials=1")
    Searches(plan, bench.store).take_up(retried=set())
    scores = {trial.config.trial_id: {"valid/bound": reached(trial)} for trial in plan.trials}
    best = best_trials([(place.cell, place.config.trial_id) for place in plan.places], scores)
    expected = max(plan.trials, key=reached).config.trial_id
    assert [choice.trial_id for choice in best.values()] == [expected]
    assert expected in {trial.config.trial_id for trial in earlier}
    url = f"sqlite:///{tmp_path}/optuna.db"
    OptunaView(bench.store, url).update(plan.cells.values())
    (name,) = optuna.get_all_study_names(url)
    shown = optuna.load_study(study_name=name, storage=url)
    assert shown.best_trial.user_attrs["trial_id"] == expected
    assert [trial.value for trial in shown.trials[:8]] == list(map(reached, earlier))


def test_a_search_over_choices_of_layers_begins_with_earlier_trials_and_goes_on(tmp_path):
    text = """
question: Which layers?
datasets: [digits]
methods: [gmm]
space:
  layers: {choice: [[8], [8, 4], [6, 3]]}
  learning_rate: {log_uniform: [1e-4, 1e-1]}
search: {kind: tpe, trials: 6, startup_trials: 2, from_records: true}
"""
    bench = Bench(tmp_path, text)
    (cell,) = bench.cells()
    record(bench, [cell.trial({"layers": [8, 4], "learning_rate": 0.01})])
    assert take_over(bench.plan(), bench.store) == 1
    assert len(work(bench.search(), 3)) == 3
    assert len(work(bench.search(), 9)) == 3
