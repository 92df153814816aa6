"""Fits of the two polynomials in `gmm_study/models/loops.py`, in double precision.

    .venv/bin/python -m tests.models.polynomials

prints their coefficients, highest power first, and their largest relative errors.
"""

import numpy as np

GRID = 100_001
"""Points of an interval at which an error is evaluated."""


def exp_quotient(r):
    """P with exp(r) = 1 + r + r^2 P(r)."""
    r = np.asarray(r, float)
    series = 1 / 2 + r / 6 + r**2 / 24 + r**3 / 120  # the quotient cancels near 0
    near = np.abs(r) < 1e-3
    return np.where(near, series, (np.expm1(r) - r) / np.where(near, 1.0, r) ** 2)


def log_quotient(e):
    """P with log(1 + e) = e P(e), for e > 0."""
    return np.log1p(e) / e


def interpolant(function, degree, low, high):
    """The polynomial that agrees with `function` at the Chebyshev points of an interval."""
    angles = (2 * np.arange(degree + 1) + 1) * np.pi / (2 * degree + 2)
    points = (low + high) / 2 + (high - low) / 2 * np.cos(angles)
    return np.polyfit(points, function(points), degree)


def minimax(function, degree, low, high):
    """The polynomial of least relative error on an interval, and that error (Remez's exchange).

    Its error alternates between its extremes at degree + 2 points, from which the coefficients and
    the error follow; the extremes of that error are the next points.
    """
    count = degree + 2
    points = (low + high) / 2 - (high - low) / 2 * np.cos(np.arange(count) * np.pi / (count - 1))
    grid = np.linspace(low, high, GRID)
    for _ in range(10):
        values = function(points)
        alternating = (-1.0) ** np.arange(count) * values
        system = np.column_stack([np.vander(points, degree + 1), alternating])
        *coefficients, error = np.linalg.solve(system, values)
        errors = np.polyval(coefficients, grid) / function(grid) - 1.0
        changes = np.flatnonzero(np.diff(np.sign(errors))) + 1
        parts = np.split(np.arange(GRID), changes)
        points = grid[[part[np.abs(errors[part]).argmax()] for part in parts]]
    return np.array(coefficients), abs(error)


def relative_error(coefficients, function, low, high):
    """The largest relative error of a polynomial on an interval."""
    grid = np.linspace(low, high, GRID)
    return np.abs(np.polyval(coefficients, grid) / function(grid) - 1.0).max()


EXP = {"function": exp_quotient, "degree": 5, "low": -0.5, "high": 0.5}
LOG = {"function": log_quotient, "degree": 8, "low": 1e-12, "high": 1.0}

if __name__ == "__main__":
    print("exp", *minimax(**EXP))
    fit = interpolant(**LOG).round(8)
    print("log", fit, relative_error(fit, log_quotient, LOG["low"], LOG["high"]))
