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
    return [said for said in find(plan, lab.store).conditions if "at the end" in said]


@pytest.mark.parametrize(("best", "said"), [(0, False), (1, False), (2, True)])
def test_the_largest_number_of_a_grid_is_an_end_and_zero_is_none(lab, best, said):
    space = {"layers": {"grid": [[8]]}, "l1": {"grid": [0, 1e-4, 1e-3]}}
    sentence = (
        "In 1 of 1 cell, a chosen value is at the end of those that were allowed, and a better one "
        "may lie beyond: L1 factor 0.001 (gmm at layers 8)."
    )
    assert conditions(lab, space, best) == [sentence] * said


def test_the_smallest_number_of_a_choice_is_an_end(lab):
    space = {"layers": {"grid": [[8]]}, "batch_size": {"choice": [50, 100]}}
    points = [{"batch_size": size} for size in (50, 100)]
    search = {"kind": "random", "trials": 2, "points": points}
    (sentence,) = conditions(lab, space, 0, search=search)
    assert "batch size 50 (gmm at layers 8)" in sentence


def test_the_axis_of_the_report_is_not_chosen(lab):
    assert conditions(lab, {"samples": {"grid": [5, 10]}}, 1) == []


@pytest.mark.parametrize(
    ("rates", "said"), [([0.08, 0.01], True), ([0.05, 0.01], False), ([1.2e-4, 0.01], True)]
)
def test_the_outermost_twentieth_of_a_range_is_an_end(lab, rates, said):
    search = {"kind": "random", "trials": 2, "points": [{"learning_rate": rate} for rate in rates]}
    space = {"learning_rate": {"log_uniform": [1e-4, 1e-1]}}
    assert bool(conditions(lab, space, 0, search=search)) is said
