"""From estimates of datapoints to reported figures, against values worked out by hand."""

import math

import pytest
import torch

from gmm_study.estimators import mean_and_standard_error, summarise, with_p_star


def test_the_standard_error_is_the_standard_deviation_with_n_minus_1_over_root_n():
    # deviations -2, 0, 2: variance 8 / 2 = 4, standard error 2 / sqrt(3)
    mean, error = mean_and_standard_error(torch.tensor([[1.0, 3.0, 5.0]], dtype=torch.float64))
    assert (mean, error) == pytest.approx((3.0, 2.0 / math.sqrt(3.0)))


def test_one_datapoint_has_no_standard_error():
    mean, error = mean_and_standard_error(torch.tensor([[2.0]]))
    assert mean == 2.0
    assert math.isnan(error)


def test_what_belongs_to_p_star_is_reported_only_where_there_is_one():
    estimates = {name: torch.zeros(1, 2) for name in ("log_p", "ess", "log_p_tilde", "ess_star")}
    assert set(summarise(estimates, of_p_star=False)) == {"log_p", "log_p_se", "ess", "ess_se"}
    assert set(summarise(estimates, of_p_star=True)) == {
        f"{name}{suffix}" for name in estimates for suffix in ("", "_se")
    }


def test_log_p_star_takes_2_log_z_off_and_adds_the_squares_of_the_errors():
    figures = {"log_p_tilde": -9.0, "log_p_tilde_se": 0.3}
    log_z2, error = torch.tensor([-0.5], dtype=torch.float64), torch.tensor([0.4]).double()
    added = {"log_z2": -0.5, "log_z2_se": 0.4, "log_p_star": -8.5, "log_p_star_se": 0.5}
    assert with_p_star(figures, log_z2, error) == pytest.approx(figures | added)
