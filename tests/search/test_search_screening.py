"""A screening: few seeds for every trial of a cell, all seeds for its best ones."""

import pytest

from gmm_study.search.cell_search import CellSearch
from gmm_study.search.searches import Searches
from gmm_study.training.state import TrialState
from tests.search.conftest import Bench, reached, work

SCREENED = (
    "replicates=5",
    "search.trials=6",
    "search.startup_trials=3",
    "search.screen={replicates: 2, confirm: 2}",
)


def ranked(search):
    """The ids of the complete trials, the best first."""
    ended = search._ended.items()
    values = {name: scores["valid/log_p"] for name, (_, scores) in ended if scores}
    return sorted(values, key=lambda name: -values[name])


def ids_of(search):
    """The ids of its trials, in the order of their proposals."""
    return list(search._params)


def test_no_trial_is_confirmed_before_all_have_ended_and_then_the_best_are(bench):
    search = bench.search(*SCREENED)
    work(search, 5)
    last = search.propose()
    ids = ids_of(search)
    assert search.confirm(ids) == []
    assert search.unconfirmed(ids) == 2
    search.end(last.config.trial_id, TrialState.COMPLETE, reached(last))
    assert search.confirm(ids, awaited={last.config.trial_id}) == []
    assert search.confirm(ids) == ranked(search)[:2]
    assert search.confirm(ids) == []
    assert search.unconfirmed(ids) == 0


def test_a_trial_that_was_stopped_or_failed_is_never_confirmed(bench):
    search = bench.search(*SCREENED)
    states = iter([TrialState.STOPPED, TrialState.FAILED, TrialState.DIVERGED] * 2)
    work(search, 6, lambda trial: next(states))
    assert search.confirm(ids_of(search)) == []
    assert search.unconfirmed(ids_of(search)) == 0
    (cell,) = bench.plan(*SCREENED).unconfirmed.values()
    assert cell == 2  # until that nothing can be confirmed is stored
    search.history.store()
    (cell,) = bench.plan(*SCREENED).unconfirmed.values()
    assert cell == 0


def test_trials_that_reach_the_same_are_confirmed_in_the_order_of_their_proposals(bench):
    search = bench.search(*SCREENED)
    trials = [search.propose() for _ in range(6)]
    for trial in reversed(trials):
        search.end(trial.config.trial_id, TrialState.COMPLETE, -1.0)
    assert search.confirm(ids_of(search)) == [trial.config.trial_id for trial in trials[:2]]


def test_the_choice_is_stored_and_known_to_every_later_plan(bench):
    search = bench.search(*SCREENED)
    work(search, 6)
    chosen = search.confirm(ids_of(search))
    search.history.store()
    plan = bench.plan(*SCREENED)
    assert plan.confirmed == {*chosen}
    assert {t.config.trial_id: t.replicates for t in plan.trials} == {
        trial_id: 5 if trial_id in chosen else 2 for trial_id in search._ended
    }
    assert {place.config.trial_id for place in plan.competing} == {*chosen}
    again = bench.search(*SCREENED)
    assert again.confirm(ids_of(again)) == []
    assert again.history.chosen(ids_of(again)) == chosen


def test_of_more_trials_the_best_are_confirmed_and_the_report_goes_by_the_last_choice(bench):
    search = bench.search(*SCREENED)
    work(search, 6)
    first = search.confirm(ids_of(search))
    search.history.store()
    more = (*SCREENED, "search.trials=8")
    assert [*bench.plan(*more).unconfirmed.values()] == [2]
    assert bench.plan(*more).confirmed == {*first}
    search = bench.search(*more)
    better = [search.propose() for _ in range(2)]
    assert search.confirm(ids_of(search)) == []
    assert search.unconfirmed(ids_of(search)) == 2
    for trial, value in zip(better, (1.0, -99.0), strict=True):
        search.end(trial.config.trial_id, TrialState.COMPLETE, value)
    assert search.confirm(ids_of(search)) == [better[0].config.trial_id, first[0]]
    search.history.store()
    assert bench.plan(*more).confirmed == {first[0], better[0].config.trial_id}
    assert bench.plan(*SCREENED).confirmed == {*first}
    assert [*bench.plan(*more).unconfirmed.values()] == [0]


@pytest.mark.parametrize(
    "screen", ["{replicates: 2, confirm: 4}", "{replicates: 3, confirm: 2}", "{confirm: 1}"]
)
def test_another_screening_chooses_again(bench, screen):
    search = bench.search(*SCREENED)
    work(search, 6)
    search.confirm(ids_of(search))
    search.history.store()
    other = (*SCREENED[:-1], f"search.screen={screen}")
    assert [*bench.plan(*other).unconfirmed.values()] != [0]
    search = bench.search(*other)
    count = search.cell.study.screening.confirm
    assert search.confirm(ids_of(search)) == ranked(search)[:count]
    assert search.unconfirmed(ids_of(search)) == 0


