"""Trials are compared by log p of the validation data, or all by their bounds."""

from math import inf, nan

import pytest

from gmm_study.training.state import TrialState
from gmm_study.trials.selection import Choice, best_trials, scores

NEW, OLD = "valid/log_p", "valid/bound"


def of(log_p=None, bound=None):
    values = {NEW: log_p, OLD: bound}
    return {name: value for name, value in values.items() if value is not None}


def best(**trials):
    """The choice among trials of one cell, in the given order."""
    return best_trials([("cell", name) for name in trials], trials).get("cell")


def test_log_p_decides_and_not_the_bound():
    chosen = best(tight=of(-21.0, -21.5), loose=of(-20.0, -25.0))
    assert chosen == Choice("loose", NEW, -20.0)


def test_with_one_old_record_all_trials_of_the_cell_are_compared_by_bounds():
    chosen = best(old=of(None, -24.0), loose=of(-20.0, -25.0), tight=of(-21.0, -21.5))
    assert chosen == Choice("tight", OLD, -21.5)


def test_an_old_record_that_is_no_candidate_does_not_matter():
    assert best(diverged={}, new=of(-20.0, -25.0)) == Choice("new", NEW, -20.0)


def test_cells_are_compared_each_by_its_own_figure():
    places = [("a", "new"), ("b", "new"), ("b", "old"), ("c", "diverged"), ("d", "missing")]
    trials = {"new": of(-20.0, -25.0), "old": of(None, -26.0), "diverged": {}}
    assert best_trials(places, trials) == {
        "a": Choice("new", NEW, -20.0),
        "b": Choice("new", OLD, -25.0),
    }


def test_among_equals_the_first_in_the_plan_is_the_best():
    assert best(first=of(-20.0), second=of(-20.0)).trial_id == "first"


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_figure_that_is_not_finite_in_one_replicate_does_not_count(value):
    complete = str(TrialState.COMPLETE)
    wanted = [(complete, of(-20.0, -21.0)), (complete, of(value, -23.0))]
    assert scores(wanted) == {OLD: -22.0}
    assert scores([*wanted, (complete, of(-20.0, value))]) == {}


@pytest.mark.parametrize("state", [None, TrialState.DIVERGED, TrialState.RUNNING])
def test_a_trial_without_all_its_replicates_is_no_candidate(state):
    complete = (TrialState.COMPLETE, of(-20.0, -21.0))
    assert scores([complete, (state, of(-1.0, -1.0))]) == {}
