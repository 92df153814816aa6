"""Whether the choice of a trial is clearer than the noise of validation, worked out by hand."""

import numpy as np
import pytest

from analysis import find, join, load, summarise
from analysis.choice_noise import choice_conditions, leads_of_cells
from analysis.differences import LogP
from tests.trials.results import result_of

POINTS = [{"learning_rate": 0.01}, {"learning_rate": 0.02}]
SEARCH = {"kind": "random", "trials": 2, "points": POINTS}
SPACE = {"learning_rate": {"log_uniform": [1e-4, 1e-1]}}


@pytest.fixture
def said(lab):
    """What is said of two trials with these values of `valid/log_p` by replicate."""

    def _said(first, second, values=None):
        plan = lab.plan(space=SPACE, search=SEARCH, replicates=len(first))
        for trial, own in zip(plan.trials, (first, second), strict=True):
            known = {"valid/log_p_se": 0.3, "test/log_p": -20.0, "test/log_p_se": 0.2}
            figures = [{"valid/log_p": value, "valid/bound": -21.0, **known} for value in own]
            record = lab.store.record(trial.config.trial_id)
            record.write_config(trial.config)
            record.write_result(result_of(trial.config.trial_id, *figures))
        rows = join(plan, load(lab.store))
        cells = summarise(plan, rows, {"test/log_p": "test log p"})
        ids = [trial.config.trial_id for trial in plan.trials]
        log_p = values and LogP(plan, rows, dict(zip(ids, values, strict=True)).__getitem__)
        return choice_conditions(leads_of_cells(plan, rows, cells, log_p))

    return _said


def test_a_lead_within_its_error_over_seeds_is_named_with_both(said):
    # differences 0.3, -0.1, 0.1: mean 0.1, standard error 0.2 / sqrt(3), 4.302653 of which are 0.50
    (sentence,) = said([-20.0, -20.2, -20.1], [-20.3, -20.1, -20.2])
    assert sentence == (
        "In 1 of 1 cell, the choice of learning rate is within the noise of validation: the next "
        "best trial is 0.10 nats behind, ± 0.50 (95% interval)."
    )


def test_a_clear_choice_is_not_named(said):
    # differences 1.0, 1.1, 1.2, of which 4.302653 standard errors are 0.25
    assert said([-20.0, -20.1, -20.2], [-21.0, -21.2, -21.4]) == []


def test_the_pairs_are_replicates_so_that_what_they_share_cancels(said):
    assert said([-20.0, -30.0, -40.0], [-21.0, -31.1, -41.2]) == []


def test_the_noise_of_validation_data_is_that_of_test_data_scaled_by_their_errors(said):
    # one replicate, so only the data: differences on test data of +-0.5 around 0, 101 of each
    spread = np.tile(np.float32([0.5, -0.5]), 101)
    first, second = {0: np.full(202, -20.0, np.float32)}, {0: -20.0 + spread}
    # standard error 0.5 / sqrt(201); that of log p is 0.3 on validation and 0.2 on test data
    noise = 1.959964 * 0.5 / 201**0.5 * 0.3 / 0.2
    assert said([-20.0], [-20.0 - noise - 0.001], (first, second)) == []
    (sentence,) = said([-20.0], [-20.0 - noise + 0.001], (first, second))
    assert sentence.endswith("is 0.10 nats behind, ± 0.10 (95% interval).")


def test_without_any_known_noise_nothing_is_said(said):
    assert said([-20.0], [-20.1]) == []


def test_it_is_among_the_conditions_of_a_report(lab, said):
    said([-20.0, -20.2, -20.1], [-20.3, -20.1, -20.2])
    plan = lab.plan(space=SPACE, search=SEARCH, replicates=3)
    assert any("choice of learning rate" in text for text in find(plan, lab.store).conditions)
