"""Tests of random results, whose tolerance is the result's own standard error."""

import torch
from torch import Tensor

LIMIT = 4.0
"""Standard errors. One correct figure in 16,000 lies outside. Seeds are fixed, so a test that has
passed keeps passing, and the limit does not depend on the number of figures."""


def assert_within_standard_errors(estimate, truth, standard_error):
    """Every estimate is within its standard error of the truth."""
    assert (standard_error > 0).all()
    scores = (estimate - truth) / standard_error
    assert (scores.abs() < LIMIT).all(), f"z-scores {scores}"


def assert_mean_within_standard_errors(repetitions, truth):
    """The mean over the leading dimension is the truth, within the repetitions' standard error."""
    error = repetitions.std(0) / len(repetitions) ** 0.5
    assert_within_standard_errors(repetitions.mean(0), truth, error)


def assert_every_mean_within_standard_errors(repetitions, truth):
    """The same for every entry of `[repetitions, entries]`; one that never varies is the truth."""
    varies = repetitions.std(0) > 1e-12 * repetitions.abs().amax(0)
    torch.testing.assert_close(repetitions[0][~varies], truth[~varies], rtol=0.0, atol=1e-12)
    if varies.any():
        assert_mean_within_standard_errors(repetitions[:, varies], truth[varies])


def z_scores(numbers: Tensor, probabilities: Tensor) -> Tensor:
    """How many standard errors the frequency of each number is from its probability."""
    found = torch.bincount(numbers.flatten(), minlength=len(probabilities)) / numbers.numel()
    error = (probabilities * (1.0 - probabilities) / numbers.numel()).sqrt()
    return (found - probabilities) / error


def chi_square_score(numbers: Tensor, probabilities: Tensor) -> float:
    """Pearson's statistic as a normal score; numbers that are hardly expected are pooled."""
    expected = probabilities * numbers.numel()
    found = torch.bincount(numbers.flatten(), minlength=len(probabilities)).double()
    often = expected >= 10.0
    expected = torch.cat([expected[often], expected[~often].sum()[None].clamp(min=1e-9)])
    found = torch.cat([found[often], found[~often].sum()[None]])
    statistic = ((found - expected).square() / expected).sum().item()
    freedom = len(expected) - 1
    return (statistic - freedom) / (2.0 * freedom) ** 0.5
