"""The final metrics of one replicate: its kept model on the validation data and the test data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gmm_study.data import Dataset, independent_log_likelihoods
from gmm_study.estimators import (
    estimate_bound,
    estimate_log_p,
    estimate_log_z2,
    mean_and_standard_error,
    summarise,
    with_p_star,
)
from gmm_study.models import Model, RandomStreams, SigmoidBeliefNetwork
from gmm_study.training.build import build_objective
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.trials.selection import INDEPENDENT, VALID_LOG_P

MARGIN = 0.1
"""A model that beats independent pixels by at most this many nats has collapsed."""


@dataclass(frozen=True)
class OnTest:
    """The evaluation of a model on the test data."""

    metrics: dict[str, float]
    """The figures `test/...`, each with its standard error `..._se`."""
    log_p: NDArray[np.float32]
    """log p of every test datapoint `[N]`, in nats, whose mean is `test/log_p`."""


def evaluate_on_test(
    hyperparameters: Hyperparameters,
    model: Model,
    dataset: Dataset,
    replicate: int,
    chunk_rows: int,
    watch: Callable[[int], object] = lambda rows: None,
) -> OnTest:
    """The figures of the model of one replicate on the test data.

    They are in nats, except `ess` and `ess_star`. `bound` uses the K of training, the others that
    of the evaluation. The standard errors are over datapoints; that of `log_z2` is over samples.
    `watch` is called with the number of rows of each finished chunk.
    """
    device = model.parameters.flat.device
    data = torch.from_numpy(dataset.test).to(device)
    streams = RandomStreams(hyperparameters.seed, [replicate], "evaluation", device)
    objective = build_objective(hyperparameters)
    bound = estimate_bound(objective, model, data, streams, chunk_rows)["bound"]
    count = hyperparameters.evaluation_samples
    estimates = {"bound": bound} | estimate_log_p(model, data, count, streams, chunk_rows, watch)
    of_p_star = hyperparameters.declaration.has_p_star
    figures = summarise(estimates, of_p_star)
    if isinstance(model, SigmoidBeliefNetwork) and of_p_star:
        draws = hyperparameters.z_samples
        log_z2 = estimate_log_z2(model, draws, streams, chunk_rows, watch)
        figures = with_p_star(figures, *log_z2)
    metrics = {f"test/{name}": value for name, value in figures.items()}
    return OnTest(metrics, estimates["log_p"][0].float().cpu().numpy())


def evaluate_on_validation(
    hyperparameters: Hyperparameters,
    model: Model,
    dataset: Dataset,
    replicate: int,
    chunk_rows: int,
    watch: Callable[[int], object] = lambda rows: None,
) -> dict[str, float]:
    """log p of the validation data with `selection_samples`, its error, and independent pixels'.

    Trials are selected by it, so it is estimated anew, with random numbers of its own: the highest
    of the estimates during training is the luckiest. All trials of a seed draw the same numbers.
    """
    device = model.parameters.flat.device
    data = torch.from_numpy(dataset.valid).to(device)
    streams = RandomStreams(hyperparameters.seed, [replicate], "selection", device)
    count = hyperparameters.selection_samples
    estimates = estimate_log_p(model, data, count, streams, chunk_rows, watch)
    mean, error = mean_and_standard_error(estimates["log_p"])
    independent = independent_log_likelihoods(dataset.train, dataset.valid).mean()
    return {VALID_LOG_P: mean, f"{VALID_LOG_P}_se": error, INDEPENDENT: float(independent)}


def has_collapsed(metrics: Mapping[str, float], dataset: Dataset) -> bool:
    """Whether a model is no better than independent pixels, by its figures on validation data.

    A collapsed model ignores its latent variables, so its pixels are independent. The model that it
    is compared with has the means of the M rows of training data; their error costs it about
    D / (2 M) nats. A collapsed model can be better by that, or by noise; one that has learned
    something is better by several nats. So the gain has to be more than 0.1 nats and more than
    D / (2 M).
    """
    margin = max(MARGIN, dataset.dims / (2.0 * len(dataset.train)))
    return metrics[VALID_LOG_P] <= metrics[INDEPENDENT] + margin
