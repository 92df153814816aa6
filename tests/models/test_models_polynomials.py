"""exp and log of the fused loops are as precise as stated, and their polynomials can be fitted."""

import numpy as np
import pytest

from gmm_study.models import loops
from tests.models.polynomials import (
    EXP,
    LOG,
    exp_quotient,
    interpolant,
    log_quotient,
    minimax,
    relative_error,
)


def in_double_precision(function, points):
    """The values of a loop's function without its rounding to single precision."""
    plain = getattr(function, "py_func", function)
    return np.array([plain(point) for point in points])


SINGLE = np.finfo(np.float32).epsneg
"""The largest relative error of rounding to single precision, 2^-24."""


def test_the_polynomial_of_exp_is_that_of_least_relative_error():
    fit, least = minimax(**EXP)
    assert relative_error(fit, exp_quotient, EXP["low"], EXP["high"]) == pytest.approx(least)
    assert least < 2.42e-8
    x = np.linspace(0.0, np.log(2.0) / 2.0, 1000, endpoint=False)
    found = in_double_precision(loops.exp_minus, x) - 1.0 + x
    np.testing.assert_allclose(found, x**2 * np.polyval(fit, -x), rtol=SINGLE, atol=0)


def test_the_polynomial_of_log_interpolates_at_the_chebyshev_points():
    fit = interpolant(**LOG).round(8)
    e = np.linspace(0.05, 1.0, 9)
    found = np.polyfit(e, in_double_precision(loops.log_one_plus, e) / e, 8)
    np.testing.assert_allclose(found, fit, rtol=SINGLE, atol=0)
    assert relative_error(fit, log_quotient, LOG["low"], LOG["high"]) < 4.3e-8


def test_exp_is_correct_to_a_unit_in_the_last_place():
    x = np.linspace(0.0, 87.0, 20_001, dtype=np.float32)
    found = np.array([loops.exp_minus(point) for point in x])
    assert np.abs(found / np.exp(-x.astype(np.float64)) - 1.0).max() < 1.2e-7


def test_log_is_correct_to_two_units_in_the_last_place():
    e = np.geomspace(1e-30, 1.0, 20_001, dtype=np.float32)
    found = np.array([loops.log_one_plus(point) for point in e])
    assert np.abs(found / np.log1p(e.astype(np.float64)) - 1.0).max() < 2.4e-7
