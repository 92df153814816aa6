"""The rules on curves: the swing is that of the noise, and a share that of the curve's form."""

from dataclasses import replace
from math import cos, exp, log, pi

import numpy as np
import pytest

from gmm_study.diagnosis.curves import (
    SHARE_OF_LAST_QUARTER,
    Rise,
    judge_rise,
    rate_too_large,
    rate_too_small,
    still_rising,
    swing_of,
)
from gmm_study.diagnosis.finding import Finding, Missing
from gmm_study.diagnosis.run import Run
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.state import Ending, TrialState
from gmm_study.trials.result import ReplicateResult

EPOCHS = 401


def run_of(values, rates=None, collapsed=False, ending=Ending.EPOCHS, metrics=None, **settings):
    """A run whose validation bound has these values, epoch by epoch."""
    epochs = range(1, len(values) + 1)
    curves = {
        ("valid", "bound"): list(zip(epochs, values, strict=True)),
        ("train", "learning_rate"): list(zip(epochs, rates or [0.1] * len(values), strict=True)),
    }
    ended = (len(values), len(values), 1.0, metrics or {})
    result = ReplicateResult(TrialState.COMPLETE, *ended, ending=ending, collapsed=collapsed)
    return Run(Hyperparameters(**settings), result, curves)


def noise(draws, length, sd=0.3):
    return np.random.default_rng(0).normal(0.0, sd, (draws, length))


def test_the_swing_of_noise_is_its_standard_deviation_within_the_error_that_is_said():
    found = [swing_of(list(enumerate(row))) for row in noise(2000, 60)]
    swings, errors = np.array(found).T
    squares = swings**2
    error_of_mean = squares.std(ddof=1) / len(squares) ** 0.5
    assert abs(squares.mean() - 0.3**2) < 4 * error_of_mean
    spread = swings.std(ddof=1)
    of_spread = spread / (2 * (len(swings) - 1)) ** 0.5
    assert abs(errors.mean() - spread) < 4 * of_spread


@pytest.mark.parametrize("form", [lambda t: -30 / t, lambda t: 0.5 * t, lambda t: -exp(-t / 9)])
def test_a_smooth_curve_does_not_swing_however_it_rises(form):
    found = rate_too_large(run_of([form(epoch) for epoch in range(1, EPOCHS)]))
    assert isinstance(found, Finding)
    assert not found.found
    assert found.values["swing"] < 1e-3


def test_noise_that_is_added_to_a_rising_curve_is_found_from_the_threshold_on():
    rising = -30 / np.arange(1, EPOCHS)
    row = noise(1, EPOCHS - 1)[0]
    steady, wild = rising + 0.01 * row, rising + row
    verdicts = [rate_too_large(run_of(list(values))) for values in (steady, wild)]
    assert [each.found for each in verdicts] == [False, True]
    assert "schedule=cosine" in verdicts[1].to_do
    fallen = rate_too_large(run_of(list(wild), schedule="cosine"))
    assert "schedule" not in fallen.to_do


def test_the_threshold_of_a_share_is_that_of_a_curve_that_halves_its_distance_twice():
    way = [-(4.0 ** -(epoch / (EPOCHS - 1))) for epoch in range(EPOCHS)]
    found = rate_too_small(run_of([10 * value for value in way]))
    assert found.values["share_of_last_quarter"] == pytest.approx(SHARE_OF_LAST_QUARTER)
    assert 1.0 + way[-1] == pytest.approx(0.75)


def test_a_curve_that_is_still_straight_is_found_and_one_that_has_bent_is_not():
    straight = rate_too_small(run_of([0.01 * epoch for epoch in range(EPOCHS)]))
    assert straight.found
    assert straight.values["share_of_last_quarter"] == pytest.approx(0.25)
    bent = rate_too_small(run_of([-4.0 * exp(-4 * epoch / EPOCHS) for epoch in range(EPOCHS)]))
    assert not bent.found


