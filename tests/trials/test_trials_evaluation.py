"""The final figures of a trial are means over the test set, and their errors are honest."""

import numpy as np
import pytest
import torch

from gmm_study.data import Dataset
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.evaluation import evaluate_on_test
from tests.networks import DIMS, SIZES, a_network
from tests.oracle import enumerate_states

SAMPLES = 2000


ROWS = np.random.RandomState(3).randint(2, size=(60, DIMS))
DATA = Dataset.from_splits("bits", {"train": ROWS, "valid": ROWS, "test": ROWS})


def evaluate(model, samples, replicate=0, z_samples=10_000):
    hyperparameters = Hyperparameters(
        method="gmm", layers=SIZES, evaluation_samples=samples, z_samples=z_samples
    )
    return evaluate_on_test(hyperparameters, model, DATA, replicate, 4000).metrics


@pytest.fixture(scope="module")
def evaluated():
    """The exact figures of every datapoint, what the evaluation found, and those of every x."""
    model = a_network(dtype=torch.float32)
    metrics = evaluate(model, SAMPLES)
    exact = enumerate_states(model.parameters, torch.from_numpy(ROWS))
    return exact, metrics, enumerate_states(model.parameters)


def errors_of_sampling(exact, name):
    """Standard errors of the estimates of each datapoint, from the exact weights."""
    share, factor = {"log_p": (exact.ess, 1.0), "log_p_tilde": (exact.ess_star, 2.0)}[name]
    return factor * ((1.0 / share - 1.0) / SAMPLES).sqrt()


@pytest.mark.parametrize("name", ["log_p", "log_p_tilde"])
def test_log_likelihoods_are_means_over_the_test_set(evaluated, name):
    exact, metrics, _ = evaluated
    truth, errors = getattr(exact, name), errors_of_sampling(exact, name)
    error = errors.square().mean().sqrt() / len(truth) ** 0.5
    assert abs(metrics[f"test/{name}"] - truth.mean()) < 4.0 * error


@pytest.mark.parametrize("name", ["log_p", "log_p_tilde"])
def test_their_standard_error_is_that_of_the_mean_over_datapoints(evaluated, name):
    exact, metrics, _ = evaluated
    truth, errors = getattr(exact, name), errors_of_sampling(exact, name)
    spread_of_sampling = errors.square().mean().sqrt() / len(truth) ** 0.5
    expected = truth.std() / len(truth) ** 0.5
    assert abs(metrics[f"test/{name}_se"] - expected) < 4.0 * spread_of_sampling
    assert expected > 10.0 * spread_of_sampling


def test_log_z2_is_within_its_own_error_of_the_exact_one(evaluated):
    _, metrics, of_every_x = evaluated
    score = (metrics["test/log_z2"] - of_every_x.log_z2) / metrics["test/log_z2_se"]
    assert abs(score) < 4.0


def test_with_fewer_samples_log_z2_is_right_within_a_larger_error(evaluated):
    _, metrics, of_every_x = evaluated
    few = evaluate(a_network(dtype=torch.float32), 1, z_samples=1000)
    score = (few["test/log_z2"] - of_every_x.log_z2) / few["test/log_z2_se"]
    assert abs(score) < 4.0
    assert few["test/log_z2_se"] > metrics["test/log_z2_se"]


def test_log_p_star_and_its_error_follow_from_its_two_parts(evaluated):
    _, metrics, _ = evaluated
    expected = metrics["test/log_p_tilde"] - metrics["test/log_z2"]
    assert metrics["test/log_p_star"] == pytest.approx(expected)
    expected = np.hypot(metrics["test/log_p_tilde_se"], metrics["test/log_z2_se"])
    assert metrics["test/log_p_star_se"] == pytest.approx(expected)


def test_the_figures_are_ordered_as_the_theory_says(evaluated):
    _, metrics, _ = evaluated
    assert metrics["test/log_z2"] < 4.0 * metrics["test/log_z2_se"]
    assert metrics["test/log_p_tilde"] < metrics["test/log_p"]
    assert 0.0 < metrics["test/ess"] < 1.0
    assert 0.0 < metrics["test/ess_star"] < 1.0


def test_every_replicate_is_evaluated_with_noise_of_its_own_and_the_same_each_time():
    model = a_network(dtype=torch.float32)
    first, again, another = (evaluate(model, 10, replicate) for replicate in (0, 0, 1))
    assert first == again
    assert first["test/log_p"] != another["test/log_p"]
    assert first["test/log_z2"] != another["test/log_z2"]
