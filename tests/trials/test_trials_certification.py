"""Intervals of trained and random models cover their exact values as often as they say."""

from math import log

import pytest
import torch

from gmm_study.trials.certification import LEVEL, outside
from tests.networks import a_network
from tests.trials.certified import (
    NAMES,
    exact_values,
    limits,
    random_case,
    trained_case,
)
from tests.z_tests import LIMIT

CERTIFIED = ("log_p_lower", "log_p_tilde_lower", "log_z2_lower", "log_p_star_lower_certified")


def wrong_limits(cases, **options):
    """By name, how many of the limits are on the wrong side of the exact value."""
    wrong = dict.fromkeys([*CERTIFIED, *NAMES, "samples"], 0)
    for model, data in cases:
        row, exact = limits(model, data, **options), exact_values(model, data)
        for name in CERTIFIED:
            wrong[name] += row[name] > exact[name.partition("_lower")[0]]
        for name in NAMES:
            wrong[name] += not row[f"{name}_lower"] <= exact[name] <= row[f"{name}_upper"]
        wrong["samples"] += row["samples_lower"] > row["samples_upper"]
    return wrong


def assert_seldom(wrong, count):
    """No more often than the level allows, but for the error of a count."""
    error = 1.0 - LEVEL
    most = count * error + LIMIT * (count * error * LEVEL) ** 0.5
    assert all(number <= most for number in wrong.values()), wrong


@pytest.mark.parametrize("case", [random_case, trained_case])
def test_intervals_of_small_models_cover_the_exact_values(case):
    cases = [case(number, 40) for number in range(4)]
    wrong = wrong_limits(cases, chains=8, most_steps=16)
    assert_seldom(wrong, len(cases))


@pytest.mark.slow
@pytest.mark.parametrize("most_steps", [4, 64])
def test_intervals_of_40_models_cover_the_exact_values(most_steps):
    """Half of them trained; with 4 steps the weights of many are far from equal."""
    cases = [case(number) for number in range(20) for case in (random_case, trained_case)]
    assert_seldom(wrong_limits(cases, most_steps=most_steps), len(cases))


def test_steps_grow_until_the_intervals_are_narrow_enough():
    model, data = random_case(1, 10)
    few, many = (limits(model, data, tolerance=width) for width in (100.0, 0.0))
    assert (few["steps"], many["steps"]) == (16, 64)
    assert (few["narrow"], many["narrow"]) == (True, False)
    widths = [row["log_p_upper"] - row["log_p_lower"] for row in (few, many)]
    assert widths[1] < widths[0]
    assert limits(model, data, most_steps=3, tolerance=0.0)["steps"] == 3


def test_what_is_certified_never_gets_worse_with_more_rounds():
    model, data = random_case(3, 10)
    few, many = (limits(model, data, most_steps=64, tolerance=width) for width in (100.0, 0.0))
    assert all(many[name] >= few[name] for name in CERTIFIED)


def test_the_limits_of_p_star_are_those_of_ptilde_and_z():
    row = limits(*random_case(0, 20), most_steps=4)
    assert row["log_p_star_lower"] == row["log_p_tilde_lower"] - row["log_z2_upper"]
    assert row["log_p_star_upper"] == row["log_p_tilde_upper"] - row["log_z2_lower"]
    assert row["log_p_star_lower_certified"] == row["log_p_tilde_lower"]
    assert row["log_z2_upper"] <= 0.0
    sides = (row["log_p_upper_from_ends"], row["log_p_upper_by_samples"])
    assert row["log_p_upper"] == max(sides)


def test_a_model_whose_q_is_the_posterior_has_intervals_of_the_margins_alone():
    """All weights are equal, but for the rounding of single precision."""
    model = a_network(1, dims=5, sizes=(3,), dtype=torch.float32)
    model.parameters.flat.zero_()
    data = torch.zeros(100, 5)
    row, exact = limits(model, data, chains=4, most_steps=4), exact_values(model, data)
    for name in NAMES:
        assert row[f"{name}_lower"] <= exact[name] + 1e-5
        assert row[f"{name}_upper"] >= exact[name] - 1e-5
    margin = log(3 / 0.0125) / 100 / 4
    assert row["log_p_upper"] - row["log_p_lower"] == pytest.approx(2.0 * margin, abs=1e-5)


def test_what_is_outside_is_measured_from_the_nearer_limit():
    row = {"log_p_lower": -3.0, "log_p_upper": -2.0, "log_z2_lower": None, "log_z2_upper": 0.0}
    assert outside({"log_p": -3.25, "log_z2": -1.0}, row) == {"log_p_outside": -0.25}
    assert outside({"log_p": -2.5}, row) == {"log_p_outside": 0.0}
    assert outside({"log_p": -1.5}, row) == {"log_p_outside": 0.5}
