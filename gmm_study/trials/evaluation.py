"""The final metrics of one replicate: the model of its best epoch on the test set."""

from collections.abc import Callable

import torch

from gmm_study.data import Dataset
from gmm_study.estimators import (
    estimate_bound,
    estimate_log_p,
    estimate_log_z2,
    summarise,
    with_p_star,
)
from gmm_study.models import Model, RandomStreams, SigmoidBeliefNetwork
from gmm_study.training.build import build_objective
from gmm_study.training.hyperparameters import Hyperparameters


def evaluate_on_test(
    hyperparameters: Hyperparameters,
    model: Model,
    dataset: Dataset,
    replicate: int,
    chunk_rows: int,
    watch: Callable[[int], object] = lambda rows: None,
) -> dict[str, float]:
    """The metrics `test/...` of the model of one replicate, each with its standard error `..._se`.

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
    return {f"test/{name}": value for name, value in figures.items()}
