"""On whole trained models an evaluation of the test data agrees with the enumeration."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from gmm_study.data import load_dataset
from gmm_study.estimators import estimate_log_p, estimate_log_z2
from gmm_study.exact import exact_log_likelihoods
from gmm_study.models import RandomStreams
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.trainer import Trainer
from gmm_study.trials.evaluation import evaluate_on_test
from tests.z_tests import assert_mean_within_standard_errors, assert_within_standard_errors

SAMPLES, Z_SAMPLES, TEST_ROWS, REPLICATES = 1000, 20_000, 100, 2
NLTCS = Path(os.environ.get("GMM_STUDY_DATA", "")) / "debd" / "nltcs" / "nltcs.test.data"

SOME_HYPERPARAMETERS = Hyperparameters.from_mapping(
    {"layers": (5, 3), "learning_rate": 0.01, "max_epochs": 4, "evaluation_samples": SAMPLES}
)


@pytest.fixture(
    scope="module",
    params=[
        "bars",
        pytest.param(
            "debd/nltcs", marks=pytest.mark.skipif(not NLTCS.is_file(), reason="no GMM_STUDY_DATA")
        ),
    ],
)
def trained(request):
    """A network of two replicates after a few epochs, the data's test rows, and the truth.

    The test data are cut to a hundred rows, each picture at most once.
    """
    dataset = load_dataset(request.param)
    rows = np.unique(dataset.test, axis=0)
    chosen = rows[np.random.RandomState(0).permutation(len(rows))[:TEST_ROWS]]
    dataset = dataclasses.replace(dataset, train=dataset.train[:5000], test=chosen)
    trainer = Trainer(SOME_HYPERPARAMETERS, dataset, range(REPLICATES))
    while not trainer.finished:
        trainer.train_epoch()
    exact = exact_log_likelihoods(trainer.best_model(), torch.from_numpy(dataset.test))
    return trainer, dataset, exact


def evaluation_streams():
    return RandomStreams(0, range(REPLICATES), "evaluation")


def test_estimates_of_every_datapoint_have_the_exact_values_as_their_means(trained):
    """The ratio of an unbiased estimate to its truth has the mean 1 at every datapoint.

    So the datapoints, whose samples are independent, are repetitions of one experiment.
    """
    trainer, dataset, exact = trained
    test = torch.from_numpy(dataset.test)
    found = estimate_log_p(trainer.best_model(), test, SAMPLES, evaluation_streams())
    one = torch.ones(REPLICATES, dtype=torch.float64)
    ratios = (found["log_p"] - exact["log_p"]).exp()
    assert_mean_within_standard_errors(ratios.T, one)
    ratios = (0.5 * (found["log_p_tilde"] - exact["log_p_tilde"])).exp()
    assert_mean_within_standard_errors(ratios.T, one)


def test_the_partition_function_is_within_its_claimed_standard_error(trained):
    trainer, _, exact = trained
    found, error = estimate_log_z2(trainer.best_model(), Z_SAMPLES, evaluation_streams())
    assert_within_standard_errors(found, exact["log_z2"], error)


@pytest.mark.parametrize("replicate", range(REPLICATES))
def test_the_reported_figures_of_the_test_data_are_the_exact_ones(trained, replicate):
    """Each mean over the data, to the error that its samples leave.

    A logarithm of K weights has the variance v / K and the bias - v / 2 K, v = 1 / ess - 1; over N
    datapoints the bias is sqrt(v N / K) / 2 of the standard error, here at most a few tenths.
    """
    trainer, dataset, exact = trained
    model = trainer.best_model([replicate])
    found = evaluate_on_test(SOME_HYPERPARAMETERS, model, dataset, replicate, 4000).metrics
    squares = {}
    for name, ess, factor in (("log_p", "ess", 1.0), ("log_p_tilde", "ess_star", 2.0)):
        variance = factor**2 * (1.0 / exact[ess][replicate] - 1.0) / SAMPLES
        squares[name] = variance.mean() / len(variance)
        bias = 0.5 * variance.mean() / factor
        assert bias < 0.5 * squares[name].sqrt()
    squares["log_z2"] = torch.tensor(found["test/log_z2_se"] ** 2)
    squares["log_p_star"] = squares["log_p_tilde"] + squares["log_z2"]
    for name, square in squares.items():
        truth = exact[name][replicate].mean()
        assert_within_standard_errors(found[f"test/{name}"], truth, square.sqrt())
