"""A search with a limit of hours proposes no more trials once all runs together took that long."""

import pytest

from gmm_study.search.searches import Searches
from gmm_study.training.state import TrialState
from tests.search.conftest import reached
from tests.trials.results import result_of

HOURS = "search.hours=2"


class Clock:
    """A clock that is set by hand, in hours."""

    def __init__(self, hours):
        self.hours = hours

    def __call__(self):
        return 3600 * self.hours


def run(bench, clock, trials, *overrides, hours_a_trial=0.5):
    """A run that trains trials one after the other, as long as there are any; gives their axes."""
    searches, found = Searches(bench.plan(*overrides), bench.store, clock), []
    while len(found) < trials and (trial := searches.next()) is not None:
        found.append(trial.axes)
        clock.hours += hours_a_trial
        trial_id = trial.config.trial_id
        bench.store.record(trial_id).write_result(
            result_of(trial_id, {"valid/bound": reached(trial)})
        )
        searches.ended(trial_id)
    return found


def unproposed(bench, *overrides):
    return sum(bench.plan(*overrides).unproposed.values())


def test_no_trial_is_proposed_after_the_hours_and_the_plan_says_so(bench):
    assert len(run(bench, Clock(7), 99, HOURS)) == 4
    assert unproposed(bench, HOURS) == 0
    assert run(bench, Clock(0), 99, HOURS) == []


def test_the_hours_are_those_of_all_runs_together_and_the_time_between_them_does_not_count(bench):
    first = run(bench, Clock(0), 3, HOURS)
    assert unproposed(bench, HOURS) == 22
    second = run(bench, Clock(1000), 99, HOURS)
    assert (len(first), len(second)) == (3, 1)


def test_a_run_in_which_no_trial_ended_counts_as_well(bench):
    for number in range(3):
        clock = Clock(0)
        searches = Searches(bench.plan(HOURS), bench.store, clock)
        assert bool(searches.next()) == (number < 2)
        clock.hours += 1.1
        searches.pause()


def test_more_hours_go_on_with_the_same_search_and_without_a_limit_it_proposes_all(bench):
    limited = run(bench, Clock(0), 99, HOURS)
    more = run(bench, Clock(0), 99, "search.hours=3")
    rest = run(bench, Clock(0), 99)
    assert (len(limited), len(more), len(rest)) == (4, 2, 19)
    assert [trial.axes for trial in bench.plan().trials] == limited + more + rest


def test_a_limit_of_hours_changes_no_proposal(bench, tmp_path):
    limited = run(bench, Clock(0), 99, HOURS)
    bench.folder = tmp_path / "unlimited"
    bench.folder.mkdir()
    assert run(bench, Clock(0), 4) == limited


def test_a_trial_that_is_under_way_when_the_hours_are_over_still_counts(bench):
    clock = Clock(0)
    searches = Searches(bench.plan(HOURS), bench.store, clock)
    trial_id = searches.next().config.trial_id
    clock.hours = 3
    assert searches.next() is None
    assert searches.unproposed == 0
    bench.store.record(trial_id).write_result(result_of(trial_id, {"valid/bound": -1.0}))
    searches.ended(trial_id)
    assert bench.search(HOURS).history.events[-1]["state"] == TrialState.COMPLETE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("search.hours=0", "search.hours: 0"),
        ("search={kind: random, trials: 3, hours: 1}", "search.hours"),
    ],
)
def test_hours_that_cannot_be_used_are_refused(bench, change, words):
    with pytest.raises(ValueError, match=words):
        bench.study(change)