def test_a_rate_that_falls_makes_no_straight_curve_bent():
    rates = [0.1 * (1 + cos(pi * epoch / EPOCHS)) / 2 for epoch in range(EPOCHS)]
    values = list(np.cumsum(rates))
    found = rate_too_small(run_of(values, rates, schedule="cosine"))
    largest_step = max(rates) / (values[-1] - values[0])
    assert found.found
    assert abs(found.values["share_of_last_quarter"] - 0.25) < largest_step


def test_a_gain_that_does_not_matter_counts_only_in_a_model_that_is_worth_nothing():
    values = [1e-4 * epoch for epoch in range(EPOCHS)]
    assert not rate_too_small(run_of(values)).found
    assert rate_too_small(run_of(values, collapsed=True)).found


def test_a_curve_that_never_rose_is_no_rate_that_is_too_small():
    found = rate_too_small(run_of([-0.01 * epoch for epoch in range(EPOCHS)]))
    assert not found.found
    assert "gained nothing" in found.figure


def test_noise_alone_is_seldom_called_a_rate_that_is_too_small():
    rows = noise(400, 60)
    falls = -20 * np.exp(-np.arange(60) / 8)
    assert not any(rate_too_small(run_of(list(falls + row))).found for row in rows)


@pytest.mark.parametrize("rule", [rate_too_large, rate_too_small])
def test_too_few_validated_epochs_are_said(rule):
    found = rule(run_of([0.1, 0.2, 0.3]))
    assert isinstance(found, Missing)
    assert "epochs of it were validated" in found.why


def test_a_rise_counts_if_it_is_clear_would_matter_and_is_of_what_was_kept():
    assert judge_rise(0.0040, 0.0001, 57, 57, 0.2)[0] is Rise.CLEAR
    assert judge_rise(0.0034, 0.0001, 57, 57, 0.2)[0] is Rise.NONE
    assert judge_rise(0.0040, 0.0021, 57, 57, 0.2)[0] is Rise.UNCLEAR
    assert judge_rise(0.0040, 0.0001, 51, 57, 0.2)[0] is Rise.NONE
    assert judge_rise(0.0040, 0.0001, 57, 57, 0.2)[1] == pytest.approx(28.5 * 0.004)


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (Ending.EPOCHS, "the limit of epochs"),
        (Ending.TIME, "the limit of time"),
        (Ending.SCHEDULE, "the end of its schedule"),
        (Ending.CONVERGED, None),
    ],
)
def test_a_rise_is_said_with_the_limit_that_ended_it(ending, said):
    metrics = {"valid/rise": 0.1, "valid/rise_se": 0.01}
    run = run_of([0.0] * 57, ending=ending, metrics=metrics, max_epochs=57, max_seconds=9.0)
    found = still_rising(run)
    assert found.found == (said is not None)
    assert said is None or said in found.what
    assert ("max_seconds=45" in found.to_do) == (ending is Ending.TIME)


def test_of_several_stages_the_last_one_is_judged_if_the_record_shows_where_it_began():
    stages = [{"max_epochs": 40}, {"max_epochs": 30, "learning_rate": 0.01}]
    settings = Hyperparameters.from_mapping({"stages": stages})
    values = [100.0 - epoch for epoch in range(40)] + [0.1 * epoch for epoch in range(30)]
    run = replace(run_of(values), settings=settings)
    assert run.criterion[0] == (41, 0.0)
    assert rate_too_small(run).found
    converged = replace(run, result=replace(run.result, ending=Ending.CONVERGED))
    assert isinstance(rate_too_small(converged), Missing)


def test_the_averaged_criterion_is_judged_if_the_averaged_parameters_were_kept():
    run = run_of([0.0] * 30)
    averaged = [(epoch, log(epoch)) for epoch in range(1, 31)]
    run = replace(run, curves={**run.curves, ("valid", "bound_averaged"): averaged})
    kept = replace(run, result=replace(run.result, kept="averaged"))
    assert run.criterion[-1][1] == 0.0
    assert kept.criterion == averaged