def test_of_fewer_trials_the_best_are_confirmed_and_what_is_left_out_counts_for_nothing(bench):
    search = bench.search(*SCREENED)
    trials = [search.propose() for _ in range(6)]
    for number, trial in enumerate(trials):
        search.end(trial.config.trial_id, TrialState.COMPLETE, float(number))
    assert search.confirm(ids_of(search)) == [trials[n].config.trial_id for n in (5, 4)]
    search.history.store()
    fewer = (*SCREENED, "search.trials=3")
    plan = bench.plan(*fewer)
    assert not plan.confirmed
    assert [*plan.unconfirmed.values()] == [2]
    searches = Searches(plan, bench.store)
    chosen = [trial.config.trial_id for trial in searches.confirm()]
    assert chosen == [trials[n].config.trial_id for n in (2, 1)]
    plan = bench.plan(*fewer)
    assert plan.confirmed == {*chosen}
    assert [*plan.unconfirmed.values()] == [0]


def test_a_trial_that_is_retried_is_awaited_and_may_be_chosen(bench):
    search = bench.search(*SCREENED)
    trials = [search.propose() for _ in range(6)]
    for number, trial in enumerate(trials):
        state = TrialState.COMPLETE if number else TrialState.FAILED
        search.end(trial.config.trial_id, state, float(number) if number else None)
    first = search.confirm(ids_of(search))
    retried = trials[0].config.trial_id
    search.end(retried, TrialState.COMPLETE, 99.0)
    assert search.unconfirmed(ids_of(search)) == 2
    assert search.confirm(ids_of(search), awaited={retried}) == []
    assert search.confirm(ids_of(search)) == [retried, first[0]]


def test_a_trial_in_two_cells_is_confirmed_once(bench):
    """gmm does not read the setting in which the variations differ, but for the cell's key."""
    bench = Bench(
        bench.folder,
        bench.text.replace("fixed: ", "variations: {one: {}, two: {seed: 0}}\nfixed: "),
    )
    overrides = ("replicates=3", "search.trials=1", "search.screen={confirm: 1}")
    point = "search.points=[{learning_rate: 0.001, samples: 20}]"
    for cell in bench.cells(*overrides, point):
        search = CellSearch(bench.store, cell)
        trial = search.propose()
        scores = {"valid/log_p": -1.0, "valid/bound": -2.0}
        search.end(trial.config.trial_id, TrialState.COMPLETE, scores)
        search.history.store()
    plan = bench.plan(*overrides, point)
    assert len(plan.cells) == 2
    searches = Searches(plan, bench.store)
    assert [trial.config.trial_id for trial in searches.confirm()] == [trial.config.trial_id]
    assert bench.plan(*overrides, point).confirmed == {trial.config.trial_id}


def test_a_random_search_is_screened_although_all_its_trials_are_known_in_advance(bench):
    bench = Bench(
        bench.folder, bench.text.replace("tpe", "random").replace(", startup_trials: 5", "")
    )
    overrides = ("replicates=3", "search.trials=4", "search.screen={}")
    plan = bench.plan(*overrides)
    assert [trial.replicates for trial in plan.trials] == [1] * 4
    assert [*plan.unconfirmed.values()] == [3]
    assert plan.competing == plan.places
    searches = Searches(plan, bench.store)
    assert searches.unproposed == 0
    assert searches.confirm() == []
    search = bench.search(*overrides)
    for trial in plan.trials:
        search.end(trial.config.trial_id, TrialState.COMPLETE, reached(trial))
    assert search.confirm(ids_of(search)) == ranked(search)[:3]
    search.history.store()
    assert sorted(trial.replicates for trial in bench.plan(*overrides).trials) == [1, 3, 3, 3]


def test_ids_and_searches_stay_what_they_are_without_a_screening(bench):
    (plain,), (screened,) = bench.cells(), bench.cells("replicates=2", "search.screen={}")
    assert plain.key == screened.key
    axes = {"learning_rate": 1e-3, "samples": 5}
    assert plain.trial(axes).config == screened.trial(axes).config
    assert bench.plan().unconfirmed == {plain.key: 0}


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_a_scheduler_stops_trials_of_the_screening_and_none_that_is_confirmed(bench, kind):
    overrides = (*SCREENED, f"scheduler={kind}")
    search = bench.search(*overrides)
    work(search, 6)
    assert search.confirm(ids_of(search))
    search.history.store()
    plan = bench.plan(*overrides)
    searches = Searches(plan, bench.store)
    stops = {trial.replicates: bool(searches.milestones(trial)) for trial in plan.trials}
    assert stops == {2: True, 5: False}
