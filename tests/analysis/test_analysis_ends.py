"""A chosen value at the end of those that a study allows is named."""

import pytest

from analysis import find
from tests.trials.results import gmm


def conditions(lab, space, best, **study):
    """What is said of a study in which this trial, by its number, is the best."""
    plan = lab.plan(space=space, replicates=2, **study)
    for number, trial in enumerate(plan.trials):
        values = {"valid/log_p": -20.0 - abs(number - best)}
        lab.write(trial.config, *(gmm(-20.0) | values for _ in "ab"))
    return [said for said in find(plan, lab.store).conditions if "may lie beyond" in said]


@pytest.mark.parametrize(("best", "said"), [(0, False), (1, False), (2, True)])
def test_the_largest_number_of_a_grid_is_an_end_and_a_limit_of_the_setting_is_none(lab, best, said):
    space = {"layers": {"grid": [[8]]}, "l1": {"grid": [0, 1e-4, 1e-3]}}
    sentence = (
        "In 1 of 1 cell, a chosen value is the smallest or the largest that was allowed, or close "
        "to it, and a better one may lie beyond: L1 factor 0.001 (gmm at layers 8)."
    )
    assert conditions(lab, space, best) == [sentence] * said


def test_a_zero_that_is_no_limit_of_the_setting_is_an_end(lab):
    space = {"layers": {"grid": [[8]]}, "initial_bias": {"grid": [-2, -1, 0]}}
    assert "initial bias 0" in conditions(lab, space, 2)[0]


def test_the_smallest_number_of_a_choice_is_an_end(lab):
    space = {"layers": {"grid": [[8]]}, "batch_size": {"choice": [50, 100]}}
    points = [{"batch_size": size} for size in (50, 100)]
    search = {"kind": "random", "trials": 2, "points": points}
    (sentence,) = conditions(lab, space, 0, search=search)
    assert "batch size 50 (gmm at layers 8)" in sentence


def test_axes_of_words_and_methods_that_do_not_read_the_axis_are_not_counted(lab):
    space = {
        "layers": {"grid": [[8]]},
        "initialisation": {"grid": ["authors"]},
        "l1": {"grid": [1e-4, 1e-3]},
    }
    (sentence,) = conditions(lab, space, 1, methods=["gmm", "vae"])
    assert "In 1 of 1 cell" in sentence
    assert "(gmm at layers 8)" in sentence


def test_durations_that_a_longer_study_changed_are_left_out(lab):
    space = {"layers": {"grid": [[8]]}, "max_epochs": {"grid": [10, 20, 40]}}
    assert conditions(lab, space, 1, longer=2) == conditions(lab, space, 2, longer=2) == []


def test_the_axis_of_the_report_is_not_chosen(lab):
    assert conditions(lab, {"samples": {"grid": [5, 10]}}, 1) == []


@pytest.mark.parametrize(
    ("rates", "said"), [([0.08, 0.01], True), ([0.05, 0.01], False), ([1.2e-4, 0.01], True)]
)
def test_the_outermost_twentieth_of_a_range_is_an_end(lab, rates, said):
    search = {"kind": "random", "trials": 2, "points": [{"learning_rate": rate} for rate in rates]}
    space = {"learning_rate": {"log_uniform": [1e-4, 1e-1]}}
    assert bool(conditions(lab, space, 0, search=search)) is said


@pytest.mark.parametrize(("size", "said"), [(20, True), (21, True), (23, False), (60, True)])
def test_both_ends_of_a_range_of_integers_are_as_wide(lab, size, said):
    points = [{"batch_size": each} for each in (size, 40)]
    search = {"kind": "random", "trials": 2, "points": points}
    space = {"batch_size": {"integer": [20, 60]}}
    assert bool(conditions(lab, space, 0, search=search)) is said
