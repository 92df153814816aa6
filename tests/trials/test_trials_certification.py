"""Intervals of trained and random models cover their exact values as often as they say."""

from math import log

import pytest
import torch

from gmm_study.trials.certification import LEVEL, LIMITS, Certification, outside
from tests.networks import a_network
from tests.trials.certified import (
    CERTIFIED,
    NAMES,
    Held,
    exact_values,
    limits,
    misses,
    random_case,
    trained_case,
)
from tests.z_tests import LIMIT

ERROR = (1.0 - LEVEL) / LIMITS
"""That of every limit. An interval has two of them, but that of log p* four."""
ERRORS = dict.fromkeys((*NAMES, "samples"), 2 * ERROR)
ERRORS |= dict.fromkeys(CERTIFIED, ERROR) | {"log_p_star": 4 * ERROR}


def assert_seldom_wrong(cases, **options):
    """No limit or interval is wrong more often than it may, but for the error of a count."""
    found = [misses(limits(*case, **options), exact_values(*case)) for case in cases]
    count = len(found)
    for name, error in ERRORS.items():
        wrong = sum(missed[name] > 0.0 for missed in found)
        assert wrong <= count * error + LIMIT * (count * error * (1.0 - error)) ** 0.5, name


@pytest.mark.parametrize("case", [random_case, trained_case])
def test_intervals_of_small_models_cover_the_exact_values(case):
    cases = [case(number, 40) for number in range(4)]
    assert_seldom_wrong(cases, chains=8, most_steps=16)


@pytest.mark.slow
@pytest.mark.parametrize("most_steps", [4, 64])
def test_intervals_of_40_models_cover_the_exact_values(most_steps):
    """Half of them trained; with 4 steps the weights of many are far from equal."""
    cases = [case(number) for number in range(20) for case in (random_case, trained_case)]
    assert_seldom_wrong(cases, most_steps=most_steps)


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
    for name in ("log_p", "log_p_tilde"):
        both = (row[f"{name}_upper_by_reverse_runs"], row[f"{name}_upper_by_samples"])
        assert row[f"{name}_upper"] == max(both)


@pytest.mark.parametrize(("most_steps", "rounds"), [(4, 1), (64, 2)])
def test_a_model_whose_q_is_the_posterior_has_intervals_of_the_margins_alone(most_steps, rounds):
    """All weights are equal, so the error of every round is in the margins."""
    model = a_network(1, dims=5, sizes=(3,), dtype=torch.float32)
    model.parameters.flat.zero_()
    data = torch.zeros(100, 5)
    row = limits(model, data, chains=4, most_steps=most_steps, tolerance=0.0)
    exact, margin = exact_values(model, data), log(3 * rounds / ERROR) / 100 / 4
    assert row["log_p_lower"] == pytest.approx(exact["log_p"] - margin)
    assert row["log_p_upper"] == pytest.approx(exact["log_p"] + margin)
    assert row["samples_lower"] == pytest.approx(exact["log_p"] - 2.0 * margin)
    assert row["samples_upper"] == pytest.approx(exact["log_p"] + log(rounds / ERROR) / 50)


@pytest.mark.parametrize(("has_p_star", "most_steps"), [(True, 2), (False, 20)])
def test_the_work_of_all_rounds_is_known_beforehand(has_p_star, most_steps):
    model, data = random_case(2, 3)
    done = []
    held = Held(model, has_p_star)
    asked = Certification(held, data, [0, 0], 2, most_steps, 0.0, chunk_rows=2000)
    asked.rows(done.append)
    assert sum(done) == asked.most_work
    assert len(done) > len(asked.rounds)


def test_what_is_outside_is_measured_from_the_nearer_limit():
    row = {"log_p_lower": -3.0, "log_p_upper": -2.0, "log_z2_lower": None, "log_z2_upper": 0.0}
    assert outside({"log_p": -3.25, "log_z2": -1.0}, row) == {"log_p_outside": -0.25}
    assert outside({"log_p": -2.5}, row) == {"log_p_outside": 0.0}
    assert outside({"log_p": -1.5}, row) == {"log_p_outside": 0.5}
