"""A screening: few seeds for every trial of a cell, all seeds for its best ones."""

import pytest

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


def test_no_trial_is_confirmed_before_all_have_ended_and_then_the_best_are(bench):
    search = bench.search(*SCREENED)
    work(search, 5)
    last = search.propose()
    assert search.confirm() == []
    assert search.unconfirmed == 2
    search.end(last.config.trial_id, TrialState.COMPLETE, reached(last))
    assert search.confirm() == ranked(search)[:2]
    assert search.confirm() == []
    assert search.unconfirmed == 0


def test_a_trial_that_was_stopped_or_failed_is_never_confirmed(bench):
    search = bench.search(*SCREENED)
    states = iter([TrialState.STOPPED, TrialState.FAILED, TrialState.DIVERGED] * 2)
    work(search, 6, lambda trial: next(states))
    assert search.confirm() == []
    assert search.unconfirmed == 0
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
    assert search.confirm() == [trial.config.trial_id for trial in trials[:2]]


def test_the_choice_is_stored_and_known_to_every_later_plan(bench):
    search = bench.search(*SCREENED)
    work(search, 6)
    chosen = search.confirm()
    search.history.store()
    plan = bench.plan(*SCREENED)
    assert plan.confirmed == {*chosen}
    assert {t.config.trial_id: t.replicates for t in plan.trials} == {
        trial_id: 5 if trial_id in chosen else 2 for trial_id in search._ended
    }
    assert {place.config.trial_id for place in plan.competing} == {*chosen}
    again = bench.search(*SCREENED)
    assert again.confirm() == []
    assert again.history.confirmed == chosen


def test_more_trials_are_screened_and_a_better_one_is_confirmed_beside_the_earlier(bench):
    search = bench.search(*SCREENED)
    work(search, 6)
    first = search.confirm()
    search.history.store()
    more = (*SCREENED, "search.trials=8")
    search = bench.search(*more)
    assert search.unconfirmed == 0
    better = [search.propose() for _ in range(2)]
    assert search.confirm() == []
    for trial, value in zip(better, (1.0, -99.0), strict=True):
        search.end(trial.config.trial_id, TrialState.COMPLETE, value)
    assert search.confirm() == [better[0].config.trial_id]
    search.history.store()
    assert bench.plan(*more).confirmed == {*first, better[0].config.trial_id}


def test_more_are_confirmed_where_more_are_asked_for(bench):
    search = bench.search(*SCREENED)
    work(search, 6)
    search.confirm()
    search.history.store()
    more = (*SCREENED[:-1], "search.screen={replicates: 2, confirm: 4}")
    assert [*bench.plan(*more).unconfirmed.values()] == [2]
    search = bench.search(*more)
    assert search.confirm() == ranked(search)[2:4]


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
    assert search.confirm() == ranked(search)[:3]
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
    assert search.confirm()
    search.history.store()
    plan = bench.plan(*overrides)
    searches = Searches(plan, bench.store)
    stops = {trial.replicates: bool(searches.milestones(trial)) for trial in plan.trials}
    assert stops == {2: True, 5: False}
